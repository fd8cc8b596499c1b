//! What a thread can name, and thereby do.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use sluice_abi::PhysAddr;

use crate::{Cap, Slot, State, ThreadSlot};

impl State {
    /// CNodes whose slots a thread can name: the root of its CSpace, and those that slots of such CNodes lead to.
    #[must_use]
    pub fn nameable(&self, thread: PhysAddr) -> BTreeSet<PhysAddr> {
        let mut nodes = BTreeSet::new();
        let node = |cap: Cap| if let Cap::CNode { base, .. } = cap { Some(base) } else { None };
        let root = self.cap(Slot::Thread { thread, which: ThreadSlot::CSpace });
        let mut open: Vec<PhysAddr> = root.and_then(node).into_iter().collect();
        while let Some(base) = open.pop() {
            if nodes.insert(base) {
                open.extend(self.in_node(base).filter_map(|(_, held)| node(held.cap)));
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
