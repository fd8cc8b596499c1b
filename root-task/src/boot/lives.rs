//! What is in use, from one life to the next.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sluice_sys::Census;

/// Restarts after which everybody else has made what it needs, at the latest.
const SETTLED: u64 = 8;
/// Sets of absent components that are remembered.
const SETS: usize = 32;

/// Lives after the first, of all components.
#[derive(Clone, Default, Debug)]
pub(super) struct Lives {
    begun: u64,
    /// With other counts of the root task's than when the system had been built.
    leaky: u64,
    /// Those of which the kernel told what it counts.
    told: u64,
    /// What it counted at the last, for each set of components that were away then, the latest behind.
    known: Vec<Known>,
    /// Comparisons with what the kernel counted at the restart of this number, or later ones.
    compared: [u64; SETTLED as usize + 1],
    /// The last restart at which the kernel counted something else than at the one before with the same components away, as
    /// the numbers of both.
    changed: Option<(u64, u64)>,
}

/// What the kernel counted.
#[derive(Clone, Debug)]
struct Known {
    away: Vec<bool>,
    restart: u64,
    census: Census,
}

impl Lives {
    /// Another life is about to begin, while the components that `away` says are not there. What the kernel counts, in words, when
    /// it is not what it was at the last restart with the same components away.
    ///
    /// The kernel counts what everybody has: numbers can be compared only when the same components have something, and the first may
    /// be those of neighbours that have just begun.
    pub(super) fn add(&mut self, same: bool, away: &[bool], whole: Option<Census>) -> Option<String> {
        self.begun += 1;
        self.leaky += u64::from(!same);
        let census = whole?;
        self.told += 1;
        let restart = self.begun;
        let before = self.known.iter().position(|known| known.away == away).map(|at| self.known.remove(at));
        if before.is_none() && self.known.len() == SETS {
            self.known.remove(0);
        }
        self.known.push(Known { away: away.to_vec(), restart, census });
        if let Some(before) = before {
            if let Some(count) = self.compared.get_mut(before.restart.min(SETTLED) as usize) {
                *count += 1;
            }
            if before.census == census {
                return None;
            }
            // Of two differences the one counts whose earlier numbers are later.
            self.changed = self.changed.max(Some((before.restart, restart)));
        }
        let Census { pools, asids, contexts, interrupts, capabilities, unused } = census;
        let absent = away.iter().filter(|away| **away).count();
        let without = if absent > 0 { format!(" without {absent} that are away") } else { String::new() };
        Some(format!(
            "{pools} ASID pools, {asids} ASIDs, {contexts} contexts, {interrupts} interrupts, {capabilities} capabilities, \
             {unused} bytes unused{without}"
        ))
    }

    /// The outcome, when there were any: at each restart, memory, slots and capabilities of the root task's in use are what they
    /// were when the system had been built, and what the kernel counts is what it counted at the last restart with the same
    /// components away, provided that this was the [`SETTLED`]th or a later one, or in the second half of few.
    ///
    /// Of few restarts none may be alike in who is away; of more than [`SETTLED`], something has to be compared.
    pub(super) fn outcome(&self) -> Option<String> {
        let Self { begun, leaky, told, .. } = *self;
        let from = SETTLED.min(begun / 2);
        let compared: u64 = self.compared.iter().skip(from as usize).sum();
        let changed = self.changed.filter(|(before, _)| *before >= from);
        let good = leaky == 0 && changed.is_none() && (compared > 0 || told <= SETTLED);
        let outcome = if good { "pass" } else { "FAIL" };
        let kernels = match (changed, compared) {
            (Some((before, now)), _) => format!("the kernel's at number {now} are not those at number {before}"),
            (None, 0) => "the kernel's were not compared".into(),
            (None, _) => format!(
                "the kernel's, compared at {compared}, are those at the restart before with the same components away"
            ),
        };
        let line = || {
            format!(
                "CHECK {outcome} lives-leave-nothing: {begun} restarts, {leaky} with other counts than at first; {kernels}"
            )
        };
        (begun > 0).then(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CENSUS: Census = Census { pools: 1, asids: 2, contexts: 3, interrupts: 4, capabilities: 5, unused: 6 };
    const NOBODY: &[bool] = &[false, false];
    const FIRST: &[bool] = &[true, false];
    const SECOND: &[bool] = &[false, true];

    /// The outcome of restarts of which each is: whether the root task's counts are the same, who is away, and the kernel's counts.
    fn outcome(counts: impl IntoIterator<Item = (bool, &'static [bool], Option<Census>)>) -> Option<String> {
        let mut lives = Lives::default();
        counts.into_iter().for_each(|(same, away, whole)| drop(lives.add(same, away, whole)));
        lives.outcome()
    }

    fn is_good(counts: impl IntoIterator<Item = (bool, &'static [bool], Option<Census>)>) -> bool {
        outcome(counts).unwrap().starts_with("CHECK pass ")
    }

    fn with(asids: u64) -> (bool, &'static [bool], Option<Census>) {
        (true, NOBODY, Some(Census { asids, ..CENSUS }))
    }

    fn without(away: &'static [bool], asids: u64) -> (bool, &'static [bool], Option<Census>) {
        (true, away, with(asids).2)
    }

    #[test]
    fn without_a_restart_there_is_nothing_to_say() {
        assert_eq!(outcome([]), None);
    }

    #[test]
    fn neighbours_may_begin_and_nothing_may_grow() {
        assert!(is_good([with(2)]));
        assert!(is_good([1, 2, 3, 4].into_iter().chain([4; 16]).map(with)));
        assert!(!is_good((0..20).map(with)), "each life leaves an ASID");
        assert!(!is_good([4; 19].into_iter().chain([5]).map(with)), "the last does");
        assert!(!is_good([4; 10].into_iter().chain([3; 10]).map(with)), "one takes what is another's");
        assert!(!is_good([with(1), with(1), with(2)]), "of few lives, half have to be alike");
        assert!(!is_good([with(1), (false, NOBODY, Some(CENSUS)), with(1)]));
    }

    #[test]
    fn the_same_components_away_are_compared() {
        assert!(is_good((0..20).map(|n| if n % 2 == 0 { with(4) } else { without(FIRST, 3) })));
        let grows = (0..20).map(|n| if n % 2 == 0 { with(4) } else { without(FIRST, n) });
        assert!(!is_good(grows), "each life while one is away leaves an ASID");
        let stays = [with(4); 4].into_iter().chain((0..16).map(|n| without(SECOND, n)));
        assert!(!is_good(stays), "one stays away, and each life leaves an ASID");
        assert!(!is_good([with(1), with(1), without(FIRST, 0), without(SECOND, 0), with(2)]), "it is remembered");
        assert!(
            is_good([with(4), without(FIRST, 3), without(SECOND, 2), without(FIRST, 3)]),
            "others have other counts"
        );
        let early = [with(1), with(1), with(1)].into_iter().chain([without(FIRST, 4); 16]).chain([with(5), with(5)]);
        assert!(is_good(early), "what was counted before neighbours had begun is not held against anybody");
    }

    #[test]
    fn what_was_not_compared_is_not_said_to_be_the_same() {
        let said = |counts: &[(bool, &'static [bool], Option<Census>)]| outcome(counts.iter().copied()).unwrap();
        let (none, one) = ("the kernel's were not compared", "the kernel's, compared at 1,");
        for counts in [&[with(1)][..], &[with(1), without(FIRST, 0)], &[(true, NOBODY, None); 20]] {
            assert!(said(counts).starts_with("CHECK pass ") && said(counts).ends_with(none), "{counts:?}");
        }
        assert!(said(&[with(1), without(FIRST, 0), with(1), with(1)]).contains(one));
        assert!(said(&[with(1); 20]).contains("the kernel's, compared at 12,"));
        assert!(said(&[with(1), with(1), with(2)]).ends_with("at number 3 are not those at number 2"));
        let sets: Vec<Vec<bool>> = (0..9).map(|set| (0..4).map(|bit| set >> bit & 1 == 1).collect()).collect();
        let mut lives = Lives::default();
        sets.iter().for_each(|away| drop(lives.add(true, away, Some(CENSUS))));
        let said = lives.outcome().unwrap();
        assert!(said.starts_with("CHECK FAIL ") && said.ends_with(none), "{said}");
    }

    #[test]
    fn only_so_many_sets_are_remembered() {
        let mut lives = Lives::default();
        for set in 0..1000_u32 {
            let away: Vec<bool> = (0..10).map(|bit| set >> bit & 1 == 1).collect();
            assert!(lives.add(true, &away, Some(CENSUS)).is_some());
            assert!(lives.add(true, &away, Some(CENSUS)).is_none() && lives.known.len() <= SETS);
        }
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
            assert!(!is_good([CENSUS, CENSUS, census].map(|census| (true, NOBODY, Some(census)))), "{census:?}");
        }
    }
}
