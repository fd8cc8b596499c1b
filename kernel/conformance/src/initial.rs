//! The first abstract state, from the capabilities the root task starts with.

use std::collections::BTreeMap;

use sluice_abi::PhysAddr;
use sluice_abstract::{
    Asid, Cap, Doing, Held, Invocation, Mapping, Object, Rights, Slot, State, Thread, ThreadSlot, Vcpu,
};
use sluice_core::cap as concrete;

use crate::capability::capability;
use crate::place::slot_at;

/// Adds what `caps` say, by the addresses of their slots, and lets `root` run.
///
/// Pages and tables are put in place by the machine's own steps, in the order of the capabilities.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn complete(mut state: State, caps: &[(PhysAddr, [u64; 2])], root: PhysAddr) -> Result<State, String> {
    let mut found = Vec::new();
    for (at, words) in caps {
        let Some(cap) = capability(&concrete::Cap::unpack(*words)) else { continue };
        add_object(&mut state, &cap);
        found.push((*at, cap));
    }
    let Some(thread) = state.thread_mut(root) else {
        return Err(format!("nobody has a capability to the first thread, {root}"));
    };
    // The first thread may give any priority, and has the highest.
    thread.doing = Doing::Running;
    (thread.priority, thread.max_priority) = (sluice_abi::MAX_PRIORITY, sluice_abi::MAX_PRIORITY);
    state.running = Some(root);
    let mut mapped = Vec::new();
    for (at, cap) in found {
        let slot = slot_at(&state, at).ok_or_else(|| format!("{at} is in no CNode and no thread"))?;
        let (cap, mapping) = without_mapping(cap);
        mapped.extend(mapping.map(|mapping| (slot, mapping)));
        // A thread has copies; what replies to it are derived from is its own.
        let is_copy = matches!(slot, Slot::Thread { which, .. } if which != ThreadSlot::Reply);
        let parent = if is_copy { source(&state, &cap) } else { None };
        let held = Held { cap, parent, original: !is_copy };
        state.slots.insert(slot, held);
    }
    let spaces = vspaces(&state);
    // Tables carry pages, and come after some of them among the capabilities.
    mapped.sort_by_key(|(slot, _)| !matches!(state.cap(*slot), Some(Cap::PageTable { .. })));
    for (slot, Mapping { asid, at }) in mapped {
        let vspace = *spaces.get(&asid).ok_or_else(|| format!("no address space has the name {}", asid.0))?;
        let step = match state.cap(slot) {
            Some(Cap::PageTable { .. }) => Invocation::TableMap { table: slot, vspace, at },
            _ => Invocation::PageMap { frame: slot, vspace, at, rights: Rights::ALL, execute: true, cacheable: true },
        };
        let after = state.after(root, &step).map_err(|error| format!("{step:?} at boot is refused with {error:?}"))?;
        state = after.state;
    }
    Ok(state)
}

fn add_object(state: &mut State, cap: &Cap) {
    let (at, object) = match *cap {
        Cap::CNode { base, radix, .. } => (base, Object::CNode { radix }),
        Cap::Thread(thread) => (thread, Object::Thread(Thread::new())),
        Cap::Frame { base, size, .. } => (base, Object::Frame(size)),
        Cap::PageTable { base, .. } => (base, Object::PageTable),
        Cap::VSpace { root, asid } => {
            if let Some(asid) = asid {
                state.spaces.insert(asid, sluice_abstract::Space::empty(root));
            }
            (root, Object::VSpace)
        }
        Cap::AsidPool { pool, base } => {
            state.pools.insert(base, pool);
            (pool, Object::AsidPool)
        }
        Cap::Endpoint { object, .. } => (object, Object::ENDPOINT),
        Cap::Notification { object, .. } => (object, Object::NOTIFICATION),
        Cap::StreamTable { base, .. } => (base, Object::StreamTable),
        Cap::Vcpu(vcpu) => (vcpu, Object::Vcpu(Vcpu::new())),
        Cap::Untyped { .. }
        | Cap::AsidControl
        | Cap::SidControl
        | Cap::Sid(_)
        | Cap::CbControl
        | Cap::Cb(_)
        | Cap::IrqControl
        | Cap::IrqHandler(_)
        | Cap::SgiSignal { .. }
        | Cap::Reply { .. }
        | Cap::Dying { .. }
        | Cap::Domain => return,
    };
    state.objects.insert(at, object);
}

fn without_mapping(mut cap: Cap) -> (Cap, Option<Mapping>) {
    let mapping =
        if let Cap::Frame { mapped, .. } | Cap::PageTable { mapped, .. } = &mut cap { mapped.take() } else { None };
    (cap, mapping)
}

/// The slot of a CNode that a thread's capability was derived from.
fn source(state: &State, cap: &Cap) -> Option<Slot> {
    let object = cap.object()?;
    state.slots.iter().find(|(_, held)| held.cap.object() == Some(object)).map(|(slot, _)| *slot)
}

fn vspaces(state: &State) -> BTreeMap<Asid, Slot> {
    let named = |cap: Cap| if let Cap::VSpace { asid, .. } = cap { asid } else { None };
    state.slots.iter().rev().filter_map(|(slot, held)| Some((named(held.cap)?, *slot))).collect()
}
