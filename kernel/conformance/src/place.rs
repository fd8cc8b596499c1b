//! From addresses to abstract slots.

use sluice_abi::{PhysAddr, SLOT_BITS};
use sluice_abstract::{Object, Slot, State, ThreadSlot};
use sluice_core::object::TcbSlot;

/// The slot at an address, by the CNodes and threads there are.
pub(crate) fn slot_at(state: &State, at: PhysAddr) -> Option<Slot> {
    let (first, object) = state.objects.range(..=at).next_back()?;
    let index = (at.0 - first.0) >> SLOT_BITS;
    if let Object::CNode { radix } = *object {
        return (index >> radix == 0).then_some(Slot::Node { node: *first, index });
    }
    let Object::Thread(_) = object else { return None };
    let which = [
        (TcbSlot::CSpace, ThreadSlot::CSpace),
        (TcbSlot::VSpace, ThreadSlot::VSpace),
        (TcbSlot::Reply, ThreadSlot::Reply),
        (TcbSlot::Caller, ThreadSlot::Caller),
        (TcbSlot::Buffer, ThreadSlot::Buffer),
    ];
    let (_, which) = which.into_iter().find(|(slot, _)| *slot as u64 == index)?;
    Some(Slot::Thread { thread: *first, which })
}
