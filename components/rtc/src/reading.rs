//! A clock of whole seconds beside a counter.

/// One reading of the clock, and the counter before and after it: however long a thread is kept from going on, the clock
/// was read in between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// The counter before.
    pub before: u64,
    /// The clock.
    pub seconds: u32,
    /// The counter after.
    pub after: u64,
}

impl Reading {
    /// Whether the clock went on as long as the counter, from this reading to a later one.
    ///
    /// Each reading may leave out nearly a second, so what is shown differs from what has passed by less than one. Over
    /// two seconds a clock that stands is found, and one that is three times as fast.
    #[must_use]
    pub fn agrees_with(&self, later: &Self, ticks_per_second: u64) -> bool {
        let second = u128::from(ticks_per_second);
        let shown = u128::from(later.seconds.wrapping_sub(self.seconds)) * second;
        let shortest = u128::from(later.before.saturating_sub(self.after));
        let longest = u128::from(later.after.saturating_sub(self.before));
        // Equality is allowed: the counter leaves out parts of ticks, too.
        shown + second >= shortest && shown <= longest + second
    }
}

/// Whether a clock that shows `now` has come to second `at`. It starts again at 0 after 2^32 seconds; what is less than
/// half of that away is taken to be on that side.
#[must_use]
pub const fn reached(now: u32, at: u32) -> bool {
    now.wrapping_sub(at) <= u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1000;

    /// A clock that is read when the counter is `at`, and goes `pace` seconds each second.
    fn read(at: u64, pace: u64, start: u32) -> Reading {
        Reading { before: at, seconds: start.wrapping_add((at * pace / SECOND) as u32), after: at }
    }

    #[test]
    fn a_clock_that_keeps_time_agrees_whenever_it_is_read() {
        for start in [0, 1_700_000_000, u32::MAX - 1] {
            for (from, for_long) in (0..SECOND).step_by(7).flat_map(|from| [2000, 2001, 2999].map(|long| (from, long)))
            {
                let (first, later) = (read(from, 1, start), read(from + for_long, 1, start));
                assert!(first.agrees_with(&later, SECOND), "from {from} for {for_long}");
            }
        }
    }

    #[test]
    fn a_clock_that_stands_or_runs_does_not() {
        for from in (0..SECOND).step_by(7) {
            for pace in [0, 3, 10] {
                let later = read(from + 2 * SECOND, pace, 5);
                assert!(!read(from, pace, 5).agrees_with(&later, SECOND), "from {from}, {pace} times as fast");
            }
        }
        let back = Reading { seconds: 4, ..read(2 * SECOND, 0, 0) };
        assert!(!read(0, 0, 5).agrees_with(&back, SECOND), "back by a second");
    }

    #[test]
    fn a_pause_while_reading_proves_nothing_either_way() {
        let first = Reading { before: 0, seconds: 10, after: 5 * SECOND };
        for seconds in [11, 12, 17] {
            let later = Reading { before: 7 * SECOND, seconds, after: 7 * SECOND };
            assert!(first.agrees_with(&later, SECOND), "{seconds}");
        }
        let later = Reading { before: 7 * SECOND, seconds: 19, after: 7 * SECOND };
        assert!(!first.agrees_with(&later, SECOND));
    }

    #[test]
    fn the_end_of_the_clock_is_no_end() {
        assert!(reached(5, 5) && reached(6, 5) && !reached(4, 5));
        assert!(reached(1, u32::MAX) && !reached(u32::MAX, 1));
    }
}
