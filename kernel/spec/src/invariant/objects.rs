//! Objects and the memory they are made in.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::{Cap, ObjectName, State};

/// Children of an Untyped lie in its used part, and two of them overlap only when one was derived from the other.
#[must_use]
pub fn untyped_children_are_apart_and_inside(state: &State) -> bool {
    state.slots.iter().all(|(slot, held)| {
        let Cap::Untyped { base, used, .. } = held.cap else { return true };
        let mut ranges: Vec<_> = state
            .children(*slot)
            .filter_map(|child| state.cap(child))
            .filter_map(|cap| Some((cap.memory()?, cap.object())))
            .collect();
        ranges.sort_unstable();
        ranges.dedup();
        let inside = ranges.iter().all(|((at, bits), _)| *at >= base && at.0 + (1 << bits) <= base.0 + used);
        inside && ranges.windows(2).all(|pair| pair[0].0.0.0 + (1 << pair[0].0.1) <= pair[1].0.0.0)
    })
}

/// No byte belongs to two objects.
#[must_use]
pub fn no_two_objects_overlap(state: &State) -> bool {
    let objects: Vec<_> = state.objects.iter().collect();
    objects.windows(2).all(|pair| pair[0].0.0 + (1 << pair[0].1.bits()) <= pair[1].0.0)
}

/// Nobody has a capability to what the kernel keeps for itself, so that it is in no address space and no object.
#[must_use]
pub fn kernel_memory_is_nobodys(state: &State) -> bool {
    let apart = |(at, bits): (sluice_abi::PhysAddr, u32)| {
        state.kept.iter().all(|(kept, bytes)| at.0 + (1 << bits) <= kept.0 || kept.0 + bytes <= at.0)
    };
    state.slots.values().filter_map(|held| held.cap.memory()).all(apart)
}

/// What nobody holds does not exist: its memory could never be had back.
#[must_use]
pub fn no_object_without_a_capability(state: &State) -> bool {
    let held: BTreeSet<_> = state.slots.values().filter_map(|held| held.cap.object()).collect();
    state.objects.keys().all(|at| held.contains(&ObjectName::Memory(*at)))
}

/// What is held exists, in the size the capability says; its slots, if any, lie in existing objects too.
#[must_use]
pub fn no_capability_without_its_object(state: &State) -> bool {
    state.slots.iter().all(|(slot, held)| {
        let named = match (held.cap.object(), held.cap.memory()) {
            (Some(ObjectName::Memory(at)), Some((_, bits))) => state.object_bits(at) == Some(bits),
            _ => true,
        };
        let housed = match slot {
            crate::Slot::Node { node, .. } => state.objects.contains_key(node),
            crate::Slot::Thread { thread, .. } => state.objects.contains_key(thread),
            crate::Slot::Binding(_)
            | crate::Slot::Handler(_)
            | crate::Slot::Translation(_)
            | crate::Slot::Interrupt(_) => true,
        };
        named && housed
    })
}
