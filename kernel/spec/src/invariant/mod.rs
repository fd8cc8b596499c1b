//! What holds in every state that can be reached, one named function each.

mod derivation;
mod mappings;
mod objects;
mod smmus;
mod streams;
mod threads;

pub use derivation::{derivation_is_a_forest, descendants_are_inside_their_ancestors};
pub use mappings::{
    free_names_have_no_space, no_page_without_a_capability, no_table_without_a_capability, tables_carry_pages,
};
pub use objects::{
    kernel_memory_is_nobodys, no_capability_without_its_object, no_object_without_a_capability, no_two_objects_overlap,
    untyped_children_are_apart_and_inside,
};
pub use smmus::{bypass_is_held, device_spaces_are_for_devices, stage1_is_under_stage2};
pub use streams::{bindings_are_of_the_right_kind, dma_is_confined, streams_without_a_binding_reach_nothing};

pub use threads::{
    bound_both_ways, forwarded_interrupts_go_to_one_place, guests_have_their_processor, injected_interrupts_can_be,
    interrupts_in_service_have_a_handler, only_guests_have_a_level, replies_are_owed, signals_do_not_wait,
    the_highest_runs, waiting_threads_are_in_their_queue,
};

use crate::State;

/// An invariant and its name.
#[derive(Clone, Copy)]
pub struct Invariant {
    /// The function's name.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: fn(&State) -> bool,
}

/// All of them.
pub const ALL: [Invariant; 27] = [
    Invariant { name: "derivation_is_a_forest", holds: derivation_is_a_forest },
    Invariant { name: "descendants_are_inside_their_ancestors", holds: descendants_are_inside_their_ancestors },
    Invariant { name: "untyped_children_are_apart_and_inside", holds: untyped_children_are_apart_and_inside },
    Invariant { name: "no_two_objects_overlap", holds: no_two_objects_overlap },
    Invariant { name: "no_object_without_a_capability", holds: no_object_without_a_capability },
    Invariant { name: "no_capability_without_its_object", holds: no_capability_without_its_object },
    Invariant { name: "free_names_have_no_space", holds: free_names_have_no_space },
    Invariant { name: "no_page_without_a_capability", holds: no_page_without_a_capability },
    Invariant { name: "no_table_without_a_capability", holds: no_table_without_a_capability },
    Invariant { name: "tables_carry_pages", holds: tables_carry_pages },
    Invariant { name: "bindings_are_of_the_right_kind", holds: bindings_are_of_the_right_kind },
    Invariant { name: "streams_without_a_binding_reach_nothing", holds: streams_without_a_binding_reach_nothing },
    Invariant { name: "dma_is_confined", holds: dma_is_confined },
    Invariant { name: "stage1_is_under_stage2", holds: stage1_is_under_stage2 },
    Invariant { name: "bypass_is_held", holds: bypass_is_held },
    Invariant { name: "device_spaces_are_for_devices", holds: device_spaces_are_for_devices },
    Invariant { name: "waiting_threads_are_in_their_queue", holds: waiting_threads_are_in_their_queue },
    Invariant { name: "signals_do_not_wait", holds: signals_do_not_wait },
    Invariant { name: "bound_both_ways", holds: bound_both_ways },
    Invariant { name: "guests_have_their_processor", holds: guests_have_their_processor },
    Invariant { name: "only_guests_have_a_level", holds: only_guests_have_a_level },
    Invariant { name: "injected_interrupts_can_be", holds: injected_interrupts_can_be },
    Invariant { name: "forwarded_interrupts_go_to_one_place", holds: forwarded_interrupts_go_to_one_place },
    Invariant { name: "replies_are_owed", holds: replies_are_owed },
    Invariant { name: "kernel_memory_is_nobodys", holds: kernel_memory_is_nobodys },
    Invariant { name: "the_highest_runs", holds: the_highest_runs },
    Invariant { name: "interrupts_in_service_have_a_handler", holds: interrupts_in_service_have_a_handler },
];

/// The first invariant that does not hold.
#[must_use]
pub fn broken(state: &State) -> Option<&'static str> {
    ALL.iter().find(|invariant| !(invariant.holds)(state)).map(|invariant| invariant.name)
}
