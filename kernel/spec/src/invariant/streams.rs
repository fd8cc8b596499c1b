//! Streams: the rules of devices.

use sluice_abi::{FrameSize, VirtAddr};

use super::mappings::mapped_frames;
use crate::{Cap, Mapping, Reach, Slot, State};

/// A stream's binding is a context of its own SMMU, a handler a notification that may be signalled and no more, and a
/// context's translation a space that has a name.
#[must_use]
pub fn bindings_are_of_the_right_kind(state: &State) -> bool {
    state.slots.iter().all(|(slot, held)| match (slot, held.cap) {
        (Slot::Binding(stream), cap) => matches!(cap, Cap::Cb(context) if context.smmu == stream.smmu),
        (Slot::Interrupt(_), cap) => matches!(cap, Cap::Notification { rights, .. } if rights.write),
        (Slot::Handler(_), cap) => matches!(cap, Cap::Notification { rights, .. } if rights == crate::Rights::WRITE),
        (Slot::Translation(context), _) => {
            let translates = state.smmus.get(&context.smmu).is_some_and(|smmu| smmu.can.translates());
            translates && state.space_of(*context).is_some()
        }
        (Slot::Node { .. } | Slot::Thread { .. }, _) => true,
    })
}

/// A stream reaches something only while somebody holds a capability to it, to a context and to a space.
#[must_use]
pub fn streams_without_a_binding_reach_nothing(state: &State) -> bool {
    state.slots.keys().all(|slot| match slot {
        Slot::Binding(stream) | Slot::Handler(stream) => state.slots.values().any(|held| held.cap == Cap::Sid(*stream)),
        Slot::Translation(context) => state.slots.values().any(|held| held.cap == Cap::Cb(*context)),
        Slot::Node { .. } | Slot::Thread { .. } | Slot::Interrupt(_) => true,
    })
}

/// Whatever a stream reaches lies in a frame that a capability maps there, with at least the rights reached.
#[must_use]
pub fn dma_is_confined(state: &State) -> bool {
    let mapped = mapped_frames(state);
    state.slots.iter().all(|(slot, held)| {
        let (Slot::Binding(stream), Cap::Cb(context)) = (slot, held.cap) else { return true };
        let Some(Cap::VSpace { asid: Some(asid), .. }) = state.cap(Slot::Translation(context)) else { return true };
        // It bypasses although it is bound.
        let Reach::Pages(pages) = state.dma_reach(*stream) else { return false };
        pages.iter().all(|reached| {
            FrameSize::ALL.into_iter().any(|size| {
                let at = VirtAddr(reached.iova.0).align_down(size.bits());
                let there = mapped.get(&(Mapping { asid, at }, size));
                there.into_iter().flatten().any(|(frame, rights)| {
                    reached.address == frame.offset(reached.iova.0 - at.0)
                        && (rights.read || !reached.read)
                        && (rights.write || !reached.write)
                })
            })
        })
    })
}
