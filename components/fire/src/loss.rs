//! The ways in which devices lose memory, in random order.

/// What is taken away.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Loss {
    /// Every page, by `Page_Unmap`.
    Pages,
    /// The memory itself: its Untyped is revoked and becomes other frames.
    Memory,
    /// The streams' contexts, by `SID_UnbindCB`.
    Binding,
    /// The contexts' address spaces, by `CB_UnassignVspace`.
    Assignment,
    /// The last-level translation tables, by `PageTable_Unmap`.
    Table,
    /// The address spaces: their capabilities are revoked and deleted.
    Space,
}

impl Loss {
    /// All there are.
    pub const ALL: [Self; 6] = [Self::Pages, Self::Memory, Self::Binding, Self::Assignment, Self::Table, Self::Space];

    /// In the words of a report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pages => "unmap every page",
            Self::Memory => "revoke and retype the memory",
            Self::Binding => "unbind the streams",
            Self::Assignment => "unassign the address spaces",
            Self::Table => "unmap the tables",
            Self::Space => "delete the address spaces",
        }
    }
}

/// A repeatable course of rounds.
#[derive(Clone, Debug)]
pub struct Plan {
    random: fastrand::Rng,
}

impl Plan {
    /// The course that `seed` stands for.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed) }
    }

    /// What is taken away in the next round.
    pub fn loss(&mut self) -> Loss {
        Loss::ALL[self.random.usize(..Loss::ALL.len())]
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.random.u64(..end)
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn a_seed_repeats_its_course_and_meets_every_loss() {
        let course = |seed| {
            let mut plan = Plan::new(seed);
            (0..100).map(|_| plan.loss()).collect::<alloc::vec::Vec<_>>()
        };
        assert_eq!(course(7), course(7));
        assert_ne!(course(7), course(8));
        assert_eq!(course(7).into_iter().collect::<BTreeSet<_>>().len(), Loss::ALL.len());
    }
}
