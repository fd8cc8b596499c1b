//! How long something took, many times.

use alloc::vec::Vec;
use core::fmt;

/// Samples of a duration, in instructions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Latencies {
    samples: Vec<u64>,
}

impl Latencies {
    /// One more.
    pub fn add(&mut self, instructions: u64) {
        let at = self.samples.partition_point(|sample| *sample <= instructions);
        self.samples.insert(at, instructions);
    }

    /// Number of samples.
    #[must_use]
    pub fn count(&self) -> usize {
        self.samples.len()
    }

    /// The smallest sample that `percent` of all are not above.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Option<u64> {
        let rank = (self.samples.len() * percent).div_ceil(100).max(1);
        self.samples.get(rank - 1).copied()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>5} times", self.count())?;
        for (name, percent) in [("least", 0), ("median", 50), ("95 %", 95), ("most", 100)] {
            write!(f, "  {name} {:>8}", self.percentile(percent).unwrap_or(0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), None);
        for sample in [7, 1, 9, 3, 5] {
            latencies.add(sample);
        }
        let at = |percent| latencies.percentile(percent).expect("there are samples");
        assert_eq!([at(0), at(20), at(50), at(95), at(100)], [1, 1, 5, 9, 9]);
    }
}
