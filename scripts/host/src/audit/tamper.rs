//! Whether a wrong entry would be noticed: a machine is stopped from outside, entries of its stream table are overwritten, and it
//! is asked once more.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::{Audit, Moment, differences, moments};
use crate::boot::{self, Limits, Transcript};
use crate::build::{self, Programs};
use crate::gdb;
use crate::report::{self, Tally};
use crate::run::{self, Choices, write_log};
use crate::transcript::ROOT;
use crate::tree::{System, Tree};

/// The system whose stream table is overwritten.
const SYSTEM: &str = "confined-disk";
/// What its command line says to be asked twice, with time to overwrite something in between.
const OPTION: &str = "sluice.audit=twice";
/// Bytes of a stream table entry.
const ENTRY: u64 = 64;
/// The words of an entry that lets everything pass: valid, Config 0b100, SHCFG 1 (IHI 0070, 5.2).
const BYPASS: [u64; 8] = [1 | 0b100 << 1, 1 << 44, 0, 0, 0, 0, 0, 0];
/// The word of an entry that has S2TTB.
const STAGE2_TABLE: u64 = 3 * 8;

/// Streams of the system: one that is to bypass translation, one that is to be given the table of the third, and one that nobody
/// has, which is to be given the third's whole entry.
const BYPASSED: &str = "0:0x0008";
const MISLED: &str = "0:0x0010";
const COPIED: &str = "0:0x0030";
const NOBODYS: &str = "0:0x0042";
/// The last number in [`NOBODYS`], less that in [`COPIED`].
const APART: u64 = 0x42 - 0x30;

/// The machine prints a line now and then until it is ended.
const LIMITS: Limits = Limits { silence: Duration::from_secs(30), total: Duration::from_secs(120), ..Limits::CHECKED };

/// Boots the system, overwrites entries, and judges whether each is named.
///
/// # Errors
/// When the system does not build, or the machine cannot be started.
pub fn run(tree: &Tree, programs: &Programs) -> Result<Tally> {
    let system = System::at(&tree.root().join("systems").join(SYSTEM).with_extension("toml"))?;
    let Some(image) = build::image(tree, programs, &system)? else { return Ok(Tally::one(false)) };
    let name = "entries changed from outside";
    let log = tree.log(name)?;
    let started = report::begin(name);
    let audit = Audit::read(&std::fs::read_to_string(build::audit_of(&image))?)?;
    let (transcript, tampered) = boot(tree, &system, &image)?;
    write_log(&log, &transcript)?;
    let judged = tampered.and_then(|()| judge(&audit, transcript.lines.iter().map(String::as_str)));
    report::end(name, "each is named", judged.is_ok(), started);
    if let Err(error) = &judged {
        report::show_log(&log);
        println!("      {error:#}");
    }
    Ok(Tally::one(judged.is_ok()))
}

/// What the machine printed, and how tampering with it went.
fn boot(tree: &Tree, system: &System, image: &Path) -> Result<(Transcript, Result<()>)> {
    let port = Port(std::env::temp_dir().join(format!("sluice-{}.gdb", std::process::id())));
    let choices = Choices { append: Some(OPTION.to_owned()), ..Choices::default() };
    let mut command = run::machine(tree, system, image, &choices)?;
    command.arg("-gdb").arg(format!("unix:{},server=on,wait=off", port.0.display()));
    let mut outsider = Outsider { port: &port, machine: None, lines: Vec::new(), told: 0 };
    let mut outcome = Ok(());
    let transcript = boot::run(command, LIMITS, &mut |line| {
        if outcome.is_ok() {
            outcome = outsider.hear(line);
        }
    })?;
    let told = outsider.told;
    let outcome = outcome.and_then(|()| match told {
        2 => Ok(()),
        times => Err(anyhow!("the machine told {times} times instead of twice")),
    });
    Ok((transcript, outcome))
}

/// A socket that is gone with its user.
struct Port(PathBuf);

impl Drop for Port {
    fn drop(&mut self) {
        // QEMU may have removed it, or never have made it.
        drop(std::fs::remove_file(&self.0));
    }
}

/// Who changes the machine's memory when the time has come.
struct Outsider<'a> {
    port: &'a Port,
    machine: Option<gdb::Machine<UnixStream>>,
    lines: Vec<String>,
    /// How often the machine has told all.
    told: usize,
}

impl Outsider<'_> {
    fn hear(&mut self, line: &str) -> Result<()> {
        self.lines.push(line.to_owned());
        let machine = match &mut self.machine {
            Some(machine) => machine,
            None => {
                let port = UnixStream::connect(&self.port.0).context("there is no debugger port")?;
                port.set_read_timeout(Some(Duration::from_secs(20)))?;
                let mut machine = gdb::Machine::attach(port)?;
                machine.go()?;
                self.machine.insert(machine)
            }
        };
        let Some(said) = line.split_once("| ").filter(|(who, _)| who.trim_end() == ROOT) else { return Ok(()) };
        match said.1.trim_end() {
            "AUDIT end" => {
                self.told += 1;
                if self.told == 2 {
                    machine.stop()?;
                    machine.kill()?;
                }
                Ok(())
            }
            "AUDIT again" => {
                let moments = moments(self.lines.iter().map(String::as_str))?;
                machine.stop()?;
                overwrite(machine, moments.first().context("nothing was told before")?)?;
                machine.go()
            }
            _ => Ok(()),
        }
    }
}

fn overwrite<S: Read + Write>(machine: &mut gdb::Machine<S>, moment: &Moment) -> Result<()> {
    let entry = |stream: &str| {
        let stream = moment.streams.get(stream).with_context(|| format!("{stream} has no entry"))?;
        Ok::<u64, anyhow::Error>(stream.entry)
    };
    let (bypassed, misled, copied) = (entry(BYPASSED)?, entry(MISLED)?, entry(COPIED)?);
    for (word, at) in BYPASS.into_iter().zip((bypassed..).step_by(8)) {
        machine.set_word(at, word)?;
    }
    let table = machine.word(copied + STAGE2_TABLE)?;
    machine.set_word(misled + STAGE2_TABLE, table)?;
    for offset in (0..ENTRY).step_by(8) {
        let word = machine.word(copied + offset)?;
        machine.set_word(copied + APART * ENTRY + offset, word)?;
    }
    Ok(())
}

/// The first account must be right, and the second wrong in what was overwritten, by name, and in nothing else.
fn judge<'a>(audit: &Audit, lines: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let moments = moments(lines)?;
    let [before, after] = moments.as_slice() else { bail!("{} accounts instead of two", moments.len()) };
    let wrong = differences(audit, before);
    ensure!(wrong.is_empty(), "before anything was overwritten: {}", wrong.join("; "));
    let mut said: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let found = differences(audit, after);
    for line in &found {
        let (stream, rest) = line.split_once(' ').unwrap_or((line, ""));
        said.entry(stream).or_default().push(rest.to_owned());
    }
    for (stream, part) in [
        (BYPASSED, "bypasses translation instead of s2"),
        (MISLED, "instead of disk_buffer+"),
        (NOBODYS, "and no device has that stream"),
    ] {
        let lines = said.remove(stream).unwrap_or_default();
        ensure!(lines.iter().any(|line| line.contains(part)), "{stream} is not said to be wrong: {lines:?}");
    }
    ensure!(said.is_empty(), "also said to be wrong: {said:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUDIT: &str = r#"{
        "memories": [{ "name": "disk_buffer", "bytes": 4096, "private": false }, { "name": "other", "bytes": 4096, "private": false }],
        "parties": [
            { "name": "edu", "kind": "device", "drives": [], "mode": "s2", "streams": ["0:0x0008"] },
            { "name": "disk", "kind": "device", "drives": [], "mode": "s2", "streams": ["0:0x0010"] },
            { "name": "scratch", "kind": "device", "drives": [], "mode": "s2", "streams": ["0:0x0030"] }
        ],
        "reach": [
            { "party": "disk", "kind": "device", "memory": "disk_buffer", "rights": "rw", "by": "dma", "at": 65536 },
            { "party": "scratch", "kind": "device", "memory": "other", "rights": "rw", "by": "dma", "at": 65536 }
        ]
    }"#;

    /// An account in which the streams of `edu` and `disk` do this.
    fn account(edu: &str, disk: &str, more: &str) -> String {
        format!(
            "root    | AUDIT begin start\nroot    | AUDIT region disk_buffer 0x0 0x1000 0x5000\n\
            root    | AUDIT region other 0x0 0x1000 0x6000\nkernel  | AUDIT stream 0:0x0008 entry 0x9200 {edu}\n\
            kernel  | AUDIT stream 0:0x0010 entry 0x9400 stage 2\nkernel  | AUDIT reach 0:0x0010 0x10000 0x1000 rw {disk}\n\
            kernel  | AUDIT stream 0:0x0030 entry 0x9c00 stage 2\nkernel  | AUDIT reach 0:0x0030 0x10000 0x1000 rw 0x6000\n\
            {more}kernel  | AUDIT smmu 0 abort 250\nroot    | AUDIT end\n"
        )
    }

    #[test]
    fn all_three_changes_and_nothing_else_must_be_named() {
        let audit = Audit::read(AUDIT).unwrap();
        let good = account("stage 2", "0x5000", "");
        let nobodys = "kernel  | AUDIT stream 0:0x0042 entry 0xa080 stage 2\n";
        let judged =
            |before: &str, after: &str| judge(&audit, [before, after].join("").lines()).map_err(|e| e.to_string());
        assert_eq!(judged(&good, &account("bypass", "0x6000", nobodys)), Ok(()));
        for (after, part) in [
            (account("stage 2", "0x6000", nobodys), "0:0x0008 is not said"),
            (account("bypass", "0x5000", nobodys), "0:0x0010 is not said"),
            (account("bypass", "0x6000", ""), "0:0x0042 is not said"),
            (account("bypass", "0x6000", &nobodys.replace("0042", "0043")), "0:0x0042 is not said"),
            (account("bypass", "0x6000", &format!("{nobodys}{}", nobodys.replace("0042", "0043"))), "also said"),
        ] {
            let error = judged(&good, &after).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let error = judged(&account("bypass", "0x5000", ""), &good).unwrap_err();
        assert!(error.starts_with("before anything was overwritten"), "{error}");
        assert!(judged(&good, "").unwrap_err().starts_with("1 accounts"));
    }
}
