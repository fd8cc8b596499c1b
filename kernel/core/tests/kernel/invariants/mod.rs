//! What holds in every reachable state, preemption points included: one named function each.

mod derivation;
mod guests;
mod memory;
mod queues;
mod spaces;

use std::collections::HashMap;

use sluice_core::cap::{Cap, Links};
use sluice_core::{Kernel, SlotRef};

use crate::machine::Machine;

/// The slots in use, and the kernel they belong to.
pub(crate) struct View<'a> {
    kernel: &'a Kernel<Machine>,
    slots: HashMap<SlotRef, (Cap, Links)>,
    /// Derivation lists, each from its first slot on.
    lists: Vec<Vec<(SlotRef, Cap, Links)>>,
}

impl<'a> View<'a> {
    fn of(kernel: &'a Kernel<Machine>) -> Self {
        let slots = kernel.hal.objects.slots().filter(|(_, slot)| !slot.is_empty());
        let slots: HashMap<_, _> = slots.map(|(at, slot)| (at, (slot.cap(), slot.links()))).collect();
        let lists = derivation::lists(&slots);
        Self { kernel, slots, lists }
    }

    fn machine(&self) -> &Machine {
        &self.kernel.hal
    }

    fn caps(&self) -> impl Iterator<Item = (SlotRef, Cap)> {
        self.slots.iter().map(|(at, (cap, _))| (*at, *cap))
    }
}

/// Every invariant.
pub(crate) fn check(kernel: &Kernel<Machine>) {
    let view = View::of(kernel);
    derivation::empty_slots_are_unlinked(&view);
    derivation::lists_are_well_linked(&view);
    derivation::descendants_are_contiguous(&view);
    derivation::copies_stand_together(&view);
    memory::capabilities_overlap_only_as_ancestors(&view);
    memory::children_are_in_the_used_part_of_their_untyped(&view);
    memory::every_capability_has_its_object(&view);
    memory::every_object_has_a_capability(&view);
    queues::ready_queues_hold_the_runnable_threads(&view);
    queues::endpoint_queues_agree_with_states(&view);
    queues::notification_queues_agree_with_states(&view);
    queues::bound_notifications_agree(&view);
    queues::replies_answer_waiting_callers(&view);
    spaces::leaves_agree_with_mapped_frames(&view);
    spaces::tables_agree_with_mapped_tables(&view);
    spaces::the_tlb_agrees_with_the_tables(&view);
    spaces::tags_have_one_owner(&view);
    guests::threads_and_processors_agree(&view);
    guests::native_threads_run_natively(&view);
}

/// How many descendants the capability in a slot has.
pub(crate) fn descendants(kernel: &Kernel<Machine>, slot: SlotRef) -> usize {
    let view = View::of(kernel);
    let family = view.lists.iter().find_map(|list| {
        let at = list.iter().position(|(at, ..)| *at == slot)?;
        Some(list[at + 1..].iter().take_while(|below| derivation::is_ancestor(&list[at], below)).count())
    });
    family.unwrap_or(0)
}
