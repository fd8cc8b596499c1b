//! Broken kernels on purpose: every mutant of `tests/mutants/` must be noticed by the test it names.
//!
//! A mutant is one exact replacement in one file. It is applied to a copy of the tree, the named test is built and run
//! there, and the mutant is *killed* when exactly that test fails. One that does not compile proves nothing about the
//! tests and counts as a mistake in the list, as does one whose text is not found once.
//!
//! Of some, hardware shows the effect as well, or alone: these name a system, which is booted on the broken kernel, or with the
//! broken root task or machine monitor, and its own checks must fail.

mod copy;
mod list;
mod trial;
mod visible;

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

pub use copy::Copy;
pub use list::{Killer, Mutant, Program, read};
pub use trial::Verdict;

use crate::report::{self, Tally};
use crate::toolchain::Toolchain;
use crate::tree::Tree;

/// What is done with the mutants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// Their tests run.
    Tests,
    /// Their tests run, and systems that show their effect are booted.
    TestsAndSystems,
    /// Only the systems are booted.
    Systems,
}

/// Tries all mutants, or those called `only`.
///
/// # Errors
/// When the list does not read, has no such mutant, or the copy cannot be made.
pub fn run(tree: &Tree, toolchain: &Toolchain, only: &[String], extent: Extent) -> Result<Tally> {
    let mut mutants = read(tree)?;
    for name in only {
        ensure!(mutants.iter().any(|mutant| mutant.name == *name), "there is no mutant `{name}`");
    }
    mutants.retain(|mutant| only.is_empty() || only.contains(&mutant.name));
    let copy = Copy::make(tree)?;
    let mut tally = Tally::default();
    if extent != Extent::Systems {
        tally.add(unbroken(tree, &copy, &mutants)?);
        if !tally.is_good() {
            return Ok(tally);
        }
        for (mutant, killer) in mutants.iter().filter_map(|mutant| Some((mutant, mutant.killer.as_ref()?))) {
            tally.add(Tally::one(attempt(tree, &copy, mutant, killer)?));
        }
    }
    if extent != Extent::Tests {
        tally.add(visible::run(tree, toolchain, &copy, &mutants)?);
    }
    Ok(tally)
}

/// The named tests pass as long as nothing is broken; otherwise a failure would say nothing.
fn unbroken(tree: &Tree, copy: &Copy, mutants: &[Mutant]) -> Result<Tally> {
    let started = report::begin("tests without a mutant");
    let killers = || mutants.iter().filter_map(|mutant| mutant.killer.as_ref());
    let programs: BTreeSet<(&str, &Program)> =
        killers().map(|killer| (killer.package.as_str(), &killer.program)).collect();
    let mut tests = 0;
    for (package, program) in programs {
        let of_program = killers().filter(|killer| killer.package == package && killer.program == *program);
        let names: BTreeSet<&str> = of_program.map(|killer| killer.test.as_str()).collect();
        tests += names.len();
        if let Err(log) = trial::passes(tree, copy, package, program, &names)? {
            report::end("tests without a mutant", &format!("{package} {program}"), false, started);
            report::show_log(&log);
            return Ok(Tally::one(false));
        }
    }
    report::end("tests without a mutant", &format!("{tests} tests pass"), true, started);
    Ok(Tally::one(true))
}

fn attempt(tree: &Tree, copy: &Copy, mutant: &Mutant, killer: &Killer) -> Result<bool> {
    let started = report::begin(&mutant.name);
    let verdict = match copy.broken(mutant, || trial::trial(tree, copy, mutant, killer))? {
        Ok(verdict) => verdict,
        Err(reason) => Verdict::Unusable(reason.to_string()),
    };
    report::end(&mutant.name, &verdict.to_string(), verdict.is_good(), started);
    Ok(verdict.is_good())
}
