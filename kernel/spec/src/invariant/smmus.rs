//! SMMUs: stage 1, bypass, and those with one stage only.

use crate::{Cap, Slot, State};

/// A stage 1 stands before a stage 2, on an SMMU that has both and does not make faulting devices wait.
#[must_use]
pub fn stage1_is_under_stage2(state: &State) -> bool {
    state.stage1.keys().all(|context| {
        let nests = state.smmus.get(&context.smmu).is_some_and(|smmu| smmu.can.nests());
        nests && state.space_of(*context).is_some()
    })
}

/// A stream reaches all memory only while somebody holds it, a table covers it, and no context is its choice too.
#[must_use]
pub fn bypass_is_held(state: &State) -> bool {
    state.bypassed.iter().all(|stream| {
        let held = state.slots.iter().any(|(slot, held)| !slot.is_hidden() && held.cap == Cap::Sid(*stream));
        held && state.is_covered(*stream) && state.cap(Slot::Binding(*stream)).is_none()
    })
}

/// An address space in the form of SMMUs without stage 2 is used by such SMMUs alone: no CPU has used it, and no
/// other SMMU translates with it.
#[must_use]
pub fn device_spaces_are_for_devices(state: &State) -> bool {
    let alone = state.spaces.values().all(|space| !(space.for_devices && space.walked));
    alone
        && state.slots.keys().all(|slot| {
            let Slot::Translation(context) = slot else { return true };
            let stage2 = state.smmus.get(&context.smmu).is_some_and(|smmu| smmu.can.stage2);
            state.space_of(*context).is_none_or(|space| space.for_devices != stage2)
        })
}
