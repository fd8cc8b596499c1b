//! Has a booted kernel log what happens to capabilities, and replays the log against the abstract machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::report::{Tally, step_with};
use crate::toolchain::host_cargo;
use crate::tree::{System, Tree};

/// The demonstration: the system in which most happens to capabilities.
const TRACED: &str = "confined-disk";

/// Whether the tests trace a system.
#[must_use]
pub fn is_wanted(system: &System) -> bool {
    system.name == TRACED
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
    let good = step_with(tree, &format!("trace {}", system.name), command, detail)?.good;
    if !good {
        println!("      trace: {}", log.display());
    }
    Ok(Tally::one(good))
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
    fn a_comma_in_a_path_is_written_twice() {
        let mut command = Command::new("qemu");
        attach(&mut command, Path::new("/a,b.trace")).unwrap();
        let arguments: Vec<_> = command.get_args().filter_map(|argument| argument.to_str()).collect();
        assert!(arguments.contains(&"file,id=trace,path=/a,,b.trace"), "{arguments:?}");
    }
}
