//! What is in use, from one life to the next.

use alloc::format;
use alloc::string::String;

use sluice_sys::Census;

/// Restarts after which everybody else has made what it needs, at the latest.
const SETTLED: u64 = 8;

/// Lives after the first, of all components.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Lives {
    begun: u64,
    /// With other counts of the root task's than when the system had been built.
    leaky: u64,
    /// What the kernel counted at the last.
    whole: Option<Census>,
    /// The number of the last at which the kernel counted something else than at the one before.
    changed: u64,
}

impl Lives {
    /// Another life is about to begin. What the kernel counts, in words, when it is not what it was before the life that ended;
    /// nothing is said, and nothing is forgotten, when what it counts cannot be compared.
    ///
    /// The kernel counts what everybody has: the first numbers may be those of neighbours that have just begun.
    pub(super) fn add(&mut self, same: bool, whole: Option<Census>) -> Option<String> {
        self.begun += 1;
        self.leaky += u64::from(!same);
        let whole = whole?;
        let before = self.whole.replace(whole);
        if before == Some(whole) {
            return None;
        }
        if before.is_some() {
            self.changed = self.begun;
        }
        let Census { pools, asids, contexts, interrupts, capabilities, unused } = whole;
        Some(format!(
            "{pools} ASID pools, {asids} ASIDs, {contexts} contexts, {interrupts} interrupts, {capabilities} capabilities, \
             {unused} bytes unused"
        ))
    }

    /// The outcome, when there were any: at each restart, memory, slots and capabilities of the root task's in use are what they
    /// were when the system had been built, and from the [`SETTLED`]th on, or the middle of few, what the kernel counts is what it
    /// counted at the restart before.
    pub(super) fn outcome(&self) -> Option<String> {
        let Self { begun, leaky, changed, .. } = *self;
        let settled = changed <= SETTLED.min(begun / 2);
        let outcome = if leaky == 0 && settled { "pass" } else { "FAIL" };
        let line = || {
            format!(
                "CHECK {outcome} lives-leave-nothing: {begun} restarts, {leaky} with other counts than at first; the kernel's are the \
                 same since number {}",
                changed.max(1)
            )
        };
        (begun > 0).then(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CENSUS: Census = Census { pools: 1, asids: 2, contexts: 3, interrupts: 4, capabilities: 5, unused: 6 };

    fn outcome(counts: impl IntoIterator<Item = (bool, Option<Census>)>) -> Option<String> {
        let mut lives = Lives::default();
        counts.into_iter().for_each(|(same, whole)| drop(lives.add(same, whole)));
        lives.outcome()
    }

    fn is_good(counts: impl IntoIterator<Item = (bool, Option<Census>)>) -> bool {
        outcome(counts).unwrap().starts_with("CHECK pass ")
    }

    #[test]
    fn without_a_restart_there_is_nothing_to_say() {
        assert_eq!(outcome([]), None);
    }

    #[test]
    fn neighbours_may_begin_and_nothing_may_grow() {
        let with = |asids| (true, Some(Census { asids, ..CENSUS }));
        assert!(is_good([with(2)]) && is_good([(true, None); 9]));
        assert!(is_good([1, 2, 3, 4].into_iter().chain([4; 16]).map(with)));
        assert!(!is_good((0..20).map(with)), "each life leaves an ASID");
        assert!(!is_good([4; 19].into_iter().chain([5]).map(with)), "the last does");
        assert!(!is_good([4; 10].into_iter().chain([3; 10]).map(with)), "one takes what is another's");
        assert!(!is_good([with(1), with(1), with(2)]), "of few lives, half have to be alike");
        let unknown = (true, None);
        assert!(is_good([with(1), unknown, with(1), unknown]));
        assert!(!is_good([with(1), with(1), unknown, unknown, with(2), unknown]), "what was before is remembered");
        assert!(!is_good([with(1), (false, Some(CENSUS)), with(1)]));
    }

    #[test]
    fn every_count_counts() {
        let other = [
            Census { pools: 9, ..CENSUS },
            Census { asids: 9, ..CENSUS },
            Census { contexts: 9, ..CENSUS },
            Census { interrupts: 9, ..CENSUS },
            Census { capabilities: 9, ..CENSUS },
            Census { unused: 9, ..CENSUS },
        ];
        for census in other {
            assert!(!is_good([CENSUS, CENSUS, census].map(|census| (true, Some(census)))), "{census:?}");
        }
    }
}
