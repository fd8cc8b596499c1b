//! Whether a boot was good: what was printed and how it ended, against what a system must print.

use std::fmt;
use std::time::Duration;

use crate::expectation::Expected;
use crate::transcript::{Check, Count, Digest, KERNEL, Line, Outcome, ROOT};

/// How a machine came to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// It powered itself off; the emulator reported success.
    PoweredOff,
    /// It printed its result, cannot power itself off, and was ended.
    Concluded,
    /// The emulator failed.
    Failed(String),
    /// Nothing was printed for this long.
    Silent(Duration),
    /// It was still printing after this long.
    Endless(Duration),
    /// It printed more lines than any system has reason to.
    Flood(usize),
}

/// One reason for which a boot is not good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Problem {
    /// An expected check was not printed.
    Missing(Expected),
    /// A check had the wrong outcome.
    Wrong {
        /// What was printed.
        check: Check,
        /// The outcome it must have.
        expected: Outcome,
    },
    /// A check was printed more than once.
    Duplicate(Check),
    /// A check was printed that no list names.
    Unexpected(Check),
    /// The root task did not count.
    NoResult,
    /// The root task counted twice.
    TwoResults,
    /// The count of the root task, with those of guests, differs from the checks that components printed.
    Miscounted {
        /// The root task's and the guests'.
        said: Count,
        /// Those printed.
        printed: Count,
    },
    /// Kernel or root task stopped.
    Stopped(String),
    /// A line that begins like a result and is none.
    Malformed(String),
    /// The machine did not end by itself and well.
    Ended(End),
}

/// What a transcript says, line by line in any order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    /// The checks.
    pub checks: Vec<Check>,
    /// The digests, with nothing known of who printed them.
    pub digests: Vec<Digest>,
    /// The root task's counts.
    pub counts: Vec<Count>,
    /// What guests counted themselves, by name.
    pub own_counts: Vec<(String, Count)>,
    /// Lines that stop a boot.
    pub stops: Vec<String>,
    /// Lines that should have been a result.
    pub malformed: Vec<String>,
}

impl Findings {
    /// What `lines` of a system without guests say.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        Self::with_guests(lines, &[])
    }

    /// What `lines` say. Those of `guests` count for themselves; for other components the root task does.
    pub fn with_guests<'a>(lines: impl IntoIterator<Item = &'a str>, guests: &[String]) -> Self {
        let mut findings = Self::default();
        for line in lines {
            match Line::read(line) {
                Line::Check(check) => findings.checks.push(check),
                Line::Digest(digest) => findings.digests.push(digest),
                Line::Result(count) => findings.counts.push(count),
                Line::OwnResult(name, count) if guests.contains(&name) => findings.own_counts.push((name, count)),
                Line::Stop(line) => findings.stops.push(line),
                Line::Malformed(line) => findings.malformed.push(line),
                Line::Other | Line::OwnResult(..) | Line::Piece(..) | Line::Life(_) => {}
            }
        }
        findings
    }

    /// What root task and guests counted.
    fn counted(&self, root: Count) -> Count {
        self.own_counts.iter().fold(root, |sum, (_, own)| Count {
            passed: sum.passed.saturating_add(own.passed),
            failed: sum.failed.saturating_add(own.failed),
        })
    }

    /// Checks that components printed; kernel and root task are not in the root task's count.
    #[must_use]
    pub fn printed_by_components(&self) -> Count {
        let by_components = || self.checks.iter().filter(|check| check.component != KERNEL && check.component != ROOT);
        let with = |outcome| by_components().filter(|check| check.outcome == outcome).count() as u64;
        Count { passed: with(Outcome::Pass), failed: with(Outcome::Fail) }
    }
}

/// Everything that is wrong with a boot; empty when it is good.
#[must_use]
pub fn judge(expected: &[Expected], findings: &Findings, end: &End) -> Vec<Problem> {
    let mut problems: Vec<Problem> = findings.stops.iter().cloned().map(Problem::Stopped).collect();
    if !matches!(end, End::PoweredOff | End::Concluded) {
        problems.push(Problem::Ended(end.clone()));
    }
    problems.extend(findings.malformed.iter().cloned().map(Problem::Malformed));
    for (position, check) in findings.checks.iter().enumerate() {
        let same = |other: &Check| other.component == check.component && other.name == check.name;
        let wanted = expected.iter().find(|wanted| wanted.component == check.component && wanted.name == check.name);
        match wanted {
            None => problems.push(Problem::Unexpected(check.clone())),
            Some(_) if findings.checks[..position].iter().any(same) => {
                problems.push(Problem::Duplicate(check.clone()));
            }
            Some(wanted) if wanted.outcome != check.outcome => {
                problems.push(Problem::Wrong { check: check.clone(), expected: wanted.outcome });
            }
            Some(_) => {}
        }
    }
    for wanted in expected {
        let printed =
            findings.checks.iter().any(|check| check.component == wanted.component && check.name == wanted.name);
        if !printed {
            problems.push(Problem::Missing(wanted.clone()));
        }
    }
    match findings.counts.as_slice() {
        [] => problems.push(Problem::NoResult),
        [said] => {
            let printed = findings.printed_by_components();
            let said = findings.counted(*said);
            if said != printed {
                problems.push(Problem::Miscounted { said, printed });
            }
        }
        _ => problems.push(Problem::TwoResults),
    }
    problems
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PoweredOff => write!(f, "the machine powered itself off"),
            Self::Concluded => write!(f, "the machine was ended after its result"),
            Self::Failed(how) => write!(f, "the emulator failed: {how}"),
            Self::Silent(time) => write!(f, "nothing was printed for {:.0} s", time.as_secs_f64()),
            Self::Endless(time) => write!(f, "still running after {:.0} s", time.as_secs_f64()),
            Self::Flood(lines) => write!(f, "more than {lines} lines were printed"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(Expected { component, name, .. }) => write!(f, "missing check: {component} {name}"),
            Self::Wrong { check: Check { component, name, detail, .. }, expected } => match expected {
                Outcome::Pass => write!(f, "failed check: {component} {name}: {detail}"),
                Outcome::Fail => write!(f, "check should have failed: {component} {name}: {detail}"),
            },
            Self::Duplicate(Check { component, name, .. }) => write!(f, "check printed twice: {component} {name}"),
            Self::Unexpected(Check { component, name, .. }) => write!(f, "check not in the list: {component} {name}"),
            Self::NoResult => write!(f, "the root task printed no result"),
            Self::TwoResults => write!(f, "the root task printed more than one result"),
            Self::Miscounted { said, printed } => write!(
                f,
                "root task and guests counted {} passed, {} failed; components printed {} and {}",
                said.passed, said.failed, printed.passed, printed.failed
            ),
            Self::Stopped(line) => write!(f, "stopped: {line}"),
            Self::Malformed(line) => write!(f, "unreadable result: {line}"),
            Self::Ended(end) => write!(f, "{end}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expectation;

    const LIST: &str = "edu dma-to-device\nnvme read-disk\nkernel kernel-canary-intact\n";
    const GOOD: &[&str] = &[
        "kernel  | smmu 0 at 0x9050000",
        "edu     | CHECK pass dma-to-device: 4096 bytes",
        "nvme    | CHECK pass read-disk: 64 MiB",
        "root    | RESULT 2 passed, 0 failed",
        "kernel  | CHECK pass kernel-canary-intact: unchanged",
    ];

    /// The problems of [`GOOD`] with the line at `at` replaced, as text.
    fn problems_with(at: usize, replacement: &[&str], end: &End) -> Vec<String> {
        let mut lines = GOOD.to_vec();
        lines.splice(at..=at, replacement.iter().copied());
        let expected = expectation::read(LIST).unwrap();
        judge(&expected, &Findings::of(lines), end).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_complete_transcript_is_good() {
        assert_eq!(problems_with(0, &[GOOD[0]], &End::PoweredOff), [""; 0]);
    }

    #[test]
    fn a_missing_check_is_named_even_when_the_count_agrees() {
        assert_eq!(
            problems_with(1, &["edu     | CHECK pass dma-from-device: x"], &End::PoweredOff),
            ["check not in the list: edu dma-from-device", "missing check: edu dma-to-device"]
        );
    }

    #[test]
    fn a_failed_check_is_shown_with_its_detail() {
        assert_eq!(
            problems_with(1, &["edu     | CHECK FAIL dma-to-device: wrong byte 7"], &End::PoweredOff),
            [
                "failed check: edu dma-to-device: wrong byte 7",
                "root task and guests counted 2 passed, 0 failed; components printed 1 and 1",
            ]
        );
    }

    #[test]
    fn a_check_printed_twice_is_a_duplicate_although_both_passed() {
        let problems = problems_with(1, &[GOOD[1], GOOD[1]], &End::PoweredOff);
        assert_eq!(problems[0], "check printed twice: edu dma-to-device");
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn a_forged_result_does_not_count() {
        for forged in ["edu     | RESULT 2 passed, 0 failed", "edu     | root    | RESULT 2 passed, 0 failed"] {
            assert_eq!(problems_with(3, &[forged], &End::PoweredOff), ["the root task printed no result"]);
        }
    }

    #[test]
    fn a_guest_counts_its_own_checks_and_no_others() {
        let expected = expectation::read("guest0 timer\nguest0 power-off").unwrap();
        let lines = [
            "guest0  | CHECK pass timer: slept",
            "guest0  | RESULT 1 passed, 0 failed",
            "guest0  | CHECK pass power-off: off",
            "root    | RESULT 1 passed, 0 failed",
        ];
        let judged = |lines: &[&str], guests: &[String]| {
            judge(&expected, &Findings::with_guests(lines.iter().copied(), guests), &End::PoweredOff)
        };
        let guests = ["guest0".to_owned()];
        assert_eq!(judged(&lines, &guests), []);
        assert!(matches!(judged(&lines, &[])[..], [Problem::Miscounted { .. }]), "nobody is a guest");
        let without = [lines[0], lines[2], lines[3]];
        assert!(matches!(judged(&without, &guests)[..], [Problem::Miscounted { .. }]), "the guest did not count");
        let twice = [lines[0], lines[1], lines[1], lines[2], lines[3]];
        assert!(matches!(judged(&twice, &guests)[..], [Problem::Miscounted { .. }]), "it counted twice");
    }

    #[test]
    fn a_check_of_another_component_does_not_stand_in() {
        assert_eq!(
            problems_with(4, &["edu     | kernel  | CHECK pass kernel-canary-intact: x"], &End::PoweredOff),
            ["missing check: kernel kernel-canary-intact"]
        );
    }

    #[test]
    fn two_results_are_one_too_many() {
        assert_eq!(
            problems_with(3, &[GOOD[3], GOOD[3]], &End::PoweredOff),
            ["the root task printed more than one result"]
        );
    }

    #[test]
    fn a_panic_fails_although_everything_else_is_there() {
        assert_eq!(problems_with(0, &["kernel  | PANIC: x"], &End::PoweredOff), ["stopped: kernel  | PANIC: x"]);
    }

    #[test]
    fn an_end_that_is_no_power_off_fails_although_everything_was_printed() {
        for (end, text) in [
            (End::Silent(Duration::from_secs(30)), "nothing was printed for 30 s"),
            (End::Endless(Duration::from_secs(300)), "still running after 300 s"),
            (End::Flood(9), "more than 9 lines were printed"),
            (End::Failed("exit status: 1".to_owned()), "the emulator failed: exit status: 1"),
        ] {
            assert_eq!(problems_with(0, &[GOOD[0]], &end), [text]);
        }
    }

    #[test]
    fn a_positive_control_must_fail() {
        let expected = expectation::read("kernel kernel-canary-intact fails").unwrap();
        let result = "root    | RESULT 0 passed, 0 failed";
        let corrupted = Findings::of(["kernel  | CHECK FAIL kernel-canary-intact: word 0", result]);
        assert_eq!(judge(&expected, &corrupted, &End::PoweredOff), []);
        let intact = Findings::of(["kernel  | CHECK pass kernel-canary-intact: x", result]);
        let problems = judge(&expected, &intact, &End::PoweredOff);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].to_string(), "check should have failed: kernel kernel-canary-intact: x");
    }

    #[test]
    fn a_half_printed_result_is_a_problem() {
        let problems = problems_with(1, &["edu     | CHECK pass dma-to-dev"], &End::PoweredOff);
        assert_eq!(problems[0], "unreadable result: edu     | CHECK pass dma-to-dev");
    }
}
