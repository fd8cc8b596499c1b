//! How long to wait: different for each client, and the same in each run.

use fastrand::Rng;

/// Delays in ticks, without end.
#[derive(Clone, Debug)]
pub struct Delays {
    random: Rng,
    most: u64,
}

impl Delays {
    /// Delays of up to `most` ticks for the component called `name`.
    #[must_use]
    pub fn of(name: &str, most: u64) -> Self {
        let seed = name.bytes().fold(7u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Self { random: Rng::with_seed(seed), most }
    }
}

impl Iterator for Delays {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        Some(self.random.u64(0..=self.most))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn clients_wait_for_different_times_within_the_bound() {
        let first: Vec<u64> = Delays::of("first", 1000).take(50).collect();
        assert!(first.iter().all(|delay| *delay <= 1000));
        assert_eq!(first, Delays::of("first", 1000).take(50).collect::<Vec<_>>());
        assert_ne!(first, Delays::of("second", 1000).take(50).collect::<Vec<_>>());
    }
}
