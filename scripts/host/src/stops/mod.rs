//! Boots that must stop: a damaged image, a machine that is not the spec's, a machine that no kernel could work with.
//!
//! Each ends before any component runs, with exactly one line that says why. The list is data
//! (`scripts/host/stops.toml`): every entry is a difference from a boot that runs, and that boot is made first, so that
//! what stops the others is their difference.

mod damage;
mod list;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

pub use damage::{Damage, break_image};
pub use list::{Stop, Stops};

use crate::boot::{self, Limits, Transcript};
use crate::build::{self, Programs};
use crate::device_tree;
use crate::platform::Platform;
use crate::qemu;
use crate::report::{self, Tally};
use crate::run::write_log;
use crate::transcript::{KERNEL, ROOT};
use crate::tree::{System, Tree};
use crate::verdict::{End, Findings};

/// The longest of these boots takes seconds; after its line there is nothing to wait for but the power-off.
const LIMITS: Limits = Limits {
    silence: Duration::from_secs(30),
    total: Duration::from_secs(120),
    after_stop: Duration::from_millis(1500),
    lines: 2000,
    after_result: None,
};

/// The machine that the list's boots differ from.
const PLATFORM: &str = "qemu-virt";

/// Where the list is.
pub const LIST: &str = "scripts/host/stops.toml";

/// Makes every boot of the list, and first the one that they differ from.
///
/// # Errors
/// When the list does not read, a file cannot be written, or the machine cannot be started.
pub fn run(tree: &Tree, programs: &Programs) -> Result<Tally> {
    let path = tree.root().join(LIST);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let list = Stops::read(&text).with_context(|| format!("{LIST} is no list of boots"))?;
    let mut images = BTreeMap::new();
    for name in list.systems() {
        let system = System::at(&tree.root().join("systems").join(name).with_extension("toml"))?;
        let Some(image) = build::image(tree, programs, &system)? else { return Ok(Tally::one(false)) };
        images.insert(name.to_owned(), std::fs::read(image)?);
    }
    let platform = tree.platform(PLATFORM)?;
    let blob = std::fs::read(tree.root().join("platforms").join(PLATFORM).join(&platform.device_tree))?;
    let boots = Boots { tree, list: &list, platform: &platform, images, blob };
    let mut tally = boots.make("boot with nothing wrong", None)?;
    for stop in &list.stops {
        tally.add(boots.make(&format!("stop: {}", stop.name), Some(stop))?);
    }
    Ok(tally)
}

struct Boots<'a> {
    tree: &'a Tree,
    list: &'a Stops,
    platform: &'a Platform,
    images: BTreeMap<String, Vec<u8>>,
    blob: Vec<u8>,
}

impl Boots<'_> {
    fn make(&self, name: &str, stop: Option<&Stop>) -> Result<Tally> {
        let log = self.tree.log(name)?;
        let started = report::begin(name);
        let transcript = self.boot(&log, stop)?;
        write_log(&log, &transcript)?;
        let problems = match stop {
            Some(stop) => problems(&transcript, &stop.says, stop.powers_off),
            None => control_problems(&transcript),
        };
        report::end(name, "", problems.is_empty(), started);
        if !problems.is_empty() {
            report::show_log(&log);
            problems.iter().for_each(|problem| println!("      {problem}"));
        }
        Ok(Tally::one(problems.is_empty()))
    }

    /// Boots with files of its own beside the log.
    fn boot(&self, log: &Path, stop: Option<&Stop>) -> Result<Transcript> {
        let image = log.with_extension("img");
        let system = stop.and_then(|stop| stop.system.as_ref()).unwrap_or(&self.list.system);
        let mut bytes = self.images.get(system).context("a system without image")?.clone();
        if let Some(damage) = stop.and_then(|stop| stop.image.as_ref()) {
            bytes = break_image(bytes, damage)?;
        }
        std::fs::write(&image, bytes).with_context(|| format!("cannot write {}", image.display()))?;
        let machine = stop.map_or_else(|| self.platform.qemu.clone(), |stop| stop.qemu(&self.platform.qemu));
        let devices = stop.and_then(|stop| stop.devices.as_ref()).unwrap_or(&self.list.devices);
        let mut command = qemu::command(&machine, &image, devices, None);
        if let Some(stop) = stop.filter(|stop| !stop.tree.is_empty()) {
            let mut blob = self.blob.clone();
            stop.tree.iter().try_for_each(|edit| device_tree::edit(&mut blob, edit))?;
            let path = log.with_extension("dtb");
            std::fs::write(&path, blob).with_context(|| format!("cannot write {}", path.display()))?;
            command.arg("-dtb").arg(&path);
        }
        let transcript = boot::run(command, LIMITS, &mut |_| ())?;
        std::fs::remove_file(&image)?;
        Ok(transcript)
    }
}

/// What is wrong with a boot that had to stop with a line that begins with `says`.
pub(crate) fn problems(transcript: &Transcript, says: &str, powers_off: bool) -> Vec<String> {
    let mut problems = Vec::new();
    let findings = findings(transcript);
    match findings.stops.as_slice() {
        [line] if line.starts_with(says) => {}
        [line] => problems.push(format!("it says: {line}\n      instead of: {says}")),
        [] => problems.push(format!("it does not say: {says}")),
        more => problems.push(format!("{} lines say that it stops", more.len())),
    }
    for line in &transcript.lines {
        if ["PANIC", "panic"].iter().any(|word| line.contains(word)) {
            problems.push(format!("it panics: {line}"));
        }
        let speaker = line.split_once("| ").map_or("", |(speaker, _)| speaker.trim_end());
        if speaker != KERNEL && speaker != ROOT {
            problems.push(format!("something runs: {line}"));
        }
    }
    let ended = match (powers_off, &transcript.end) {
        (true, end) => *end == End::PoweredOff,
        (false, End::PoweredOff | End::Silent(_)) => true,
        (false, End::Failed(_) | End::Endless(_) | End::Flood(_) | End::Concluded) => false,
    };
    if !ended {
        problems.push(format!("it is not switched off: {}", transcript.end));
    }
    problems
}

/// What is wrong with the boot that the others differ from.
fn control_problems(transcript: &Transcript) -> Vec<String> {
    let findings = findings(transcript);
    let mut problems: Vec<String> = findings.stops.iter().map(|line| format!("it stops: {line}")).collect();
    if findings.counts.len() != 1 {
        problems.push("the root task printed no result".to_owned());
    }
    if transcript.end != End::PoweredOff {
        problems.push(transcript.end.to_string());
    }
    problems
}

fn findings(transcript: &Transcript) -> Findings {
    Findings::of(transcript.lines.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAYS: &str = "kernel  | STOP: no timer";

    fn problems_of(lines: &[&str], end: End) -> Vec<String> {
        let transcript = Transcript { lines: lines.iter().map(|line| (*line).to_owned()).collect(), end };
        problems(&transcript, SAYS, true)
    }

    #[test]
    fn one_line_and_the_power_off_are_what_is_wanted() {
        let lines = ["kernel  | sluice", "kernel  | STOP: no timer in it"];
        assert_eq!(problems_of(&lines, End::PoweredOff), [""; 0]);
        let silent = End::Silent(Duration::from_secs(1));
        assert_eq!(problems_of(&lines, silent.clone()).len(), 1);
        let transcript = Transcript { lines: lines.map(str::to_owned).to_vec(), end: silent };
        assert_eq!(problems(&transcript, SAYS, false), [""; 0]);
    }

    #[test]
    fn another_line_none_two_a_panic_or_a_component_is_wrong() {
        for (lines, message) in [
            (vec!["root    | STOP: no timer"], "it says: root"),
            (vec!["kernel  | STOP: else"], "it says: kernel  | STOP: else"),
            (vec!["kernel  | fine"], "it does not say"),
            (vec![SAYS, SAYS], "2 lines"),
            (vec![SAYS, "kernel  | x: PANIC"], "it panics"),
            (vec![SAYS, "edu     | CHECK pass works: yes"], "something runs: edu"),
            (vec![SAYS, "qemu    | no such device"], "something runs: qemu"),
        ] {
            let problems = problems_of(&lines, End::PoweredOff);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].contains(message), "{problems:?}");
        }
    }

    #[test]
    fn the_boot_that_runs_must_run() {
        let control = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (*line).to_owned()).collect();
            control_problems(&Transcript { lines, end: End::PoweredOff })
        };
        assert_eq!(control(&["root    | RESULT 1 passed, 1 failed"]), [""; 0]);
        assert_eq!(control(&["kernel  | fine"]), ["the root task printed no result"]);
        assert_eq!(control(&["root    | RESULT 1 passed, 1 failed", SAYS]).len(), 1);
    }
}
