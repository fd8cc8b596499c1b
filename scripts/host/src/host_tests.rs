//! The tests that run on the host: built together, then run a package at a time, so that a reader sees where they are.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::report::{self, Tally, step, step_with};
use crate::toolchain::host_cargo;
use crate::tree::Tree;

/// Cases of a property test in a soak run; the tests' own counts hold otherwise.
const SOAK_CASES: &str = "20000";

/// A built test program.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Program {
    /// Its package's folder, in which `cargo test` would run it.
    folder: PathBuf,
    executable: PathBuf,
}

/// One of cargo's messages; those about other things lack most of it.
#[derive(Deserialize)]
struct Message {
    manifest_path: Option<PathBuf>,
    executable: Option<PathBuf>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds and runs every test of the default packages.
///
/// # Errors
/// When a step cannot be started.
pub fn run(tree: &Tree, soak: bool) -> Result<Tally> {
    let mut build = host_cargo(tree, "test");
    build.args(["--quiet", "--no-run"]);
    let mut tally = Tally::one(step(tree, "build tests for the host", build)?.good);
    if !tally.is_good() {
        return Ok(tally);
    }
    // Nothing is left to build: this only lists what was built.
    let listed = host_cargo(tree, "test").args(["--quiet", "--no-run", "--message-format", "json"]).output()?;
    let programs = programs(&String::from_utf8_lossy(&listed.stdout));
    for of_one in programs.chunk_by(|left, right| left.folder == right.folder) {
        tally.add(package(tree, of_one, soak)?);
    }
    let mut examples = host_cargo(tree, "test");
    examples.args(["--quiet", "--doc"]);
    let examples = step_with(tree, "examples in documentation", examples, |output| shown(results(output)))?;
    tally.add(counted(&examples.output, examples.good));
    if programs.is_empty() {
        tally.failed += 1;
    }
    Ok(tally)
}

/// The test programs among cargo's messages, those of one package together.
fn programs(messages: &str) -> Vec<Program> {
    let mut programs: Vec<Program> = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|message: &Message| message.profile.as_ref().is_some_and(|profile| profile.test))
        .filter_map(|message| {
            let folder = message.manifest_path?.parent()?.to_owned();
            Some(Program { folder, executable: message.executable? })
        })
        .collect();
    programs.sort_by(|left, right| (&left.folder, &left.executable).cmp(&(&right.folder, &right.executable)));
    programs
}

fn package(tree: &Tree, programs: &[Program], soak: bool) -> Result<Tally> {
    let folder = programs.first().map_or(Path::new(""), |program| &program.folder);
    let name = format!("tests of {}", folder.strip_prefix(tree.root()).unwrap_or(folder).display());
    let path = tree.log(&name)?;
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let started = report::begin(&name);
    let mut good = true;
    for program in programs {
        let mut command = Command::new(&program.executable);
        command.arg("--quiet").current_dir(&program.folder);
        if soak {
            command.arg("--include-ignored").env("PROPTEST_CASES", SOAK_CASES);
        }
        let status = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?).status();
        good &= status.with_context(|| format!("cannot start {}", program.executable.display()))?.success();
    }
    let output = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
    let tally = counted(&output, good);
    report::end(&name, &shown(tally), tally.failed == 0, started);
    scopes(&output).for_each(|scope| println!("      {scope}"));
    if tally.failed > 0 {
        report::show_log(&path);
    }
    Ok(tally)
}

/// How far tests say they went: what follows `scope: ` in a line, behind the dots of tests that run meanwhile.
fn scopes(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter_map(|line| line.split_once("scope: ")).map(|(_, scope)| scope)
}

fn shown(tally: Tally) -> String {
    format!("{} passed, {} failed", tally.passed, tally.failed)
}

/// The tests in `output`. A program that failed before any test could, or without saying which, is one failure.
fn counted(output: &str, good: bool) -> Tally {
    let mut tally = results(output);
    if !good && tally.failed == 0 {
        tally.failed = 1;
    }
    tally
}

/// The sums of the lines `test result: ok. 12 passed; 0 failed; …`.
fn results(output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        let number = |word: &str| {
            let before = line.split(word).next().unwrap_or_default();
            before.split_whitespace().next_back().and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        tally.add(Tally { passed: number(" passed;"), failed: number(" failed;") });
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "running 2 tests\n..\ntest result: ok. 12 passed; 0 failed; 1 ignored; finished\n\
        test result: FAILED. 3 passed; 2 failed; 0 ignored\n";

    #[test]
    fn scopes_are_found_behind_dots() {
        let output = "running 3 tests\n..scope: small: 7 states\n.\nscope: large: 9 states\nok\n";
        assert_eq!(scopes(output).collect::<Vec<_>>(), ["small: 7 states", "large: 9 states"]);
    }

    #[test]
    fn the_results_of_all_test_programs_are_added_up() {
        assert_eq!(results(OUTPUT), Tally { passed: 15, failed: 2 });
        assert_eq!(results("nothing"), Tally::default());
    }

    #[test]
    fn a_program_that_ends_badly_is_a_failure_whatever_it_counted() {
        assert_eq!(counted("Segmentation fault", false), Tally { passed: 0, failed: 1 });
        assert_eq!(counted("test result: ok. 1 passed; 0 failed;", false), Tally { passed: 1, failed: 1 });
        assert_eq!(counted("test result: ok. 1 passed; 0 failed;", true), Tally { passed: 1, failed: 0 });
        assert_eq!(counted(OUTPUT, false), Tally { passed: 15, failed: 2 });
    }

    #[test]
    fn test_programs_are_told_from_everything_else_and_grouped() {
        let message = |folder: &str, name: &str, test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/{folder}/Cargo.toml","executable":"/t/{name}","profile":{{"test":{test}}}}}"#
            )
        };
        let library = r#"{"manifest_path":"/w/a/Cargo.toml","executable":null,"profile":{"test":false}}"#;
        let messages = [
            message("b", "b1", true),
            message("a", "a2", true),
            "warning: not JSON".to_owned(),
            library.to_owned(),
            message("a", "tool", false),
            message("a", "a1", true),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let found = programs(&messages.join("\n"));
        let shown: Vec<_> = found.iter().map(|program| program.executable.to_str().unwrap()).collect();
        assert_eq!(shown, ["/t/a1", "/t/a2", "/t/b1"]);
        assert_eq!(found.chunk_by(|left, right| left.folder == right.folder).count(), 2);
    }
}
