//! Builds and runs the test that must notice a mutant.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Copy, Mutant, Program};
use crate::toolchain::host_cargo;
use crate::tree::Tree;

/// A broken kernel may wait for ever.
const LIMIT: Duration = Duration::from_secs(120);

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
pub(super) fn trial(tree: &Tree, copy: &Copy, mutant: &Mutant) -> Result<Verdict> {
    let killer = &mutant.killer;
    let log = tree.log(&format!("mutant {}", mutant.name))?;
    let Some(program) = build(tree, copy, &killer.package, &killer.program, &log)? else {
        return Ok(Verdict::Unusable(format!("does not compile: {}", log.display())));
    };
    let output = run(copy, &program, [killer.test.as_str()], &log)?;
    Ok(judge(&output, &killer.test).map_or(Verdict::Unclear(log), |failed| {
        let test = killer.to_string();
        if failed { Verdict::Killed(test) } else { Verdict::Survived(test) }
    }))
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
    let good = tests.iter().all(|test| judge(&output, test) == Some(false));
    Ok(if good { Ok(()) } else { Err(log) })
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

/// Whether `test` failed; nothing when it did not come to an end.
fn judge(output: &str, test: &str) -> Option<bool> {
    let prefix = format!("test {test} ... ");
    output.lines().find_map(|line| match line.strip_prefix(&prefix)? {
        "ok" => Some(false),
        "FAILED" => Some(true),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_result_of_the_very_test_counts() {
        let output = "running 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\ntest a::d ... ignored\ntest a::e ... ";
        assert_eq!(judge(output, "a::b"), Some(false));
        assert_eq!(judge(output, "a::c"), Some(true));
        for other in ["a::d", "a::e", "b", "a"] {
            assert_eq!(judge(output, other), None, "{other}");
        }
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
