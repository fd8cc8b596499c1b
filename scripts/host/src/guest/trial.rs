//! Boots the guests' files on QEMU alone, with the devices that guests are given: whether they are good does not depend on
//! anything of ours.

use anyhow::{Context, Result};

use super::{Payloads, SERIES};
use crate::boot::{self, Limits};
use crate::disk::{self, Disk};
use crate::expectation;
use crate::qemu;
use crate::report::{self, Tally};
use crate::run::{require_qemu, write_log};
use crate::transcript::ROOT;
use crate::tree::Tree;
use crate::verdict::{Findings, judge};

const PLATFORM: &str = "qemu-virt";
/// Size of each disk.
const DISK_MIB: u64 = 64;
/// What the task `scratch` copies.
const COPIED: u64 = 4 << 20;
const COMMAND_LINE: &str = "console=ttyAMA0 quiet panic=-1 sluice.run=boot,disk,io,scratch,log sluice.iommu=yes";

/// Boots the kernel of every series once and judges what its initramfs reports.
///
/// # Errors
/// When the machine cannot be started.
pub fn run(tree: &Tree, payloads: &Payloads) -> Result<Tally> {
    let mut tally = Tally::default();
    for series in SERIES {
        tally.add(one(tree, payloads, series)?);
    }
    Ok(tally)
}

fn one(tree: &Tree, payloads: &Payloads, series: &str) -> Result<Tally> {
    let platform = tree.platform(PLATFORM)?;
    require_qemu(&platform.qemu)?;
    let disk = Disk::default_for(tree, DISK_MIB)?;
    let scratch = disk::scratch(tree, "guest-trial", DISK_MIB)?;
    let text = "-drive\nif=none,id=disk,format=raw,readonly=on,file=${DISK}\n-device\nnvme,drive=disk,serial=disk\n\
                -drive\nif=none,id=scratch,format=raw,file=${SCRATCH}\n-device\nnvme,drive=scratch,serial=scratch\n";
    let files = [("DISK".to_owned(), disk.path.clone()), ("SCRATCH".to_owned(), scratch.clone())].into();
    let devices = qemu::arguments(text, &files)?;
    let mut command = qemu::command(&platform.qemu, &payloads.image(series), &devices, Some(COMMAND_LINE));
    command.arg("-initrd").arg(payloads.initramfs(series));
    let name = format!("boot Linux {series} on QEMU alone");
    let started = report::begin(&name);
    let transcript = boot::run(command, Limits::CHECKED, &mut |_| {})?;
    let log = tree.log(&name)?;
    write_log(&log, &transcript)?;
    let lines: Vec<String> = transcript.lines.iter().map(|line| as_component(line)).collect();
    let findings = Findings::of(lines.iter().map(String::as_str));
    let expected = expectation::read_file(&tree.root().join("vmm/guest/trial.checks"))?;
    let mut problems: Vec<String> =
        judge(&expected, &findings, &transcript.end).iter().map(ToString::to_string).collect();
    if findings.digests != [disk.digest().context("the disk cannot be read")?] {
        problems.push(format!("the guest did not read what is in {}: {:?}", disk.path.display(), findings.digests));
    }
    if let Err(error) = disk::verify_copy(&disk.path, &scratch, COPIED) {
        problems.push(format!("{error:#}"));
    }
    let checks = expected.len() as u64 + 2;
    let failed = problems.len() as u64;
    let tally = Tally { passed: checks.saturating_sub(failed), failed };
    report::end(&name, &format!("{} of {checks} checks", tally.passed), failed == 0, started);
    if failed > 0 {
        report::show_log(&log);
        problems.iter().for_each(|problem| println!("      {problem}"));
    }
    Ok(tally)
}

/// There is nobody to put names before lines here; the guest counts its checks itself.
fn as_component(line: &str) -> String {
    let name = if line.starts_with("RESULT ") { ROOT } else { "guest" };
    format!("{name:<8}| {line}")
}
