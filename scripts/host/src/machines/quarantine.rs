//! A boot in which devices are quarantined: their components do not run, and nobody else is affected.

use std::collections::BTreeSet;

use super::Entry;
use crate::boot::Transcript;
use crate::expectation::Expected;
use crate::transcript::Count;
use crate::verdict::{Findings, Problem, judge};

/// What is wrong with such a boot of a system that has to print `expected`.
pub(super) fn problems(expected: &[Expected], entry: &Entry, transcript: &Transcript) -> Vec<String> {
    let devices = || entry.past_smmu.iter().filter_map(|name| Some((name.as_str(), name.split_once('.')?.0)));
    let left_out = |component: &str| devices().any(|(_, owner)| owner == component);
    let expected: Vec<Expected> = expected.iter().filter(|check| !left_out(&check.component)).cloned().collect();
    let lines = || transcript.lines.iter().map(String::as_str);
    let findings = Findings::of(lines());
    // Each component that was left out is a failure of the whole.
    let owners: BTreeSet<&str> = devices().map(|(_, owner)| owner).collect();
    let missed = |said: Count, printed: Count| {
        let failed = printed.failed + owners.len() as u64;
        said == Count { passed: printed.passed, failed }
    };
    let (counted, other): (Vec<_>, Vec<_>) = judge(&expected, &findings, &transcript.end)
        .into_iter()
        .partition(|problem| matches!(problem, Problem::Miscounted { said, printed } if missed(*said, *printed)));
    let mut problems: Vec<String> = other.iter().map(ToString::to_string).collect();
    if counted.is_empty() {
        problems.push("the root task does not count what was left out".to_owned());
    }
    for (device, owner) in devices() {
        let told = format!("root    | {device} QUARANTINED: it mastered memory");
        if lines().filter(|line| line.starts_with(&told)).count() != 1 {
            problems.push(format!("it does not say once: {told}"));
        }
        if lines().any(|line| line.split_once("| ").is_some_and(|(speaker, _)| speaker.trim_end() == owner)) {
            problems.push(format!("{owner} runs, which was to have {device}"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::Machines;
    use super::*;
    use crate::expectation;
    use crate::verdict::End;

    #[test]
    fn whoever_has_the_device_is_left_out_and_nobody_else() {
        let text = "[[machine]]\nsystem = \"s\"\ncpu = [\"c\"]\nmemory = [\"1G\"]\npast_smmu = [\"edu.edu\"]\n";
        let list = Machines::read(text).unwrap();
        let expected = expectation::read("edu dma\nother lives\n").unwrap();
        let problems = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (*line).to_owned()).collect();
            problems(&expected, &list.entries[0], &Transcript { lines, end: End::PoweredOff })
        };
        let told = "root    | edu.edu QUARANTINED: it mastered memory, and SMMU 0 saw nothing";
        let (lives, result) = ("other   | CHECK pass lives: yes", "root    | RESULT 1 passed, 1 failed");
        assert_eq!(problems(&[told, lives, result]), [""; 0]);
        assert_eq!(problems(&[lives, result]).len(), 1, "silent");
        assert_eq!(problems(&[told, "root    | RESULT 0 passed, 1 failed"]).len(), 1, "the other does not run");
        assert_eq!(problems(&[told, lives, "root    | RESULT 1 passed, 0 failed"]).len(), 1, "not counted");
        assert_eq!(problems(&[told, lives, "edu     | hello", result]).len(), 1, "it runs");
        // A component with two such devices is left out once.
        let entry = Entry { past_smmu: vec!["edu.edu".to_owned(), "edu.second".to_owned()], ..list.entries[0].clone() };
        let lines = [told, &told.replace("edu.edu", "edu.second"), lives, result].map(str::to_owned).to_vec();
        assert_eq!(super::problems(&expected, &entry, &Transcript { lines, end: End::PoweredOff }), [""; 0]);
    }
}
