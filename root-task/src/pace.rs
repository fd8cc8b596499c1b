//! How soon a component that died lives again.
//!
//! Making a life takes the root task's time, which comes before almost everybody's. One that dies as soon as it has started would
//! leave the others nothing; so after a short life there is a pause, twice as long each time, up to a bound.

/// A life that lasted this long is no short one.
const LONG_MS: u64 = 1000;
/// The first pause: after a short life that followed another end. Before that there is none.
const FIRST_MS: u64 = 10;
/// The longest pause.
const MOST_MS: u64 = 1000;

/// Time that counts as life: all but what the root task spends on ends and beginnings. It takes up to seconds for that, when functions
/// are reset, and almost nobody runs meanwhile; whoever died at once, before it or during it, has not lived longer for it. In ticks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Lived(u64);

/// How long the root task has spent on ends and beginnings, in ticks of a counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spent(u64);

impl Spent {
    /// The root task has spent the time from `from` to `to`.
    pub fn add(&mut self, from: u64, to: u64) {
        self.0 = self.0.saturating_add(to.saturating_sub(from));
    }

    /// What of the time up to `now` counts as life.
    #[must_use]
    pub fn lived(self, now: u64) -> Lived {
        Lived(now.saturating_sub(self.0))
    }
}

/// The pace of one component's lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pace {
    began: Lived,
    /// The pause after the next life, should it be short.
    pause_ms: u64,
}

impl Pace {
    /// A life begins.
    pub fn begins(&mut self, at: Lived) {
        self.began = at;
    }

    /// A life has ended at `at`. When the next may begin, which is not before `now`, and milliseconds until then.
    pub fn ended(&mut self, at: Lived, now: u64, ticks_per_second: u64) -> (u64, u64) {
        let ticks = |ms: u64| (u128::from(ms) * u128::from(ticks_per_second) / 1000) as u64;
        if at.0.saturating_sub(self.began.0) >= ticks(LONG_MS) {
            *self = Self::default();
        }
        let pause_ms = self.pause_ms;
        self.pause_ms = (2 * pause_ms).clamp(FIRST_MS, MOST_MS);
        (now.saturating_add(ticks(pause_ms)), pause_ms)
    }
}

/// Lives that are to begin, and when.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    list: alloc::vec::Vec<(u64, usize)>,
}

impl Waiting {
    /// The component at `index` lives again at `at`, and at no other time.
    pub fn add(&mut self, at: u64, index: usize) {
        self.list.retain(|(_, waits)| *waits != index);
        self.list.push((at, index));
    }

    /// One whose time has come, the earliest first; it waits no more.
    pub fn take_due(&mut self, now: u64) -> Option<usize> {
        let (position, _) =
            self.list.iter().enumerate().filter(|(_, (at, _))| *at <= now).min_by_key(|(_, due)| **due)?;
        Some(self.list.swap_remove(position).1)
    }

    /// When the next is due.
    #[must_use]
    pub fn earliest(&self) -> Option<u64> {
        self.list.iter().map(|(at, _)| *at).min()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// A counter of 62.5 MHz, QEMU's.
    const SECOND: u64 = 62_500_000;
    const MS: u64 = SECOND / 1000;

    /// The pauses after lives of these lengths, each begun when it may.
    fn pauses(start: u64, lives_ms: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let (mut pace, mut now) = (Pace::default(), start);
        let pauses = lives_ms.into_iter().map(|life| {
            pace.begins(Lived(now));
            let ended = now + life * MS;
            let (at, pause) = pace.ended(Lived(ended), ended, SECOND);
            assert_eq!(at, ended + pause * MS, "what is said is what is waited");
            now = at;
            pause
        });
        pauses.collect()
    }

    #[test]
    fn pauses_grow_up_to_a_bound() {
        for start in [0, 7 * SECOND, 1 << 60] {
            let expected = [0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000];
            assert_eq!(pauses(start, [0; 11]), expected);
            assert_eq!(pauses(start, [999; 11]), expected);
        }
    }

    #[test]
    fn a_long_life_begins_anew() {
        assert_eq!(pauses(0, [1000; 20]), [0; 20]);
        assert_eq!(pauses(0, [0, 0, 0, 1000, 0, 5000, 0, 0]), [0, 10, 20, 0, 10, 0, 10, 20]);
    }

    #[test]
    fn what_dies_at_once_for_ever_leaves_most_of_the_time_to_others() {
        // Each life costs 110 ms of the root task's time, with the reset of a function.
        let (mut pace, mut now, mut spent, cost) = (Pace::default(), 0, Spent::default(), 110 * MS);
        while now < 60 * SECOND {
            pace.begins(spent.lived(now));
            let died = spent.lived(now);
            spent.add(now, now + cost);
            now = pace.ended(died, now + cost, SECOND).0;
        }
        assert!(spent.0 < now / 8, "{spent:?} of {now}");
    }

    #[test]
    fn the_root_tasks_time_is_nobodys_life() {
        let (mut paces, mut now, mut spent) = ([Pace::default(); 2], 7 * SECOND, Spent::default());
        paces.iter_mut().for_each(|pace| pace.begins(spent.lived(now)));
        let mut pauses = Vec::new();
        // Two that die at once, each while the root task has two seconds to do for the other.
        for _ in 0..5 {
            for pace in &mut paces {
                let died = spent.lived(now);
                spent.add(now, now + 2 * SECOND);
                now += 2 * SECOND;
                pauses.push(pace.ended(died, now, SECOND).1);
                pace.begins(spent.lived(now));
            }
        }
        assert_eq!(pauses, [0, 0, 10, 10, 20, 20, 40, 40, 80, 80]);
        // The time between is life.
        assert_eq!(paces[0].ended(spent.lived(now + SECOND), now + SECOND, SECOND).1, 0);
    }

    #[test]
    fn nobody_is_early_late_or_twice() {
        let mut waiting = Waiting::default();
        assert_eq!((waiting.earliest(), waiting.take_due(u64::MAX)), (None, None));
        for (at, index) in [(30, 0), (10, 1), (20, 2), (10, 3)] {
            waiting.add(at, index);
        }
        assert_eq!((waiting.earliest(), waiting.take_due(9)), (Some(10), None));
        let due: Vec<usize> = core::iter::from_fn(|| waiting.take_due(20)).collect();
        assert_eq!((due, waiting.earliest()), (Vec::from([1, 3, 2]), Some(30)));
        assert_eq!((waiting.take_due(u64::MAX), waiting.take_due(u64::MAX)), (Some(0), None));
        waiting.add(10, 4);
        waiting.add(20, 4);
        assert_eq!((waiting.take_due(19), waiting.take_due(20), waiting.take_due(u64::MAX)), (None, Some(4), None));
    }
}
