//! Has a booted kernel log what happens to capabilities, and replays the log against the abstract machine.
//!
//! The tests trace the systems that say in `systems/NAME.trace` which invocations the log must have, one a line by the name of
//! its label. Each must have been carried out by both at least once: a log without them would show nothing about them. `#` at
//! its start makes a line a comment.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use sluice_abi::Label;

use crate::report::{Tally, step_with};
use crate::toolchain::host_cargo;
use crate::tree::{System, Tree};

/// Whether the tests trace a system.
#[must_use]
pub fn is_wanted(system: &System) -> bool {
    system.trace().exists()
}

/// The invocations that the log of a system must have; none when it does not say.
///
/// # Errors
/// When the file does not read, or names what is no invocation.
pub fn wanted(system: &System) -> Result<Vec<Label>> {
    let path = system.trace();
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| label(line).with_context(|| format!("{} is no list of invocations", path.display()))).collect()
}

fn label(name: &str) -> Result<Label> {
    let found = Label::ALL.into_iter().find(|label| format!("{label:?}") == name);
    found.with_context(|| format!("there is no invocation {name}"))
}

/// Where the log of a system is written; it stays there.
#[must_use]
pub fn log(tree: &Tree, system: &System) -> PathBuf {
    tree.build().join(format!("{}.trace", system.name))
}

/// What the kernel's command line says to have it write the log.
pub const OPTION: &str = "sluice.trace=semihosting";

/// Adds to a machine the file that its kernel writes the log to.
///
/// # Errors
/// When the path is no text.
pub fn attach(command: &mut Command, log: &Path) -> Result<()> {
    let path = log.to_str().with_context(|| format!("{} is no text", log.display()))?.replace(',', ",,");
    command.args(["-chardev", &format!("file,id=trace,path={path}")]);
    command.args(["-semihosting-config", "enable=on,target=native,chardev=trace"]);
    Ok(())
}

/// Replays the log of a system.
///
/// # Errors
/// When the replay cannot be started.
pub fn replay(tree: &Tree, system: &System, log: &Path) -> Result<Tally> {
    let mut command = host_cargo(tree, "run");
    command.args(["--quiet", "-p", "sluice-conformance", "--bin", "conformance", "--"]).arg(log);
    let replayed = step_with(tree, &format!("trace {}", system.name), command, detail)?;
    let mut tally = Tally::one(replayed.good);
    if replayed.good {
        for label in wanted(system)? {
            let is_there = accepted(&replayed.output, label) > 0;
            if !is_there {
                println!("      {label:?} is to be in the log of {}, and was never carried out", system.name);
            }
            tally.add(Tally::one(is_there));
        }
    }
    if !tally.is_good() {
        println!("      trace: {}", log.display());
    }
    Ok(tally)
}

/// How often an invocation was carried out by both.
fn accepted(summary: &str, label: Label) -> u64 {
    let name = format!("{label:?}");
    let line = summary.lines().find_map(|line| line.strip_prefix("accepted ")).unwrap_or_default();
    let counts = line.split(',').filter_map(|count| count.trim().split_once(' '));
    counts.filter(|(of, _)| *of == name).filter_map(|(_, count)| count.parse::<u64>().ok()).sum()
}

/// The counts a reader wants on one line.
fn detail(summary: &str) -> String {
    let first = |name: &str| {
        let line = summary.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.trim_end_matches(':').parse::<u64>().ok()
    };
    let counts = [("compared", "calls agree"), ("not modelled", "not modelled"), ("events", "events agree")];
    let counts: Vec<String> =
        counts.iter().filter_map(|(name, what)| Some(format!("{} {what}", first(name)?))).collect();
    counts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_much_agrees() {
        let summary = "lines        9\ncalls        7: A 7\ncompared     4 accepted alike, 1 refused alike\n\
            not modelled 2: A 2\nevents       3 explained, 0 late\n";
        assert_eq!(detail(summary), "4 calls agree, 2 not modelled, 3 events agree");
        assert_eq!(detail("x:9: malformed"), "");
    }

    #[test]
    fn what_was_carried_out_is_counted() {
        let summary =
            "calls        9: CbAssignCdTable 5\naccepted     UntypedRetype 4, CbAssignCdTable 3, SidBindCb 0\n";
        assert_eq!(accepted(summary, Label::CbAssignCdTable), 3);
        assert_eq!(accepted(summary, Label::SidBindCb), 0);
        assert_eq!(accepted(summary, Label::CbInvalidateStage1), 0);
        assert_eq!(accepted("calls        9: CbAssignCdTable 5\n", Label::CbAssignCdTable), 0);
    }

    #[test]
    fn lists_name_invocations() {
        assert_eq!(label("CbAssignCdTable").unwrap(), Label::CbAssignCdTable);
        assert!(label("CbAssignCDTable").is_err());
    }

    #[test]
    fn a_comma_in_a_path_is_written_twice() {
        let mut command = Command::new("qemu");
        attach(&mut command, Path::new("/a,b.trace")).unwrap();
        let arguments: Vec<_> = command.get_args().filter_map(|argument| argument.to_str()).collect();
        assert!(arguments.contains(&"file,id=trace,path=/a,,b.trace"), "{arguments:?}");
    }
}
