//! Builds and runs the test that must notice a mutant.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Copy, Killer, Mutant, Program};
use crate::toolchain::host_cargo;
use crate::tree::Tree;

/// A broken kernel may wait for ever.
const LIMIT: Duration = Duration::from_secs(300);

/// What became of a mutant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The test failed, as it should.
    Killed(String),
    /// The test passed: it does not test what it is named for.
    Survived(String),
    /// The test neither passed nor failed; the log says what happened.
    Unclear(PathBuf),
    /// The list is wrong.
    Unusable(String),
}

impl Verdict {
    /// Whether the mutant is dead.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Killed(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(test) => write!(f, "killed by {test}"),
            Self::Survived(test) => write!(f, "survives {test}"),
            Self::Unclear(log) => write!(f, "no result in {} s, or a crash: {}", LIMIT.as_secs(), log.display()),
            Self::Unusable(reason) => f.write_str(reason),
        }
    }
}

/// A line of cargo's `--message-format=json`, as far as it is about an executable.
#[derive(Deserialize)]
struct Artefact {
    executable: Option<PathBuf>,
    target: Target,
    profile: Profile,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Tries the mutant that the copy has been made into.
pub(super) fn trial(tree: &Tree, copy: &Copy, mutant: &Mutant, killer: &Killer) -> Result<Verdict> {
    let log = tree.log(&format!("mutant {}", mutant.name))?;
    let Some(program) = build(tree, copy, &killer.package, &killer.program, &log)? else {
        return Ok(Verdict::Unusable(format!("does not compile: {}", log.display())));
    };
    let output = run(copy, &program, [killer.test.as_str()], &log)?;
    let test = killer.to_string();
    Ok(match results(&output) {
        Some((0, 1)) => Verdict::Killed(test),
        Some((1, 0)) => Verdict::Survived(test),
        _ => Verdict::Unclear(log),
    })
}

/// Whether `tests` of a program pass on the copy as it is; the log otherwise.
pub(super) fn passes(
    tree: &Tree,
    copy: &Copy,
    package: &str,
    program: &Program,
    tests: &BTreeSet<&str>,
) -> Result<Result<(), PathBuf>> {
    let log = tree.log(&format!("mutants none {package} {program}"))?;
    let Some(executable) = build(tree, copy, package, program, &log)? else { return Ok(Err(log)) };
    let output = run(copy, &executable, tests.iter().copied(), &log)?;
    Ok(if results(&output) == Some((tests.len(), 0)) { Ok(()) } else { Err(log) })
}

/// Builds a program of tests; nothing when that failed.
fn build(tree: &Tree, copy: &Copy, package: &str, program: &Program, log: &Path) -> Result<Option<PathBuf>> {
    let mut cargo = host_cargo(tree, "test");
    cargo.current_dir(copy.sources()).args(["--no-run", "--message-format=json", "-p", package]);
    match program {
        Program::Library => cargo.arg("--lib"),
        Program::Test(name) => cargo.args(["--test", name]),
    };
    let messages = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let output = cargo.arg("--target-dir").arg(copy.target()).stdin(Stdio::null()).stderr(messages).output()?;
    if !output.status.success() {
        std::fs::write(log, &output.stdout)?;
        return Ok(None);
    }
    Ok(executable(&String::from_utf8_lossy(&output.stdout), program))
}

fn executable(messages: &str, program: &Program) -> Option<PathBuf> {
    let artefacts = messages.lines().filter_map(|line| serde_json::from_str::<Artefact>(line).ok());
    let is_it = |artefact: &Artefact| match program {
        Program::Library => artefact.target.kind.iter().any(|kind| kind == "lib"),
        Program::Test(name) => artefact.target.name == *name,
    };
    artefacts.filter(|artefact| artefact.profile.test && is_it(artefact)).find_map(|artefact| artefact.executable)
}

/// Runs tests by their full names, and returns what they printed until they ended or their time did.
fn run<'a>(copy: &Copy, program: &Path, tests: impl IntoIterator<Item = &'a str>, log: &Path) -> Result<String> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut child = Command::new(program)
        .current_dir(copy.sources())
        .args(tests)
        .args(["--exact", "--test-threads=1"])
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(String::from_utf8_lossy(&std::fs::read(log)?).into_owned())
}

/// How many tests passed and failed; nothing when they did not come to an end.
fn results(output: &str) -> Option<(usize, usize)> {
    let line = output.lines().find_map(|line| line.strip_prefix("test result: "))?;
    let count = |word: &str| line.split_once(word)?.0.split_whitespace().next_back()?.parse().ok();
    Some((count(" passed;")?, count(" failed;")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_that_ended_count() {
        assert_eq!(results("test a ... FAILED\ntest result: FAILED. 0 passed; 1 failed; 0 ignored"), Some((0, 1)));
        assert_eq!(results("test a ... said\nok\n\ntest result: ok. 3 passed; 0 failed;"), Some((3, 0)));
        assert_eq!(results("test result: ok. 0 passed; 0 failed; 14 filtered out"), Some((0, 0)));
        assert_eq!(results("test a ... "), None);
    }

    #[test]
    fn the_program_is_found_among_the_messages() {
        let line = |name: &str, kind: &str, test: bool, executable: &str| {
            format!(
                r#"{{"target":{{"name":"{name}","kind":["{kind}"]}},"profile":{{"test":{test}}},"executable":{executable}}}"#
            )
        };
        let messages = [
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
            line("x", "lib", false, "null"),
            line("x", "lib", true, "\"/lib\""),
            line("driver", "test", true, "\"/driver\""),
        ]
        .join("\n");
        assert_eq!(executable(&messages, &Program::Library), Some("/lib".into()));
        assert_eq!(executable(&messages, &Program::Test("driver".into())), Some("/driver".into()));
        assert_eq!(executable(&messages, &Program::Test("other".into())), None);
    }
}
