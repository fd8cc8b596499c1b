//! A thread with few capabilities: whatever it does changes only what they allow, in both machines.

use std::collections::{HashSet, VecDeque};

use sluice_abi::bootinfo::slot;
use sluice_abi::smmu::StreamId;
use sluice_abi::{ObjectType, PhysAddr, Syscall, VirtAddr};
use sluice_abstract::{Answer, Cap, Invocation, NewBuffer, NewSpace, Rights, Slot, step, trespasses};

use crate::input::{Act, Say};
use crate::machine::IDENTITY;
use crate::scope::{free, retype};
use crate::system::{System, report};

/// log2 of the slots the thread has.
const RADIX: u32 = 4;
/// Guard that makes a capability pointer of 64 bits the index of a slot.
const GUARD: u64 = 64 - RADIX as u64;

/// Slots of the thread.
mod own {
    pub(super) const CNODE: u64 = 0;
    pub(super) const UNTYPED: u64 = 1;
    pub(super) const FRAME: u64 = 2;
    pub(super) const SPACE: u64 = 3;
    pub(super) const SID: u64 = 4;
    pub(super) const CB: u64 = 5;
    pub(super) const FREE: [u64; 2] = [6, 7];
    pub(super) const NOTIFICATION: u64 = 8;
}

const PAGE: VirtAddr = VirtAddr(0x20_0000);

struct Confined {
    system: System,
    thread: PhysAddr,
    node: PhysAddr,
}

impl Confined {
    fn new() -> Self {
        let mut system = System::boot(IDENTITY);
        system.looking = false;
        let at = |system: &System, index| free(system.node, index);
        let fixed = |system: &System, index| Slot::Node { node: system.node, index };
        let untyped = system.untyped(false);
        for (kind, bits, index) in [
            (ObjectType::CNode, RADIX, 0),
            (ObjectType::Tcb, 0, 1),
            (ObjectType::SmallPage, 0, 2),
            (ObjectType::SmallPage, 0, 3),
            (ObjectType::VSpace, 0, 4),
            (ObjectType::Notification, 0, 8),
            (ObjectType::Untyped, 13, 9),
        ] {
            system.done(&retype(untyped, kind, bits, at(&system, index)));
        }
        let pool = fixed(&system, slot::INIT_ASID_POOL);
        system.done(&Invocation::AssignAsid { pool, vspace: at(&system, 4) });
        for table in [5, 6, 7] {
            system.done(&retype(untyped, ObjectType::PageTable, 0, at(&system, table)));
            system.done(&Invocation::TableMap { table: at(&system, table), vspace: at(&system, 4), at: PAGE });
        }
        let stream = StreamId { smmu: 0, sid: crate::watch::STREAMS[1] };
        let control = fixed(&system, slot::SID_CONTROL);
        system.done(&Invocation::GetSid { control, stream, dest: at(&system, 10) });
        let control = fixed(&system, slot::CB_CONTROL);
        system.done(&Invocation::GetCb { control, smmu: 0, cb: 2, dest: at(&system, 11) });
        let Some(Cap::CNode { base: node, .. }) = system.state.cap(at(&system, 0)) else { panic!("no CNode") };
        let Some(Cap::Thread(thread)) = system.state.cap(at(&system, 1)) else { panic!("no thread") };
        let give = |index| Slot::Node { node, index };
        for (source, dest) in
            [(9, own::UNTYPED), (3, own::FRAME), (4, own::SPACE), (10, own::SID), (11, own::CB), (8, own::NOTIFICATION)]
        {
            let (source, dest) = (at(&system, source), give(dest));
            system.done(&Invocation::Copy { source, dest, rights: Rights::ALL });
        }
        let source = at(&system, 0);
        system.done(&Invocation::Mint { source, dest: give(own::CNODE), rights: Rights::ALL, data: GUARD });
        let given = [at(&system, 1), at(&system, 0), at(&system, 2)];
        start(&mut system, given);
        assert_eq!(system.state.running, Some(thread), "the other thread runs");
        system.looking = true;
        Self { system, thread, node }
    }
}

/// Gives the thread its CSpace, the root's VSpace, and a buffer, and lets it run beside the root thread.
fn start(system: &mut System, [thread, cnode, buffer]: [Slot; 3]) {
    let fixed = |index| Slot::Node { node: system.node, index };
    let (vspace, authority) = (fixed(slot::INIT_VSPACE), fixed(slot::INIT_TCB));
    let space = Some(NewSpace { handler: 0, cspace: cnode, cspace_data: GUARD, vspace, vspace_data: 0 });
    let buffer = Some(NewBuffer { address: 0x7f_0000, frame: buffer });
    system.done(&Invocation::Configure { thread, space, buffer });
    system.done(&Invocation::SetPriorities { thread, authority, max_priority: Some(255), priority: Some(255) });
    system.done(&Invocation::Resume(thread));
    system.happens(&Act::Say(Say::new(Syscall::Yield, 0, 0)));
}

fn alphabet(node: PhysAddr) -> Vec<Invocation> {
    let at = |index| Slot::Node { node, index };
    let mut all = Vec::new();
    let [first, second] = own::FREE.map(at);
    for (kind, bits) in [(ObjectType::SmallPage, 0), (ObjectType::Endpoint, 0), (ObjectType::CNode, 1)] {
        all.push(retype(at(own::UNTYPED), kind, bits, first));
    }
    for source in (0..6).map(at) {
        all.push(Invocation::Copy { source, dest: second, rights: Rights::READ });
        all.push(Invocation::Delete(source));
        all.push(Invocation::Revoke(source));
    }
    all.extend(own::FREE.map(|slot| Invocation::Delete(at(slot))));
    for frame in [at(own::FRAME), first, second] {
        let (vspace, rights) = (at(own::SPACE), Rights::ALL);
        all.push(Invocation::PageMap { frame, vspace, at: PAGE, rights, execute: false, cacheable: true });
        all.push(Invocation::PageUnmap(frame));
    }
    all.push(Invocation::AssignVspace { cb: at(own::CB), vspace: at(own::SPACE) });
    all.push(Invocation::UnassignVspace(at(own::CB)));
    all.push(Invocation::AssignCdTable { cb: at(own::CB), words: [PAGE.0, 0] });
    all.push(Invocation::UnassignCdTable(at(own::CB)));
    all.push(Invocation::BindCb { sid: at(own::SID), cb: at(own::CB) });
    all.push(Invocation::UnbindCb(at(own::SID)));
    all.push(Invocation::SetFaultHandler { sid: at(own::SID), notification: Some(at(own::NOTIFICATION)), budget: 1 });
    all
}

/// `System::act` fails on a change without authority.
#[test]
fn a_confined_thread_changes_only_what_its_authority_allows() {
    const DEPTH: usize = 2;
    let start = Confined::new();
    assert_eq!(start.system.state.authority(start.thread).len(), 7);
    assert!(start.system.state.authority(start.system.root.at()).len() > 30);
    let mut seen = HashSet::from([start.system.state.clone()]);
    let mut open = VecDeque::from([(start.system.inputs, start.system.state, 0)]);
    let mut steps = 0;
    while let Some((inputs, state, length)) = open.pop_front() {
        let mut system = System::after(IDENTITY, &inputs, &state);
        for invocation in alphabet(start.node) {
            if !system.act(&invocation.into()).is_some_and(|outcome| outcome.changed) {
                continue;
            }
            steps += 1;
            if seen.insert(system.state.clone()) && length + 1 < DEPTH {
                open.push_back((system.inputs, system.state, length + 1));
            }
            system = System::after(IDENTITY, &inputs, &state);
        }
    }
    report(&format!("a confined thread: all sequences to length {DEPTH}: {} states, {steps} steps", seen.len()));
    assert!(steps > 100);
}

/// What the owner of everything does is, seen from the confined thread, a trespass.
#[test]
fn what_others_do_is_beyond_its_authority() {
    let confined = Confined::new();
    let (state, root) = (&confined.system.state, confined.system.root.at());
    let fixed = |index| Slot::Node { node: confined.system.node, index };
    let beyond = |invocation: &Invocation| {
        let Answer { state: after, .. } = step(state, root, invocation).expect("possible for the root thread");
        assert!(trespasses(state, root, &after).is_empty(), "{invocation:?} is within the root's authority");
        !trespasses(state, confined.thread, &after).is_empty()
    };
    assert!(beyond(&Invocation::Delete(fixed(slot::BOOT_INFO_FRAME))));
    assert!(beyond(&Invocation::PageUnmap(fixed(slot::BOOT_INFO_FRAME))));
    assert!(beyond(&Invocation::Revoke(fixed(slot::SID_CONTROL))));
    let (control, at) = (fixed(slot::SID_CONTROL), |index| free(confined.system.node, index));
    assert!(beyond(&Invocation::BypassStream { control, sid: at(10) }), "the stream is its own, the choice is not");
    assert!(beyond(&Invocation::DisableSmmu { control, smmu: 0 }));
    assert!(beyond(&Invocation::Suspend(fixed(slot::INIT_TCB))));
    assert!(!beyond(&Invocation::Delete(Slot::Node { node: confined.node, index: own::FRAME })));
}
