//! Integrity: a step of a thread changes only what the thread's authority allows.
//!
//! Authority here is what the thread could do with what it can name, without anybody's help: use its slots, revoke what
//! was derived from them, and thereby take apart the objects whose last capability that was.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use sluice_abi::smmu::{ContextId, StreamId};
use sluice_abi::{PhysAddr, Register, VirtAddr};

use crate::{Asid, Cap, Doing, Mapping, Object, ObjectName, Slot, State, ThreadSlot};

/// A change the caller had no authority for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trespass {
    /// Of a slot.
    Slot(Slot),
    /// Of an object.
    Object(PhysAddr),
    /// Of what an address leads to.
    Page(Asid, VirtAddr),
    /// Of a table.
    Table(Asid, VirtAddr),
    /// Of what is remembered of a stream's faults.
    Faults(StreamId),
    /// Of what is remembered of a context's latest fault.
    Latest(ContextId),
    /// Of a context's stage 1.
    Stage1(ContextId),
    /// Of whether a stream reaches all memory.
    Bypass(StreamId),
    /// Of an SMMU itself: whether it is up, and its errors.
    Smmu(u8),
    /// Of whether an interrupt is in service.
    Interrupt(u32),
}

/// Everything a step of `caller` from `before` to `after` changed without authority.
#[must_use]
pub fn trespasses(before: &State, caller: PhysAddr, after: &State) -> Vec<Trespass> {
    let domain = Domain::of(before, caller);
    let mut found = Vec::new();
    let slots: BTreeSet<_> = before.slots.keys().chain(after.slots.keys()).copied().collect();
    for slot in slots {
        let (old, new) = (before.slots.get(&slot), after.slots.get(&slot));
        let only_adopted = match (old, new) {
            (Some(old), Some(new)) => {
                old.cap == new.cap && old.original == new.original && old.parent.is_some_and(|up| domain.has(&up))
            }
            _ => false,
        };
        if old != new && !only_adopted && !domain.has(&slot) {
            found.push(Trespass::Slot(slot));
        }
    }
    let objects: BTreeSet<_> = before.objects.keys().chain(after.objects.keys()).copied().collect();
    for at in objects {
        let (old, new) = (before.objects.get(&at).map(settled), after.objects.get(&at).map(settled));
        if old != new && !domain.may_change_object(before, at) {
            found.push(Trespass::Object(at));
        }
    }
    found.extend(mapping_trespasses(before, &domain, after));
    found.extend(device_trespasses(before, &domain, after));
    found
}

/// An object, where a thread that starts over has begun to: that it gets to run is nobody's doing.
fn settled(object: &Object) -> Object {
    let mut object = object.clone();
    if let Object::Thread(thread) = &mut object
        && thread.doing == Doing::StartingOver
    {
        thread.next = thread.registers.get(Register::Pc);
        thread.doing = Doing::Running;
    }
    object
}

fn device_trespasses(before: &State, domain: &Domain, after: &State) -> Vec<Trespass> {
    let mut found = Vec::new();
    let streams: BTreeSet<_> = before.faults.keys().chain(after.faults.keys()).copied().collect();
    for stream in streams {
        if before.faults.get(&stream) != after.faults.get(&stream)
            && !domain.has_object(before, ObjectName::Stream(stream))
        {
            found.push(Trespass::Faults(stream));
        }
    }
    let contexts: BTreeSet<_> = before.latest.keys().chain(after.latest.keys()).copied().collect();
    for context in contexts {
        let changed = before.latest.get(&context) != after.latest.get(&context);
        if changed && !domain.has_object(before, ObjectName::Context(context)) {
            found.push(Trespass::Latest(context));
        }
    }
    let contexts: BTreeSet<_> = before.stage1.keys().chain(after.stage1.keys()).copied().collect();
    for context in contexts {
        let changed = before.stage1.get(&context) != after.stage1.get(&context);
        let lost = domain.has(&Slot::Translation(context)) && !after.stage1.contains_key(&context);
        if changed && !lost && !domain.has_object(before, ObjectName::Context(context)) {
            found.push(Trespass::Stage1(context));
        }
    }
    let control = domain.caps(before).any(|cap| cap == Cap::SidControl);
    for stream in before.bypassed.symmetric_difference(&after.bypassed) {
        let ends = before.bypassed.contains(stream);
        if !(domain.has_object(before, ObjectName::Stream(*stream)) && (ends || control)) {
            found.push(Trespass::Bypass(*stream));
        }
    }
    for (number, smmu) in &before.smmus {
        let own = |smmu: &crate::Smmu| (smmu.up, smmu.errors, smmu.rejected);
        if !control && after.smmus.get(number).map(own) != Some(own(smmu)) {
            found.push(Trespass::Smmu(*number));
        }
    }
    for intid in before.interrupts.in_service.symmetric_difference(&after.interrupts.in_service) {
        if !domain.has_object(before, ObjectName::Interrupt(*intid)) {
            found.push(Trespass::Interrupt(*intid));
        }
    }
    found
}

fn mapping_trespasses(before: &State, domain: &Domain, after: &State) -> Vec<Trespass> {
    let mut found = Vec::new();
    let names: BTreeSet<_> = before.spaces.keys().chain(after.spaces.keys()).copied().collect();
    for asid in names {
        let (old, new) = (before.spaces.get(&asid), after.spaces.get(&asid));
        let root = old.or(new).map(|space| space.root);
        if root.is_some_and(|root| domain.holds(before, root)) || domain.holds_pool(before, asid) {
            continue;
        }
        let pages = [old, new].into_iter().flatten().flat_map(|space| space.pages.keys().copied());
        for at in pages.collect::<BTreeSet<_>>() {
            let page = |space: Option<&crate::Space>| space.and_then(|space| space.pages.get(&at).copied());
            if page(old) != page(new) && !domain.maps(before, asid, at) {
                found.push(Trespass::Page(asid, at));
            }
        }
        let tables = [old, new].into_iter().flatten().flat_map(|space| space.tables.keys().copied());
        for key in tables.collect::<BTreeSet<_>>() {
            let table = |space: Option<&crate::Space>| space.and_then(|space| space.tables.get(&key).copied());
            if table(old) != table(new) && !domain.maps(before, asid, key.1) {
                found.push(Trespass::Table(asid, key.1));
            }
        }
    }
    found
}

/// What a thread has power over.
struct Domain {
    nodes: BTreeSet<PhysAddr>,
    slots: BTreeSet<Slot>,
    /// Threads it can wake, answer, stop or rewrite.
    threads: BTreeSet<PhysAddr>,
    /// Its virtual processor.
    vcpu: Option<PhysAddr>,
}

impl Domain {
    fn of(state: &State, caller: PhysAddr) -> Self {
        let nodes = state.nameable(caller);
        let mut open: Vec<Slot> = nodes.iter().flat_map(|node| state.slots_in(*node)).collect();
        open.extend([ThreadSlot::Reply, ThreadSlot::Caller].map(|which| Slot::Thread { thread: caller, which }));
        let mut slots = BTreeSet::new();
        while let Some(slot) = open.pop() {
            if !slots.insert(slot) {
                continue;
            }
            open.extend(state.descendants(slot));
            match state.cap(slot) {
                Some(Cap::CNode { base, .. } | Cap::Dying { base, .. }) => {
                    open.extend(state.slots_in(base));
                    // What is left of it goes there.
                    open.push(Slot::Node { node: base, index: 0 });
                }
                Some(Cap::Thread(thread)) => {
                    open.extend(ThreadSlot::ALL.map(|which| Slot::Thread { thread, which }));
                }
                Some(Cap::Sid(stream)) => {
                    slots.extend([Slot::Binding(stream), Slot::Handler(stream)]);
                    open.extend([Slot::Binding(stream), Slot::Handler(stream)]);
                }
                Some(Cap::IrqHandler(intid)) => open.push(Slot::Interrupt(intid)),
                Some(Cap::Cb(context)) => {
                    slots.insert(Slot::Translation(context));
                    open.push(Slot::Translation(context));
                }
                Some(Cap::AsidPool { .. }) => {
                    open.extend(state.slots.keys().filter(|slot| matches!(slot, Slot::Translation(_))));
                }
                _ => {}
            }
        }
        let vcpu = state.thread(caller).and_then(|thread| thread.vcpu);
        let mut domain = Self { nodes, slots, threads: BTreeSet::from([caller]), vcpu };
        let reached = state.objects.keys().filter(|at| domain.reaches_thread(state, **at)).copied();
        let reached: Vec<_> = reached.collect();
        // Whoever receives gets a reply to give, and a capability where it wants one.
        for thread in &reached {
            domain.slots.insert(Slot::Thread { thread: *thread, which: ThreadSlot::Caller });
            domain.slots.extend(state.wanted_slot(*thread));
        }
        domain.threads.extend(reached);
        domain
    }

    /// A capability is to the thread, to its answer, or to what it waits at or is bound to.
    fn reaches_thread(&self, state: &State, at: PhysAddr) -> bool {
        let Some(thread) = state.thread(at) else { return false };
        let waits_at = match &thread.doing {
            Doing::Sending(sending) => Some(sending.endpoint),
            Doing::Receiving { endpoint: object, .. } | Doing::Waiting(object) => Some(*object),
            Doing::Nothing | Doing::Running | Doing::StartingOver | Doing::AwaitingReply { .. } => None,
        };
        self.holds(state, at)
            || self.has_object(state, ObjectName::Reply(at))
            || waits_at.into_iter().chain(thread.notification).any(|object| self.holds(state, object))
    }

    fn has(&self, slot: &Slot) -> bool {
        self.slots.contains(slot) || matches!(slot, Slot::Node { node, .. } if self.nodes.contains(node))
    }

    fn caps<'a>(&'a self, state: &'a State) -> impl Iterator<Item = Cap> + 'a {
        self.slots.iter().filter_map(|slot| state.cap(*slot))
    }

    fn has_object(&self, state: &State, object: ObjectName) -> bool {
        self.caps(state).any(|cap| cap.object() == Some(object))
    }

    fn holds(&self, state: &State, object: PhysAddr) -> bool {
        self.has_object(state, ObjectName::Memory(object))
    }

    fn holds_pool(&self, state: &State, asid: Asid) -> bool {
        self.caps(state).any(|cap| matches!(cap, Cap::AsidPool { base, .. } if base == crate::delete::pool_base(asid)))
    }

    /// A frame or table of its own is, or was, mapped there, or above.
    fn maps(&self, state: &State, asid: Asid, at: VirtAddr) -> bool {
        self.caps(state).any(|cap| {
            if let Cap::PageTable { mapped: Some(mapping), .. } = cap {
                return mapping.asid == asid && mapping.at <= at;
            }
            matches!(cap, Cap::Frame { mapped, .. } if mapped == Some(Mapping { asid, at }))
        })
    }

    /// It has a capability to it, or to the memory it is made in, or to what it is bound to, or power over a thread that
    /// waits there.
    fn may_change_object(&self, state: &State, at: PhysAddr) -> bool {
        let inside =
            |cap: Cap| matches!(cap, Cap::Untyped { base, bits, .. } if base <= at && at.0 - base.0 < 1 << bits);
        let partners = match state.objects.get(&at) {
            Some(Object::Thread(thread)) => [thread.notification, thread.vcpu],
            Some(Object::Notification { bound, .. }) => [*bound, None],
            Some(Object::Vcpu(vcpu)) => [vcpu.thread, None],
            _ => [None; 2],
        };
        self.holds(state, at)
            || self.threads.contains(&at)
            || self.vcpu == Some(at)
            || state.waiting_at(at).iter().any(|thread| self.threads.contains(thread))
            || self.caps(state).any(inside)
            || partners.into_iter().flatten().any(|partner| self.holds(state, partner))
    }
}
