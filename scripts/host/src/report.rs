//! One aligned line a step: what it was, how it went, how long it took; the log's end when it failed.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::tree::Tree;

const NAME_WIDTH: usize = 44;
const LOG_LINES_SHOWN: usize = 40;

/// The lines printed so far, counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
}

impl Tally {
    /// Both added up.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Whether nothing failed, and anything was done at all.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// One step's outcome.
    #[must_use]
    pub fn one(good: bool) -> Self {
        Self { passed: u64::from(good), failed: u64::from(!good) }
    }
}

/// Prints that `name` has begun, when somebody watches.
#[must_use]
pub fn begin(name: &str) -> Instant {
    if std::io::stdout().is_terminal() {
        print!("      {name} …\r");
        // Without the flush the line comes too late to be of use; when it fails the next print fails as well.
        std::io::stdout().flush().ok();
    }
    Instant::now()
}

/// Prints how the step `name` went.
pub fn end(name: &str, detail: &str, good: bool, started: Instant) {
    println!("{}", line(if good { "ok" } else { "FAIL" }, name, detail, started.elapsed()));
}

/// Prints that the step `name` was left out, and why.
pub fn left_out(name: &str, why: &str) {
    println!("{:<6}{name:<NAME_WIDTH$}  {why}", "skip");
}

fn line(word: &str, name: &str, detail: &str, time: Duration) -> String {
    let line = format!("{word:<6}{name:<NAME_WIDTH$} {:>7.1} s  {detail}", time.as_secs_f64());
    line.trim_end().to_owned()
}

/// Prints the end of the log at `path` and where the rest is.
pub fn show_log(path: &Path) {
    let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    for line in tail(&text) {
        println!("      | {line}");
    }
    println!("      log: {}", path.display());
}

fn tail(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].to_vec()
}

/// What a quiet command did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quiet {
    /// Whether it succeeded.
    pub good: bool,
    /// Its standard output.
    pub output: String,
}

/// Runs `command` with its output in the step's log; prints the step's line, and the log's end on failure.
///
/// # Errors
/// When the program cannot be started or its log not be written.
pub fn step(tree: &Tree, name: &str, command: Command) -> Result<Quiet> {
    step_with(tree, name, command, |_| String::new())
}

/// As [`step`], with a detail for the line that is taken from the output.
///
/// # Errors
/// As [`step`].
pub fn step_with(tree: &Tree, name: &str, mut command: Command, detail: impl FnOnce(&str) -> String) -> Result<Quiet> {
    let path = tree.log(name)?;
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let started = begin(name);
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .with_context(|| format!("cannot start {program}"))?;
    let output = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
    end(name, &detail(&output), status.success(), started);
    if !status.success() {
        show_log(&path);
    }
    Ok(Quiet { good: status.success(), output })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_align_and_carry_no_trailing_space() {
        let ok = line("ok", "format", "", Duration::from_millis(1250));
        let failed = line("FAIL", "a longer name", "3 of 4", Duration::from_secs(100));
        assert_eq!(ok.find(" s"), failed.find(" s"));
        assert!(ok.ends_with("1.2 s") || ok.ends_with("1.3 s"), "{ok}");
        assert!(failed.ends_with("100.0 s  3 of 4"), "{failed}");
    }

    #[test]
    fn nothing_done_is_not_good() {
        assert!(!Tally::default().is_good());
        let mut tally = Tally::one(true);
        assert!(tally.is_good());
        tally.add(Tally::one(false));
        assert!(!tally.is_good());
        assert_eq!(tally, Tally { passed: 1, failed: 1 });
    }

    #[test]
    fn a_failing_command_is_a_failed_step_with_its_output() {
        let tree = Tree::of_this_program().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo seen; echo also >&2; exit 1"]);
        let quiet = step(&tree, "report self test", command).unwrap();
        assert_eq!(quiet, Quiet { good: false, output: "seen\nalso\n".to_owned() });
    }

    #[test]
    fn only_the_end_of_a_log_is_shown() {
        let text: String = (0..100).map(|number| format!("{number}\n")).collect();
        assert_eq!(tail(&text).first(), Some(&"60"));
        assert_eq!(tail("a\nb"), ["a", "b"]);
    }
}
