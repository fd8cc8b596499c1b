//! Every test there is, one line a step.

use std::process::Command;

use anyhow::Result;

use crate::build::{self, Kernel, Workspace};
use crate::report::{self, Tally, step, step_with};
use crate::run::{self, Choices};
use crate::stops;
use crate::toolchain::{TARGET, Toolchain, host_cargo};
use crate::tree::Tree;

/// Cases of a property test in a soak run; proptest's own default holds otherwise.
const SOAK_CASES: &str = "20000";

/// Runs everything and counts: a step, a test or a check of a booted system is one each.
///
/// # Errors
/// When a step cannot be started.
pub fn suite(tree: &Tree, toolchain: &Toolchain, soak: bool) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut format = host_cargo(tree, "fmt");
    format.args(["--all", "--check"]);
    tally.add(Tally::one(step(tree, "format", format)?.good));
    let mut lints = host_cargo(tree, "clippy");
    lints.args(["--quiet", "--all-targets", "--", "-D", "warnings"]);
    tally.add(Tally::one(step(tree, "lints for the host", lints)?.good));
    tally.add(lints_for_the_target(tree, toolchain)?);
    tally.add(host_tests(tree, soak)?);
    let programs = build::programs(tree, toolchain, Kernel::Debug)?;
    tally.add(Tally::one(programs.is_some()));
    let Some(programs) = programs else { return Ok(tally) };
    for system in tree.checked_systems()? {
        match build::image(tree, &programs, &system)? {
            Some(image) => tally.add(run::run(tree, &system, &image, &Choices::default())?),
            None => tally.add(Tally::one(false)),
        }
    }
    tally.add(stops::run(tree, &programs)?);
    Ok(tally)
}

/// The host's clippy checks against the host's own standard library for the target.
fn lints_for_the_target(tree: &Tree, toolchain: &Toolchain) -> Result<Tally> {
    const NAME: &str = "lints for the target";
    if *toolchain != Toolchain::Host {
        report::left_out(NAME, &format!("the host's Rust lacks {TARGET}"));
        return Ok(Tally::default());
    }
    let workspace = Workspace::of(tree)?;
    let mut lints = toolchain.cargo(tree, "clippy");
    lints.arg("--quiet");
    for package in workspace.target_programs() {
        lints.args(["-p", &package.name]);
    }
    lints.args(["--", "-D", "warnings"]);
    Ok(Tally::one(step(tree, NAME, lints)?.good))
}

fn host_tests(tree: &Tree, soak: bool) -> Result<Tally> {
    let mut tests = host_cargo(tree, "test");
    tests.args(["--quiet", "--no-fail-fast"]);
    if soak {
        tests.env("PROPTEST_CASES", SOAK_CASES).args(["--", "--include-ignored"]);
    }
    Ok(counted(step_with(tree, "tests on the host", tests, |output| {
        let tally = test_results(output);
        format!("{} passed, {} failed", tally.passed, tally.failed)
    })?))
}

/// The tests of a finished `cargo test`. One that failed before any test could is one failure.
fn counted(run: report::Quiet) -> Tally {
    let mut tally = test_results(&run.output);
    if !run.good && tally.failed == 0 {
        tally.failed = 1;
    }
    if run.good && tally.passed == 0 {
        tally.failed += 1;
    }
    tally
}

/// The sums of the lines `test result: ok. 12 passed; 0 failed; …`.
fn test_results(output: &str) -> Tally {
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

/// Prints the toolchain, for the reader of a log.
pub fn introduce(toolchain: &Toolchain) {
    let rustc = Command::new("rustc").arg("--version").output();
    let version = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    println!("      {version}; for the target: {toolchain}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "running 2 tests\n..\ntest result: ok. 12 passed; 0 failed; 1 ignored; finished\n\
        test result: FAILED. 3 passed; 2 failed; 0 ignored\n";

    #[test]
    fn the_results_of_all_test_programs_are_added_up() {
        assert_eq!(test_results(OUTPUT), Tally { passed: 15, failed: 2 });
        assert_eq!(test_results("nothing"), Tally::default());
    }

    #[test]
    fn a_run_without_tests_or_that_did_not_build_is_a_failure() {
        let run = |good, output: &str| counted(report::Quiet { good, output: output.to_owned() });
        assert_eq!(run(false, "error: could not compile"), Tally { passed: 0, failed: 1 });
        assert_eq!(run(true, ""), Tally { passed: 0, failed: 1 });
        assert_eq!(run(true, "test result: ok. 1 passed; 0 failed;"), Tally { passed: 1, failed: 0 });
        assert_eq!(run(false, OUTPUT), Tally { passed: 15, failed: 2 });
    }
}
