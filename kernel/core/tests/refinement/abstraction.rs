//! From the kernel's state to the abstract machine's: lists become parents, tables become maps.

mod derivation;
mod guest;
mod space;
mod thread;

use std::collections::{BTreeMap, BTreeSet};

use sluice_abi::smmu::{ContextId, Record, StreamId};
use sluice_abi::{Iova, ObjectType, PhysAddr, SLOT_BITS};
use sluice_abstract::{
    Asid, Cap, Faults, Interrupts, LatestFault, Map, Object, RejectedCommand, Slot, Smmu, State, ThreadSlot,
};
use sluice_core::cap as concrete;
use sluice_core::object::{
    AsidPool, Context, Endpoint, Notification, NotificationState, Stream, StreamState, Tcb, TcbSlot, Vcpu,
    stream_shadow,
};
use sluice_core::{Handle, Kernel, Store};
use sluice_smmu::Mode;

pub(crate) use thread::buffer_at;

use crate::boot::{
    CONTEXT_COUNT, CONTEXTS, INTERRUPTS, INTIDS, KERNEL, KERNEL_BYTES, MAINTENANCE, SMMU_EVENTS, STREAM_TABLE, TIMER,
    VIRTUAL_TIMER, abilities,
};
use crate::machine::{Machine, SMMU, SMMU_BYTES};

/// Streams of one table.
const STREAMS: u32 = 256;

/// The abstract state of the kernel.
#[expect(clippy::wildcard_enum_match_arm, reason = "capabilities of other kinds are to no typed memory")]
pub(crate) fn abstraction(kernel: &Kernel<Machine>) -> State {
    let machine = &kernel.hal;
    let tables = tables(machine);
    let slots = derivation::slots(machine, |slot| name(machine, &tables, slot.at()));
    let mut state = State { slots: slots.into_iter().collect(), objects: objects(kernel), ..State::default() };
    for held in state.slots.values() {
        let (at, object) = match held.cap {
            Cap::Frame { base, size, .. } => (base, Object::Frame(size)),
            Cap::PageTable { base, .. } => (base, Object::PageTable),
            Cap::VSpace { root, .. } => (root, Object::VSpace),
            Cap::StreamTable { base, .. } => (base, Object::StreamTable),
            Cap::AsidPool { pool, base } => {
                state.pools.insert(base, pool);
                continue;
            }
            _ => continue,
        };
        let other = state.objects.insert(at, object.clone());
        assert!(other.as_ref().is_none_or(|other| *other == object), "{at} is {object:?} and {other:?}");
    }
    for (base, pool) in &state.pools {
        for index in 0..512u16 {
            if let Some(entry) = machine.get(Handle::<AsidPool>::new(*pool)).entry(index.into()) {
                state.spaces.insert(Asid(base.0 + index), space::space(machine, &entry));
            }
        }
    }
    state.kept = BTreeSet::from([(PhysAddr(KERNEL), KERNEL_BYTES), (SMMU, SMMU_BYTES)]);
    state.running = kernel.current().map(Handle::at);
    let interrupts = machine.interrupts.borrow();
    state.interrupts = Interrupts {
        last: INTIDS - 1,
        kept: BTreeSet::from([TIMER, SMMU_EVENTS, VIRTUAL_TIMER, MAINTENANCE]),
        edge: interrupts.edge.clone(),
        in_service: interrupts.active.clone(),
    };
    state.virtualization = guest::virtualization(kernel);
    let smmu = Smmu {
        tables: tables.keys().copied().collect(),
        unclaimed: kernel.unclaimed(0).collect(),
        dropped: kernel.unclaimed_dropped(0),
        ..smmu(kernel)
    };
    state.smmus.insert(0, smmu);
    add_faults(machine, &tables, &mut state);
    assert_flags_agree(machine, &tables, &state);
    state
}

/// What the kernel knows of the SMMU itself.
fn smmu(kernel: &Kernel<Machine>) -> Smmu {
    let driver = kernel.smmu_driver(0).expect("an SMMU");
    let errors = driver.global_errors(&kernel.hal);
    let rejected = errors.rejected.map(|rejected| RejectedCommand {
        error: rejected.error.field().into(),
        index: rejected.index.into(),
        words: rejected.words,
    });
    let (up, errors) = (driver.mode() == Mode::Enabled, errors.active.into());
    Smmu { up, errors, rejected, ..Smmu::new(512, CONTEXT_COUNT, abilities(driver.features())) }
}

/// Tables of streams in use, by their first stream.
fn tables(machine: &Machine) -> BTreeMap<u32, PhysAddr> {
    let later = machine.objects.slots().filter_map(|(_, slot)| {
        let concrete::Cap::StreamTable { base, mapped } = slot.cap() else { return None };
        Some((mapped?.sid, base))
    });
    later.chain([(0, STREAM_TABLE)]).collect()
}

/// The streams that anything happens to in a world, as far as there is a table for them.
fn shadows(tables: &BTreeMap<u32, PhysAddr>) -> impl Iterator<Item = (StreamId, Handle<Stream>)> + '_ {
    crate::watch::STREAMS.into_iter().filter_map(|sid| {
        let (first, table) = tables.range(..=sid).next_back().filter(|(first, _)| sid - **first < STREAMS)?;
        Some((StreamId { smmu: 0, sid }, stream_shadow(*table, (sid - first).into())))
    })
}

/// The abstract name of the slot at an address.
fn name(machine: &Machine, tables: &BTreeMap<u32, PhysAddr>, at: PhysAddr) -> Option<Slot> {
    let (start, extent) = machine.objects.overlapping(at, 1 << SLOT_BITS)?;
    let (start, index) = (PhysAddr(start), (at.0 - start) >> SLOT_BITS);
    if extent.kind == "slots" {
        let of_interrupts = start == INTERRUPTS;
        return Some(if of_interrupts { Slot::Interrupt(index as u32) } else { Slot::Node { node: start, index } });
    }
    if machine.objects.find(Handle::<Tcb>::new(start)).is_some() {
        let which = [
            (TcbSlot::CSpace, ThreadSlot::CSpace),
            (TcbSlot::VSpace, ThreadSlot::VSpace),
            (TcbSlot::Reply, ThreadSlot::Reply),
            (TcbSlot::Caller, ThreadSlot::Caller),
            (TcbSlot::Buffer, ThreadSlot::Buffer),
        ];
        let (_, which) = which.into_iter().find(|(slot, _)| *slot as u64 == index)?;
        return Some(Slot::Thread { thread: start, which });
    }
    if let Some((context, _)) = contexts().find(|(_, handle)| handle.slot(Context::VSPACE).at() == at) {
        return Some(Slot::Translation(context));
    }
    tables.iter().find_map(|(first, table)| {
        let (base, next) = (stream_shadow(*table, 0).at(), stream_shadow(*table, 1).at());
        let number = start.0.checked_sub(base.0)? / (next.0 - base.0);
        let stream = StreamId { smmu: 0, sid: first + u32::try_from(number).ok().filter(|number| *number < STREAMS)? };
        Some(if index == Stream::CONTEXT { Slot::Binding(stream) } else { Slot::Handler(stream) })
    })
}

fn contexts() -> impl Iterator<Item = (ContextId, Handle<Context>)> {
    (0..CONTEXT_COUNT as u16)
        .map(|cb| (ContextId { smmu: 0, cb }, Handle::new(PhysAddr(CONTEXTS.0 + u64::from(cb) * Context::STRIDE))))
}

fn capability(cap: &concrete::Cap) -> Cap {
    if let concrete::Cap::Zombie(zombie) = cap {
        let bits = match zombie.kind {
            concrete::ZombieKind::Thread => ObjectType::Tcb.size_bits(0),
            concrete::ZombieKind::CNode { radix } => ObjectType::CNode.size_bits(radix.into()),
        };
        return Cap::Dying { base: zombie.base, left: zombie.remaining, bits };
    }
    sluice_conformance::capability(cap).expect("no slot in a list is empty")
}

fn objects(kernel: &Kernel<Machine>) -> Map<PhysAddr, Object> {
    let objects = &kernel.hal.objects;
    let mut all = Map::new();
    for (at, _) in objects.all::<Tcb>() {
        all.insert(at.at(), Object::Thread(thread::thread(kernel, at)));
    }
    for (at, endpoint) in objects.all::<Endpoint>() {
        all.insert(at.at(), Object::Endpoint { waiting: thread::queue(kernel, endpoint.queue.head()) });
    }
    all.extend(objects.all::<Vcpu>().map(|(at, _)| (at.at(), Object::Vcpu(guest::vcpu(kernel, at)))));
    for (at, notification) in objects.all::<Notification>() {
        let bound = notification.bound_thread().map(Handle::at);
        let pending = match notification.state() {
            NotificationState::Active(badge) => Some(badge),
            NotificationState::Idle | NotificationState::Waiting => None,
        };
        let waiting = thread::queue(kernel, notification.queue.head());
        all.insert(at.at(), Object::Notification { bound, pending, waiting });
    }
    all.extend(objects.all::<AsidPool>().map(|(at, _)| (at.at(), Object::AsidPool)));
    for (start, extent) in objects.extents() {
        if extent.kind == "slots" && start != INTERRUPTS.0 {
            all.insert(PhysAddr(start), Object::CNode { radix: ((extent.end - start) >> SLOT_BITS).ilog2() });
        }
    }
    all
}

fn add_faults(machine: &Machine, tables: &BTreeMap<u32, PhysAddr>, state: &mut State) {
    for (stream, shadow) in shadows(tables) {
        let shadow = machine.get(shadow);
        let oldest = shadow.pending.get().map(|pending| Record {
            event: pending.event,
            stream,
            iova: Iova(pending.iova),
            ipa: pending.ipa,
            flags: pending.flags,
            dropped: 0,
        });
        let faults = Faults {
            budget: shadow.budget.get(),
            seen: shadow.delivered.get(),
            oldest,
            dropped: shadow.dropped.get(),
            quarantined: shadow.state.get() == StreamState::Quarantined,
        };
        if shadow.state.get() == StreamState::Bypassed {
            state.bypassed.insert(stream);
        }
        if faults != Faults::default() {
            state.faults.insert(stream, faults);
        }
    }
    for (context, handle) in contexts() {
        if let Some(table) = machine.get(handle).stage1.get() {
            state.stage1.insert(context, table);
        }
        let (event, iova) = machine.get(handle).last_event.get();
        if event != 0 {
            state.latest.insert(context, LatestFault { event, iova });
        }
    }
}

/// What the kernel remembers beside the capabilities says the same as they do.
fn assert_flags_agree(machine: &Machine, tables: &BTreeMap<u32, PhysAddr>, state: &State) {
    let exists = |wanted: Cap| state.slots.values().any(|held| held.cap == wanted);
    for (stream, shadow) in shadows(tables) {
        let shadow = machine.get(shadow);
        assert_eq!(shadow.issued.get(), exists(Cap::Sid(stream)), "{stream} is issued");
        let quarantined = state.faults.get(&stream).is_some_and(|faults| faults.quarantined);
        let Some(Cap::Cb(context)) = state.cap(Slot::Binding(stream)) else {
            let aborts = matches!(shadow.state.get(), StreamState::Abort | StreamState::Bypassed);
            assert!(aborts, "{stream} is not bound");
            continue;
        };
        let bound = shadow.state.get() == StreamState::Bound;
        assert_eq!(bound, state.space_of(context).is_some() && !quarantined, "{stream} is bound");
    }
    for (context, handle) in contexts() {
        assert_eq!(machine.get(handle).issued.get(), exists(Cap::Cb(context)), "{context:?} is issued");
    }
    let interrupts = machine.interrupts.borrow();
    // The virtual timer's is as the last guest had it, and means nothing while none runs.
    let in_guest = state.running.and_then(|running| state.thread(running)?.vcpu).is_some();
    if in_guest {
        assert_eq!(interrupts.enabled.contains(&VIRTUAL_TIMER), !state.is_masked(VIRTUAL_TIMER), "the guest's timer");
    }
    for intid in (0..INTIDS).filter(|intid| *intid != VIRTUAL_TIMER) {
        assert_eq!(interrupts.enabled.contains(&intid), state.is_enabled(intid), "interrupt {intid} is enabled");
    }
}
