//! Samples of one row.

use core::fmt;

use crate::outside;

/// Samples of each row.
pub(crate) const RUNS: usize = 1000;
/// Samples dropped before: caches of the emulator, first use of a tag.
pub(crate) const WARM_UP: usize = 16;

/// What was counted, sample by sample.
pub(crate) struct Samples {
    name: &'static str,
    values: [u32; RUNS],
    seen: usize,
    wanted: usize,
    /// Instructions of the measurement itself, taken off each sample.
    overhead: u64,
}

impl Samples {
    /// None yet, each of which has `overhead` instructions too many.
    pub(crate) fn new(name: &'static str, overhead: u64) -> Self {
        Self::fewer(name, RUNS, overhead)
    }

    /// As [`new`](Self::new) for at most [`RUNS`] samples, of what takes long.
    pub(crate) fn fewer(name: &'static str, wanted: usize, overhead: u64) -> Self {
        outside::begin();
        Self { name, values: [0; RUNS], seen: 0, wanted, overhead }
    }

    /// One more; the first [`WARM_UP`] do not count.
    pub(crate) fn add(&mut self, count: u64) {
        if let Some(index) = self.seen.checked_sub(WARM_UP)
            && let Some(value) = self.values.get_mut(index)
        {
            *value = u32::try_from(count.wrapping_sub(self.overhead)).unwrap_or(u32::MAX);
        }
        self.seen += 1;
    }

    /// Prints the row's order statistics.
    ///
    /// # Panics
    /// When samples are missing.
    pub(crate) fn print(self) {
        self.print_with(format_args!(""));
    }

    /// As [`print`](Self::print), with what else is known of the row behind it.
    ///
    /// # Panics
    /// When samples are missing.
    pub(crate) fn print_with(mut self, more: fmt::Arguments<'_>) {
        outside::end();
        let (wanted, seen) = (self.wanted, self.seen);
        assert!(seen >= WARM_UP + wanted, "{}: {seen} samples", self.name);
        let values = &mut self.values[..wanted];
        values.sort_unstable();
        let at = |percent: usize| values[(wanted - 1) * percent / 100];
        outside::say(format_args!(
            "row {} runs={wanted} min={} p5={} median={} p95={} max={}{more}",
            self.name,
            at(0),
            at(5),
            at(50),
            at(95),
            at(100)
        ));
    }
}
