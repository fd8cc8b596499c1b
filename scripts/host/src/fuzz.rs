//! Boots the fuzzer and judges its checks.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::boot::{self, Limits};
use crate::build::{self, Programs, RootTask};
use crate::expectation;
use crate::qemu;
use crate::report::{self, Tally};
use crate::run::{self, write_log};
use crate::tree::Tree;
use crate::verdict::{Findings, judge};

/// The platform it runs on.
const PLATFORM: &str = "qemu-virt";
/// Its package's folder.
const FOLDER: &str = "fuzzer";
/// Its program.
const PROGRAM: &str = "fuzzer";
/// Calls of an ordinary run of the tests.
pub const CALLS: u64 = 50_000;
/// Calls of a long one.
pub const SOAK_CALLS: u64 = 1_000_000;
/// A life prints a line when it begins and takes a second or two; without one for so long the kernel hangs.
const SILENCE: Duration = Duration::from_secs(60);

/// What a user may choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choices {
    /// Calls; the fuzzer rounds up to whole lives.
    pub calls: u64,
    /// Seed of the first life; the fuzzer's usual one when it is not given.
    pub seed: Option<u64>,
    /// Print every line as it comes.
    pub show: bool,
}

impl Choices {
    /// The kernel's command line that tells the fuzzer.
    fn command_line(&self) -> String {
        let calls = format!("fuzz.calls={}", self.calls);
        self.seed.map_or_else(|| calls.clone(), |seed| format!("fuzz.seed={seed:#x} {calls}"))
    }
}

/// The fuzzer's list of checks.
#[must_use]
pub fn checks(tree: &Tree) -> PathBuf {
    tree.root().join(FOLDER).join("fuzzer.checks")
}

/// Boots the fuzzer on the debug kernel of `programs`.
///
/// # Errors
/// When the image cannot be made, the list does not read, or the machine cannot be started.
pub fn run(tree: &Tree, programs: &Programs, choices: Choices) -> Result<Tally> {
    let image = Some(tree.build().join("fuzzer.img"));
    let root_task = RootTask { elf: programs.program(PROGRAM), cnode_bits: None, image };
    let Some(image) = build::root_task_image(tree, programs.kernel(), &root_task)? else {
        return Ok(Tally::one(false));
    };
    let platform = tree.platform(PLATFORM)?;
    run::require_qemu(&platform.qemu)?;
    let command = qemu::command(&platform.qemu, &image, &[], Some(&choices.command_line()));
    let expected = expectation::read_file(&checks(tree))?;
    let name = format!("fuzzing, {} calls", choices.calls);
    let log = tree.log("fuzzing")?;
    let started = report::begin(&name);
    let total = Limits::CHECKED.total * u32::try_from(choices.calls / CALLS + 1)?;
    let lines = usize::try_from(choices.calls)?.max(Limits::CHECKED.lines);
    let limits = Limits { silence: SILENCE, total, lines, ..Limits::CHECKED };
    let transcript = boot::run(command, limits, &mut |line| {
        if choices.show {
            println!("{line}");
        }
    })?;
    write_log(&log, &transcript)?;
    let findings = Findings::of(transcript.lines.iter().map(String::as_str));
    let problems = judge(&expected, &findings, &transcript.end);
    let (checks, failed) = (expected.len() as u64, problems.len() as u64);
    let tally = Tally { passed: checks.saturating_sub(failed), failed };
    report::end(&name, &format!("{} of {checks} checks", tally.passed), failed == 0, started);
    if failed > 0 {
        problems.iter().for_each(|problem| println!("      {problem}"));
        let last = transcript.lines.iter().rev().find(|line| line.contains("fuzz.seed="));
        last.iter().for_each(|line| println!("      the last life: {line}"));
        println!("      log: {}", log.display());
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_can_make_a_life_again() {
        let choices = Choices { calls: 1000, seed: Some(0x1f), show: false };
        assert_eq!(choices.command_line(), "fuzz.seed=0x1f fuzz.calls=1000");
        assert_eq!(Choices { seed: None, ..choices }.command_line(), "fuzz.calls=1000");
    }

    #[test]
    fn the_list_of_checks_reads() {
        let tree = Tree::of_this_program().unwrap();
        assert!(expectation::read_file(&checks(&tree)).unwrap().len() > 5);
    }
}
