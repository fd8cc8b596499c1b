//! What one check has seen.

use core::fmt::{Debug, Display, Write};

use crate::Text;

/// Bytes of the sentence that says what was wrong.
const DETAIL: usize = 240;

/// Observations of one check: counted, and the first that was not as it should be kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Check {
    observations: u32,
    failures: u32,
    first: Text<DETAIL>,
}

/// How a check went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether everything observed was as it should be, and anything was observed at all.
    pub passed: bool,
    /// What to print behind the check's name.
    pub detail: Text<{ DETAIL + 40 }>,
    /// Observations made.
    pub observations: u32,
}

impl Check {
    /// Nothing seen yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { observations: 0, failures: 0, first: Text::new() }
    }

    /// Observes that `good` holds.
    pub fn that(&mut self, what: impl Display, good: bool) {
        self.observe(good, |detail| write!(detail, "{what}: does not hold"));
    }

    /// Observes that `found` is `wanted`.
    pub fn equal<T: PartialEq + Debug>(&mut self, what: impl Display, found: T, wanted: T) {
        self.observe(found == wanted, |detail| write!(detail, "{what}: found {found:#x?}, not {wanted:#x?}"));
    }

    /// The check cannot go on.
    pub fn broken(&mut self, why: impl Display) {
        self.observe(false, |detail| write!(detail, "stopped: {why}"));
    }

    fn observe(&mut self, good: bool, tell: impl FnOnce(&mut Text<DETAIL>) -> core::fmt::Result) {
        self.observations += 1;
        if good {
            return;
        }
        self.failures += 1;
        if self.failures == 1 && tell(&mut self.first).is_err() {
            self.failures = u32::MAX;
        }
    }

    /// Whether nothing was wrong so far.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.failures == 0
    }

    /// The outcome.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let mut detail = Text::new();
        let passed = self.failures == 0 && self.observations > 0;
        let told = match (self.observations, self.failures) {
            (0, _) => write!(detail, "nothing was observed"),
            (seen, 0) => write!(detail, "{seen} observations"),
            (seen, wrong) => write!(detail, "{wrong} of {seen}; {}", self.first.as_str()),
        };
        Verdict { passed: passed && told.is_ok(), detail, observations: self.observations }
    }
}

impl Default for Check {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_saw_nothing_has_not_passed() {
        let verdict = Check::new().verdict();
        assert!(!verdict.passed);
        assert_eq!(verdict.detail.as_str(), "nothing was observed");
    }

    #[test]
    fn the_first_failure_is_told_and_all_are_counted() {
        let mut check = Check::new();
        check.equal("label", 3, 3);
        check.equal(format_args!("word {}", 1), 5, 6);
        check.that("later", false);
        assert!(!check.is_good());
        let verdict = check.verdict();
        assert!(!verdict.passed);
        assert_eq!(verdict.detail.as_str(), "2 of 3; word 1: found 0x5, not 0x6");
    }

    #[test]
    fn good_observations_are_counted() {
        let mut check = Check::new();
        check.that("a", true);
        check.equal("b", [1, 2], [1, 2]);
        let verdict = check.verdict();
        assert!(verdict.passed);
        assert_eq!((verdict.detail.as_str(), verdict.observations), ("2 observations", 2));
        check.broken("no memory");
        assert_eq!(check.verdict().detail.as_str(), "1 of 3; stopped: no memory");
    }
}
