//! Boots the conformance root task on a kernel and judges its checks.

use anyhow::Result;

use crate::boot::{self, Limits};
use crate::build::{self, Kernel, Programs, RootTask};
use crate::expectation::{self, Expected};
use crate::qemu;
use crate::report::{self, Tally};
use crate::run::{self, write_log};
use crate::tree::Tree;
use crate::verdict::{Findings, judge};

/// The platform it runs on.
const PLATFORM: &str = "qemu-virt";
/// Time passes with instructions: what a thread gets done in its slice does not depend on what else the host does.
const TIME: [&str; 4] = ["-icount", "shift=3,sleep=off", "-rtc", "clock=vm"];
/// Without a line for so long, a check hangs.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Boots the kernel of `programs`, which is of kind `kernel`; its list of checks decides.
///
/// # Errors
/// When the image cannot be made, the list does not read, or the machine cannot be started.
pub fn run(tree: &Tree, programs: &Programs, kernel: Kernel) -> Result<Tally> {
    let root_task = RootTask {
        elf: programs.conformance.clone(),
        cnode_bits: None,
        image: Some(tree.build().join(format!("conformance-{}.img", kernel.word()))),
    };
    let Some(image) = build::root_task_image(tree, &programs.kernel, &root_task)? else { return Ok(Tally::one(false)) };
    let platform = tree.platform(PLATFORM)?;
    run::require_qemu(&platform.qemu)?;
    let command = qemu::command(&platform.qemu, &image, &TIME.map(str::to_owned), None);
    let expected = expected(tree, kernel)?;
    let name = format!("conformance, {} kernel", kernel.word());
    let log = tree.log(&name)?;
    let started = report::begin(&name);
    let limits = Limits {
        silence: SILENCE,
        after_result: (kernel != Kernel::Debug).then_some(boot::AFTER_RESULT),
        ..Limits::CHECKED
    };
    let transcript = boot::run(command, limits, &mut |_| {})?;
    write_log(&log, &transcript)?;
    let findings = Findings::of(transcript.lines.iter().map(String::as_str));
    let problems = judge(&expected, &findings, &transcript.end);
    let (checks, failed) = (expected.len() as u64, problems.len() as u64);
    let tally = Tally { passed: checks.saturating_sub(failed), failed };
    report::end(&name, &format!("{} of {checks} checks", tally.passed), failed == 0, started);
    if failed > 0 {
        problems.iter().for_each(|problem| println!("      {problem}"));
        println!("      log: {}", log.display());
    }
    Ok(tally)
}

/// The checks that a kernel must pass: a release kernel all but those that need debug system calls.
///
/// # Errors
/// When a list does not read.
pub fn expected(tree: &Tree, kernel: Kernel) -> Result<Vec<Expected>> {
    let folder = tree.root().join("conformance");
    let mut expected = expectation::read_file(&folder.join("every-kernel.checks"))?;
    if kernel == Kernel::Debug {
        expected.extend(expectation::read_file(&folder.join("debug-kernel.checks"))?);
    }
    Ok(expected)
}
