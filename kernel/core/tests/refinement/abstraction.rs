//! From the kernel's state to the abstract machine's: lists become parents, tables become maps.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sluice_abi::smmu::{ContextId, StreamId};
use sluice_abi::{CapRights, PhysAddr, SLOT_BITS, VirtAddr};
use sluice_abstract::{Asid, Cap, Held, Mapping, Object, Page, Rights, Slot, Smmu, Space, State, Thread, ThreadSlot};
use sluice_core::cap::{self as concrete, Links, same_region};
use sluice_core::object::{
    AsidPool, Context, Endpoint, Notification, Stream, StreamState, Tcb, TcbSlot, Vcpu, stream_shadow,
};
use sluice_core::{Handle, Kernel, SlotRef, Store};
use sluice_paging::{Entry, Format, MemoryType, TableMemory};

use crate::boot::{CONTEXT_COUNT, CONTEXTS, INTERRUPTS, STREAM_TABLE};
use crate::machine::Machine;

const STREAMS: u32 = 256;

/// The abstract state of the kernel.
pub(crate) fn abstraction(kernel: &Kernel<Machine>) -> State {
    let machine = &kernel.hal;
    let names = names(machine);
    let mut state = State { slots: slots(machine, &names), objects: objects(kernel), ..State::default() };
    for held in state.slots.values() {
        let typed = if let Cap::Frame { base, size, .. } = held.cap {
            Some((base, Object::Frame(size)))
        } else if let Cap::PageTable { base, .. } = held.cap {
            Some((base, Object::PageTable))
        } else if let Cap::VSpace { root, .. } = held.cap {
            Some((root, Object::VSpace))
        } else {
            None
        };
        if let Cap::AsidPool { pool, base } = held.cap {
            state.pools.insert(base, pool);
        }
        if let Some((at, object)) = typed {
            let other = state.objects.insert(at, object);
            assert!(other.is_none_or(|other| other == object), "{at} is {object:?} and {other:?}");
        }
    }
    for (base, pool) in &state.pools {
        for index in 0..512u16 {
            if let Some(entry) = machine.get(Handle::<AsidPool>::new(*pool)).entry(index.into()) {
                state.spaces.insert(Asid(base.0 + index), space(machine, entry.root));
            }
        }
    }
    state.smmus.insert(0, Smmu { streams: 512, contexts: CONTEXT_COUNT, tables: BTreeSet::from([0]) });
    assert_flags_agree(machine, &state);
    state
}

/// Abstract names of the slots in memory. Reply slots have none: messages are not modelled.
fn names(machine: &Machine) -> HashMap<PhysAddr, Slot> {
    let mut names = HashMap::new();
    for (start, extent) in machine.objects.extents() {
        let node = PhysAddr(start);
        if extent.kind == "slots" && node != INTERRUPTS {
            let count = (extent.end - start) >> SLOT_BITS;
            names.extend((0..count).map(|index| (node.offset(index << SLOT_BITS), Slot::Node { node, index })));
        }
    }
    for (tcb, _) in machine.objects.all::<Tcb>() {
        let thread = tcb.at();
        for (concrete, which) in [
            (TcbSlot::CSpace, ThreadSlot::CSpace),
            (TcbSlot::VSpace, ThreadSlot::VSpace),
            (TcbSlot::Buffer, ThreadSlot::Buffer),
        ] {
            names.insert(tcb.slot(concrete as u64).at(), Slot::Thread { thread, which });
        }
    }
    for sid in 0..STREAMS {
        let (shadow, stream) = (stream_shadow(STREAM_TABLE, sid.into()), StreamId { smmu: 0, sid });
        names.insert(shadow.slot(Stream::CONTEXT).at(), Slot::Binding(stream));
        names.insert(shadow.slot(Stream::HANDLER).at(), Slot::Handler(stream));
    }
    for (context, handle) in contexts() {
        names.insert(handle.slot(Context::VSPACE).at(), Slot::Translation(context));
    }
    names
}

fn contexts() -> impl Iterator<Item = (ContextId, Handle<Context>)> {
    (0..CONTEXT_COUNT as u16)
        .map(|cb| (ContextId { smmu: 0, cb }, Handle::new(CONTEXTS.offset(u64::from(cb) * Context::STRIDE))))
}

type Found = (SlotRef, concrete::Cap, Links);

/// Follows each list; a slot's parent is the last one before it whose descendants have not ended.
fn slots(machine: &Machine, names: &HashMap<PhysAddr, Slot>) -> BTreeMap<Slot, Held> {
    let mut all = BTreeMap::new();
    let used: Vec<Found> = machine
        .objects
        .slots()
        .filter(|(_, slot)| !slot.is_empty())
        .map(|(at, slot)| (at, slot.cap(), slot.links()))
        .collect();
    for head in used.iter().filter(|(_, _, links)| links.prev.is_none()) {
        let mut above: Vec<Found> = Vec::new();
        let mut at = Some(*head);
        while let Some(found) = at {
            while above.last().is_some_and(|last| !is_ancestor(last, &found)) {
                above.pop();
            }
            if let (Some(name), Some(cap)) = (names.get(&found.0.at()), capability(&found.1)) {
                let parent = above.last().and_then(|(parent, ..)| names.get(&parent.at())).copied();
                let old = all.insert(*name, Held { cap, parent, original: found.2.revocable });
                assert_eq!(old, None, "{name:?} is in two lists");
            }
            above.push(found);
            at = found.2.next.map(|next| (next, machine.slot(next).cap(), machine.slot(next).links()));
        }
    }
    all
}

fn is_ancestor((_, above, links): &Found, (_, below, lower): &Found) -> bool {
    let badges = match (above, below) {
        (concrete::Cap::Endpoint(above), concrete::Cap::Endpoint(below)) => Some((above.badge, below.badge)),
        (concrete::Cap::Notification(above), concrete::Cap::Notification(below)) => Some((above.badge, below.badge)),
        _ => None,
    };
    let signals = matches!((above, below), (concrete::Cap::SgiSignal(_), concrete::Cap::SgiSignal(_)));
    links.revocable
        && same_region(above, below)
        && !(signals && lower.first_badged)
        && badges.is_none_or(|(above, below)| above == 0 || above == below && !lower.first_badged)
}

fn rights(rights: CapRights) -> Rights {
    Rights {
        read: rights.contains(CapRights::READ),
        write: rights.contains(CapRights::WRITE),
        grant: rights.contains(CapRights::GRANT),
        grant_reply: rights.contains(CapRights::GRANT_REPLY),
    }
}

fn capability(cap: &concrete::Cap) -> Option<Cap> {
    let mapped = |mapping: Option<concrete::Mapping>| {
        mapping.map(|mapping| Mapping { asid: Asid(mapping.asid.0), at: mapping.vaddr })
    };
    Some(match *cap {
        concrete::Cap::Untyped(cap) => {
            Cap::Untyped { base: cap.base, bits: cap.bits.into(), device: cap.device, used: cap.used }
        }
        concrete::Cap::Endpoint(cap) => {
            Cap::Endpoint { object: cap.object.at(), badge: cap.badge, rights: rights(cap.rights) }
        }
        concrete::Cap::Notification(cap) => {
            Cap::Notification { object: cap.object.at(), badge: cap.badge, rights: rights(cap.rights) }
        }
        concrete::Cap::CNode(cap) => {
            Cap::CNode { base: cap.base, radix: cap.radix.into(), guard: cap.guard, guard_bits: cap.guard_bits.into() }
        }
        concrete::Cap::Thread(thread) => Cap::Thread(thread.at()),
        concrete::Cap::Frame(cap) => Cap::Frame {
            base: cap.base,
            size: cap.size,
            rights: rights(cap.rights),
            device: cap.device,
            mapped: mapped(cap.mapped),
        },
        concrete::Cap::PageTable(cap) => Cap::PageTable { base: cap.base, mapped: mapped(cap.mapped) },
        concrete::Cap::VSpace(cap) => Cap::VSpace { root: cap.root, asid: cap.asid.map(|asid| Asid(asid.0)) },
        concrete::Cap::AsidControl => Cap::AsidControl,
        concrete::Cap::AsidPool { pool, base } => Cap::AsidPool { pool: pool.at(), base: Asid(base.0) },
        concrete::Cap::SidControl => Cap::SidControl,
        concrete::Cap::Sid(stream) => Cap::Sid(stream),
        concrete::Cap::CbControl => Cap::CbControl,
        concrete::Cap::Cb { context, .. } => Cap::Cb(context),
        concrete::Cap::StreamTable { base, .. } => Cap::StreamTable(base),
        concrete::Cap::IrqControl => Cap::IrqControl,
        concrete::Cap::IrqHandler(intid) => Cap::IrqHandler(intid),
        concrete::Cap::Domain => Cap::Domain,
        concrete::Cap::Vcpu(vcpu) => Cap::Vcpu(vcpu.at()),
        concrete::Cap::SgiSignal(signal) => Cap::SgiSignal { intid: signal.intid, target: signal.target },
        concrete::Cap::Reply(_) => return None,
        concrete::Cap::Null | concrete::Cap::Zombie(_) => panic!("{cap:?} between two steps"),
    })
}

fn objects(kernel: &Kernel<Machine>) -> BTreeMap<PhysAddr, Object> {
    let objects = &kernel.hal.objects;
    let mut all = BTreeMap::new();
    for (at, tcb) in objects.all::<Tcb>() {
        let notification = tcb.bound_notification.get().map(|bound| bound.at());
        all.insert(at.at(), Object::Thread(Thread { runnable: tcb.state.get().is_runnable(), notification }));
    }
    all.extend(objects.all::<Vcpu>().map(|(at, _)| (at.at(), Object::Vcpu)));
    all.extend(objects.all::<Endpoint>().map(|(at, _)| (at.at(), Object::Endpoint)));
    for (at, notification) in objects.all::<Notification>() {
        all.insert(at.at(), Object::Notification { bound: notification.bound_thread().map(|thread| thread.at()) });
    }
    all.extend(objects.all::<AsidPool>().map(|(at, _)| (at.at(), Object::AsidPool)));
    for (start, extent) in objects.extents() {
        if extent.kind == "slots" && start != INTERRUPTS.0 {
            all.insert(PhysAddr(start), Object::CNode { radix: ((extent.end - start) >> SLOT_BITS).ilog2() });
        }
    }
    all
}

fn space(machine: &Machine, root: PhysAddr) -> Space {
    let mut space = Space::empty(root);
    let mut open = vec![(root, 0u8, 0u64)];
    while let Some((table, level, start)) = open.pop() {
        let entries = if level == 0 { 32 } else { 512 };
        for index in 0..entries {
            let at = VirtAddr(start + (index << Format::coverage_bits(level)));
            match Format::STAGE2.decode(level, machine.load(table.offset(8 * index))) {
                Entry::Invalid => {}
                Entry::Table(next) => {
                    space.tables.insert((level, at), next);
                    open.push((next, level + 1, at.0));
                }
                Entry::Leaf(leaf) => {
                    let rights =
                        Rights { read: leaf.access.read, write: leaf.access.write, grant: false, grant_reply: false };
                    let (execute, cacheable) = (leaf.access.execute, leaf.memory == MemoryType::Normal);
                    let page = Page { frame: leaf.address, size: leaf.size, rights, execute, cacheable };
                    space.pages.insert(at, page);
                }
            }
        }
    }
    space
}

/// What the kernel remembers beside the capabilities says the same as they do.
fn assert_flags_agree(machine: &Machine, state: &State) {
    let exists = |wanted: Cap| state.slots.values().any(|held| held.cap == wanted);
    for sid in crate::watch::STREAMS {
        let stream = StreamId { smmu: 0, sid };
        let shadow = machine.get(stream_shadow(STREAM_TABLE, sid.into()));
        assert_eq!(shadow.issued.get(), exists(Cap::Sid(stream)), "{stream} is issued");
        let Some(Cap::Cb(context)) = state.cap(Slot::Binding(stream)) else {
            assert_eq!(shadow.state.get(), StreamState::Abort, "{stream} is not bound");
            continue;
        };
        assert_eq!(shadow.state.get() == StreamState::Bound, state.space_of(context).is_some(), "{stream} is bound");
    }
    for (context, handle) in contexts() {
        assert_eq!(machine.get(handle).issued.get(), exists(Cap::Cb(context)), "{context:?} is issued");
    }
}
