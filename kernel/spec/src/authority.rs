//! What a thread can name, and thereby do.

use alloc::collections::BTreeSet;

use sluice_abi::PhysAddr;

use crate::{Cap, Slot, State, ThreadSlot};

impl State {
    /// CNodes whose slots a thread can name: the root of its CSpace, and those that slots of such CNodes lead to.
    #[must_use]
    pub fn nameable(&self, thread: PhysAddr) -> BTreeSet<PhysAddr> {
        let mut nodes = BTreeSet::new();
        let mut open = alloc::vec![Slot::Thread { thread, which: ThreadSlot::CSpace }];
        while let Some(slot) = open.pop() {
            if let Some(Cap::CNode { base, .. }) = self.cap(slot)
                && nodes.insert(base)
            {
                open.extend(self.slots_in(base));
            }
        }
        nodes
    }

    /// Every capability a thread can invoke, with its slot.
    #[must_use]
    pub fn authority(&self, thread: PhysAddr) -> BTreeSet<(Slot, Cap)> {
        let slots = self.nameable(thread).into_iter().flat_map(|node| self.slots_in(node));
        slots.filter_map(|slot| Some((slot, self.cap(slot)?))).collect()
    }
}
