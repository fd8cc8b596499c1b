//! How late things were, against a bound.

/// Samples against a bound, in any unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lateness {
    bound: u64,
    samples: u64,
    beyond: u64,
    latest: u64,
}

impl Lateness {
    /// No samples yet.
    #[must_use]
    pub const fn against(bound: u64) -> Self {
        Self { bound, samples: 0, beyond: 0, latest: 0 }
    }

    /// Something was this late.
    pub fn add(&mut self, late: u64) {
        self.samples += 1;
        self.beyond += u64::from(late > self.bound);
        self.latest = self.latest.max(late);
    }

    /// How many were later than the bound.
    #[must_use]
    pub const fn beyond(&self) -> u64 {
        self.beyond
    }

    /// The latest of all.
    #[must_use]
    pub const fn latest(&self) -> u64 {
        self.latest
    }

    /// Whether there were `samples`, and all but `some` within the bound.
    #[must_use]
    pub const fn is_good(&self, samples: u64, some: u64) -> bool {
        self.samples == samples && samples > some && self.beyond <= some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_too_late_or_missing_is_not_good() {
        let mut lateness = Lateness::against(10);
        assert!(!lateness.is_good(0, 0));
        [0, 10, 3].into_iter().for_each(|late| lateness.add(late));
        assert!(lateness.is_good(3, 0) && !lateness.is_good(4, 0));
        assert_eq!(lateness.latest(), 10);
        lateness.add(11);
        assert!(!lateness.is_good(4, 0) && lateness.is_good(4, 1) && !lateness.is_good(4, 4));
        assert_eq!((lateness.beyond(), lateness.latest()), (1, 11));
    }
}
