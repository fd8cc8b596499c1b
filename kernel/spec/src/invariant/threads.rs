//! Threads: what they wait for, whom they owe an answer, and who runs.

use alloc::collections::BTreeSet;

use sluice_abi::{PSTATE_FLAGS, PSTATE_USER, PhysAddr, Register};

use crate::{Cap, Doing, Injected, Object, ObjectName, Slot, State, Thread, ThreadSlot};

fn threads(state: &State) -> impl Iterator<Item = (PhysAddr, &Thread)> {
    state.objects.iter().filter_map(
        |(at, object)| {
            if let Object::Thread(thread) = object { Some((*at, thread)) } else { None }
        },
    )
}

/// A thread that waits is in the queue of what it waits at, once, and in no other; who waits at one endpoint all sends
/// or all receives.
#[must_use]
pub fn waiting_threads_are_in_their_queue(state: &State) -> bool {
    let place = |thread: &Thread| match &thread.doing {
        Doing::Sending(sending) => Some((sending.endpoint, "send")),
        Doing::Receiving { endpoint, .. } => Some((*endpoint, "receive")),
        Doing::Waiting(notification) => Some((*notification, "wait")),
        Doing::Nothing | Doing::Running | Doing::StartingOver | Doing::AwaitingReply { .. } => None,
    };
    let queued =
        |at: PhysAddr, object: PhysAddr| state.waiting_at(object).iter().filter(|waiting| **waiting == at).count();
    let in_one = threads(state).all(|(at, thread)| {
        let wanted = place(thread).map(|(object, _)| object);
        state.objects.keys().all(|object| queued(at, *object) == usize::from(wanted == Some(*object)))
            && wanted.is_none_or(|object| state.objects.contains_key(&object))
    });
    let alike = state.objects.keys().all(|object| {
        let places = state.waiting_at(*object).iter().map(|at| state.thread(*at).and_then(place));
        let places: alloc::vec::Vec<_> = places.collect();
        places.iter().all(Option::is_some) && places.windows(2).all(|pair| pair[0] == pair[1])
    });
    in_one && alike
}

/// Nobody waits for a signal that is there.
#[must_use]
pub fn signals_do_not_wait(state: &State) -> bool {
    state.objects.values().all(|object| {
        let Object::Notification { pending, waiting, .. } = object else { return true };
        pending.is_none() || waiting.is_empty()
    })
}

/// A notification is bound to the thread that is bound to it.
#[must_use]
pub fn bound_both_ways(state: &State) -> bool {
    state.objects.iter().all(|(at, object)| {
        if let Object::Notification { bound: Some(thread), .. } = object {
            return state.thread(*thread).is_some_and(|thread| thread.notification == Some(*at));
        }
        let Some(notification) = state.thread(*at).and_then(|thread| thread.notification) else { return true };
        matches!(state.objects.get(&notification), Some(Object::Notification { bound, .. }) if *bound == Some(*at))
    })
}

/// A virtual processor belongs to the thread that has it, and to no other.
#[must_use]
pub fn guests_have_their_processor(state: &State) -> bool {
    let partner = |at: PhysAddr| match state.objects.get(&at) {
        Some(Object::Thread(thread)) => thread.vcpu,
        Some(Object::Vcpu(vcpu)) => vcpu.thread,
        _ => None,
    };
    state.objects.keys().all(|at| partner(*at).is_none_or(|other| partner(other) == Some(*at)))
}

/// A thread without a virtual processor has nothing of PSTATE but its condition flags, and one with has no level above EL1.
#[must_use]
pub fn only_guests_have_a_level(state: &State) -> bool {
    const MODE: u64 = 0x1f;
    threads(state).all(|(_, thread)| {
        let pstate = thread.registers.get(Register::Spsr);
        // EL0t, EL1t, EL1h.
        let of_guest = thread.vcpu.is_some() && [0, 4, 5].contains(&(pstate & MODE));
        of_guest || pstate & !PSTATE_FLAGS == PSTATE_USER
    })
}

/// Interrupts are injected where the machine has a place, and are such as guests can have.
#[must_use]
pub fn injected_interrupts_can_be(state: &State) -> bool {
    state.objects.values().all(|object| {
        let Object::Vcpu(vcpu) = object else { return true };
        vcpu.injected.iter().all(|(place, injected)| {
            *place < state.virtualization.lists
                && u64::from(injected.intid) <= Injected::MAX_INTID
                && u64::from(injected.priority) <= Injected::MAX_PRIORITY
                && u64::from(injected.group) <= Injected::MAX_GROUP
        })
    })
}

/// An interrupt goes to one place of one guest, has a handler, and what is linked to one came of it.
#[must_use]
pub fn forwarded_interrupts_go_to_one_place(state: &State) -> bool {
    let mut seen = BTreeSet::new();
    state.objects.values().all(|object| {
        let Object::Vcpu(vcpu) = object else { return true };
        let linked = vcpu.injected.iter().all(|(place, injected)| {
            injected.device.is_none() || injected.device == vcpu.forwarded.get(place).map(|forwarded| forwarded.device)
        });
        linked
            && vcpu.forwarded.iter().all(|(place, forwarded)| {
                let own = vcpu.injected.get(place).is_none_or(|injected| injected.device == Some(forwarded.device));
                let handled = state.is_enabled(forwarded.device) && !state.interrupts.kept.contains(&forwarded.device);
                *place < state.virtualization.lists && handled && own && seen.insert(forwarded.device)
            })
    })
}

/// Who holds an answer holds it alone, and the thread it is to waits for it, and has what it was derived from.
#[must_use]
pub fn replies_are_owed(state: &State) -> bool {
    state.slots.iter().all(|(slot, held)| {
        let Cap::Reply { caller, master, .. } = held.cap else { return true };
        let derived_from = Slot::Thread { thread: caller, which: ThreadSlot::Reply };
        let Some(thread) = state.thread(caller) else { return false };
        if master {
            return *slot == derived_from;
        }
        matches!(thread.doing, Doing::AwaitingReply { .. })
            && held.parent == Some(derived_from)
            && state.holders(ObjectName::Reply(caller)).count() == 2
    })
}

/// Who runs can, and nobody higher could; nobody runs only when nobody can.
#[must_use]
pub fn the_highest_runs(state: &State) -> bool {
    let highest = threads(state).filter(|(_, thread)| thread.is_runnable()).map(|(_, thread)| thread.priority).max();
    let running = state.running.map(|running| state.thread(running).filter(|thread| thread.is_runnable()));
    match running {
        None => highest.is_none(),
        Some(thread) => thread.is_some_and(|thread| Some(thread.priority) == highest),
    }
}

/// An interrupt that waits to be acknowledged has somebody to acknowledge it.
#[must_use]
pub fn interrupts_in_service_have_a_handler(state: &State) -> bool {
    state.interrupts.in_service.iter().all(|intid| state.is_enabled(*intid))
}
