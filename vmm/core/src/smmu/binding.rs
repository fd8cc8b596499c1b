//! From one stage 1 of a stream to another, by what the kernel offers.

use sluice_abi::smmu::CdTable;

use super::Stage1;

/// What a stream and its context are to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Binding {
    /// The stream is bound to the context; it aborts otherwise.
    pub bound: bool,
    /// The context has a table of context descriptors. Without one, stage 2 alone translates.
    pub has_table: bool,
}

/// An invocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// `SID_BindCB`.
    Bind,
    /// `SID_UnbindCB`.
    Unbind,
    /// `CB_AssignCDTable`.
    Assign(CdTable),
    /// `CB_UnassignCDTable`.
    Unassign,
}

impl Binding {
    /// The invocations that have the stream do `stage1`, in their order.
    ///
    /// While a table comes or goes the stream is not bound: bound to a context without one, it would reach all of the guest's
    /// memory.
    pub fn steps(self, stage1: Stage1) -> impl Iterator<Item = Step> {
        let (bind, table) = match stage1 {
            Stage1::Abort => (false, None),
            Stage1::Bypass => (true, None),
            Stage1::Table(table) => (true, Some(table)),
        };
        let stays = bind && table.is_none() && !self.has_table;
        let unbind = (self.bound && !stays).then_some(Step::Unbind);
        let unassign = self.has_table.then_some(Step::Unassign);
        let bind = (bind && !(self.bound && stays)).then_some(Step::Bind);
        unbind.into_iter().chain(unassign).chain(table.map(Step::Assign)).chain(bind)
    }

    /// An invocation succeeded.
    pub const fn done(&mut self, step: Step) {
        match step {
            Step::Bind => self.bound = true,
            Step::Unbind => self.bound = false,
            Step::Assign(_) => self.has_table = true,
            Step::Unassign => self.has_table = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const ALL: [Binding; 4] = [
        Binding { bound: false, has_table: false },
        Binding { bound: false, has_table: true },
        Binding { bound: true, has_table: false },
        Binding { bound: true, has_table: true },
    ];

    fn targets() -> [Stage1; 3] {
        let table = CdTable::from_words([0x4000_0000, 0]).expect("a table");
        [Stage1::Abort, Stage1::Bypass, Stage1::Table(table)]
    }

    fn is(binding: Binding, stage1: Stage1) -> bool {
        match stage1 {
            Stage1::Abort => !binding.bound,
            Stage1::Bypass => binding == Binding { bound: true, has_table: false },
            Stage1::Table(_) => binding == Binding { bound: true, has_table: true },
        }
    }

    #[test]
    fn every_change_ends_where_it_should_and_opens_nothing_on_the_way() {
        for from in ALL {
            for to in targets() {
                let mut now = from;
                for step in from.steps(to) {
                    let before = now;
                    match step {
                        Step::Bind => assert!(!now.bound, "{from:?} to {to:?}: bound twice"),
                        Step::Unbind => assert!(now.bound, "{from:?} to {to:?}: unbound twice"),
                        Step::Assign(_) => {
                            assert!(!now.has_table, "{from:?} to {to:?}: the kernel refuses a second table")
                        }
                        Step::Unassign => assert!(now.has_table, "{from:?} to {to:?}: there is no table"),
                    }
                    now.done(step);
                    let opened = is(now, Stage1::Bypass) && !is(before, Stage1::Bypass);
                    assert!(!opened || to == Stage1::Bypass, "{from:?} to {to:?}: all memory is open after {step:?}");
                }
                assert!(is(now, to), "{from:?} to {to:?}: {now:?}");
            }
        }
    }

    #[test]
    fn what_is_so_already_takes_nothing_but_new_tables() {
        let [abort, bypass, table] = targets();
        assert_eq!(Binding::default().steps(abort).count(), 0);
        assert_eq!(Binding { bound: true, has_table: false }.steps(bypass).count(), 0);
        let again: Vec<Step> = Binding { bound: true, has_table: true }.steps(table).collect();
        assert!(matches!(again[..], [Step::Unbind, Step::Unassign, Step::Assign(_), Step::Bind]), "{again:?}");
    }
}
