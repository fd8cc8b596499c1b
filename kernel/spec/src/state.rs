//! The state.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use sluice_abi::PhysAddr;
use sluice_abi::smmu::{CdTable, ContextId, STREAM_TABLE_SPLIT, StreamId};

use crate::{
    Asid, Cap, Faults, Interrupts, LatestFault, Map, Object, ObjectName, Slot, Smmu, Space, ThreadSlot, Virtualization,
};

/// A capability in its place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Held {
    /// The capability.
    pub cap: Cap,
    /// The slot of the capability it was derived from, as far as that is still there.
    pub parent: Option<Slot>,
    /// Whether copies of it are its children rather than its siblings.
    pub original: bool,
}

/// Everything there is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct State {
    /// Slots in use.
    pub slots: Map<Slot, Held>,
    /// Objects, by the address of their memory.
    pub objects: Map<PhysAddr, Object>,
    /// Pools, by their first name.
    pub pools: BTreeMap<Asid, PhysAddr>,
    /// Address spaces that have a name.
    pub spaces: BTreeMap<Asid, Space>,
    /// First byte and number of bytes of what nobody may have: memory of the kernel, registers of SMMUs.
    pub kept: BTreeSet<(PhysAddr, u64)>,
    /// The thread that runs.
    pub running: Option<PhysAddr>,
    /// Interrupts.
    pub interrupts: Interrupts,
    /// What there is for guests.
    pub virtualization: Virtualization,
    /// SMMUs, by number.
    pub smmus: BTreeMap<u8, Smmu>,
    /// Descriptors of a holder's own, for the contexts that have a stage 1 before stage 2.
    pub stage1: BTreeMap<ContextId, CdTable>,
    /// Streams that somebody let reach all memory.
    pub bypassed: BTreeSet<StreamId>,
    /// What is remembered of streams that faulted, or whose faults somebody watches.
    pub faults: BTreeMap<StreamId, Faults>,
    /// The latest fault of any stream of a context.
    pub latest: BTreeMap<ContextId, LatestFault>,
}

impl State {
    /// What is in a slot.
    #[must_use]
    pub fn cap(&self, slot: Slot) -> Option<Cap> {
        self.slots.get(&slot).map(|held| held.cap)
    }

    /// Whether there is no other capability to what this slot's is to.
    #[must_use]
    pub fn is_last(&self, slot: Slot) -> bool {
        let Some(object) = self.cap(slot).and_then(|cap| cap.object()) else { return false };
        !self.slots.iter().any(|(other, held)| *other != slot && held.cap.object() == Some(object))
    }

    /// Slots whose capability is to this.
    pub(crate) fn holders(&self, object: ObjectName) -> impl Iterator<Item = Slot> + '_ {
        self.slots.iter().filter(move |(_, held)| held.cap.object() == Some(object)).map(|(slot, _)| *slot)
    }

    /// Slots of a CNode that are in use, and what is in them.
    pub(crate) fn in_node(&self, node: PhysAddr) -> impl Iterator<Item = (Slot, Held)> + '_ {
        let slot = |index| Slot::Node { node, index };
        self.slots.range(slot(0)..=slot(u64::MAX)).map(|(slot, held)| (*slot, *held))
    }

    /// Slots inside an object.
    #[must_use]
    pub fn slots_in(&self, object: PhysAddr) -> Vec<Slot> {
        let of_thread = ThreadSlot::ALL.map(|which| Slot::Thread { thread: object, which });
        let of_thread = of_thread.into_iter().filter(|slot| self.slots.contains_key(slot));
        self.in_node(object).map(|(slot, _)| slot).chain(of_thread).collect()
    }

    /// Whether a table of streams covers it.
    #[must_use]
    pub fn is_covered(&self, stream: StreamId) -> bool {
        self.smmus.get(&stream.smmu).is_some_and(|smmu| smmu.tables.contains(&first_of_table(stream.sid)))
    }

    /// Streams that anything is remembered of.
    pub(crate) fn used_streams(&self) -> BTreeSet<StreamId> {
        let of = |slot: &Slot| match slot {
            Slot::Binding(stream) | Slot::Handler(stream) => Some(*stream),
            Slot::Node { .. } | Slot::Thread { .. } | Slot::Translation(_) | Slot::Interrupt(_) => None,
        };
        self.slots.keys().filter_map(of).chain(self.faults.keys().chain(&self.bypassed).copied()).collect()
    }
}

/// The first stream of the table that would cover one.
pub(crate) const fn first_of_table(sid: u32) -> u32 {
    sid & !((1 << STREAM_TABLE_SPLIT) - 1)
}
