//! Random sequences of operations on a small CSpace. The invariants are checked after every step, and at every
//! preemption; what is refused must change nothing (both in [`System`]).

use proptest::prelude::*;
use sluice_abi::bootinfo::slot::{INIT_ASID_POOL, INIT_CNODE, INIT_TCB, INIT_VSPACE};
use sluice_abi::cap::cnode_data;
use sluice_abi::{Label, ObjectType};
use sluice_core::cap::{Cap, same_object};

use crate::invariants;
use crate::snapshot::Snapshot;
use crate::user::*;

/// Slots the operations choose from.
const SLOTS: u64 = 16;
/// log2 of the memory they share.
const MEMORY_BITS: u64 = 15;

/// Where a capability goes: a slot, or slot `index` of the CNode in a slot.
#[derive(Clone, Copy, Debug)]
enum Place {
    Slot(u64),
    Inside { node: u64, index: u64 },
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Retype { untyped: u64, object: ObjectType, bits: u64, dest: u64, count: u64 },
    Copy { source: Place, dest: Place, rights: u64 },
    Mint { source: Place, dest: Place, rights: u64, badge: u64 },
    Move { source: Place, dest: Place },
    Mutate { source: Place, dest: Place, data: u64 },
    Rotate { source: u64, pivot: u64, dest: u64 },
    Delete(Place),
    Revoke(Place),
    SetSpace { thread: u64, node: u64 },
    SetBuffer { thread: u64, frame: u64 },
    Bind { thread: u64, notification: u64 },
    Unbind { thread: u64 },
    Resume { thread: u64 },
    Suspend { thread: u64 },
    SetPriority { thread: u64, priority: u64 },
    AssignAsid { vspace: u64 },
    MapTable { table: u64, vspace: u64 },
    MapFrame { frame: u64, vspace: u64, page: u64, rights: u64 },
    Unmap { slot: u64 },
}

fn slot() -> impl Strategy<Value = u64> {
    0..SLOTS
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        3 => slot().prop_map(Place::Slot),
        1 => (slot(), 0..4u64).prop_map(|(node, index)| Place::Inside { node, index }),
    ]
}

fn object() -> impl Strategy<Value = (ObjectType, u64)> {
    prop_oneof![
        (4..13u64).prop_map(|bits| (ObjectType::Untyped, bits)),
        Just((ObjectType::Tcb, 0)),
        Just((ObjectType::Endpoint, 0)),
        Just((ObjectType::Notification, 0)),
        (1..4u64).prop_map(|bits| (ObjectType::CNode, bits)),
        Just((ObjectType::SmallPage, 0)),
        Just((ObjectType::PageTable, 0)),
        Just((ObjectType::VSpace, 0)),
    ]
}

fn cnode_op() -> impl Strategy<Value = Op> {
    let retype = (slot(), object(), slot(), 1..4u64);
    prop_oneof![
        6 => retype.prop_map(|(untyped, (object, bits), dest, count)| Op::Retype { untyped, object, bits, dest, count }),
        3 => (place(), place(), 0..16u64).prop_map(|(source, dest, rights)| Op::Copy { source, dest, rights }),
        3 => (place(), place(), 0..16u64, 0..4u64)
            .prop_map(|(source, dest, rights, badge)| Op::Mint { source, dest, rights, badge }),
        4 => (place(), place()).prop_map(|(source, dest)| Op::Move { source, dest }),
        1 => (place(), place(), 0..3u64)
            .prop_map(|(source, dest, bits)| Op::Mutate { source, dest, data: cnode_data(0, bits as u32) }),
        1 => (slot(), slot(), slot()).prop_map(|(source, pivot, dest)| Op::Rotate { source, pivot, dest }),
        2 => place().prop_map(Op::Delete),
        2 => place().prop_map(Op::Revoke),
    ]
}

fn object_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (slot(), slot()).prop_map(|(thread, node)| Op::SetSpace { thread, node }),
        (slot(), slot()).prop_map(|(thread, frame)| Op::SetBuffer { thread, frame }),
        (slot(), slot()).prop_map(|(thread, notification)| Op::Bind { thread, notification }),
        slot().prop_map(|thread| Op::Unbind { thread }),
        slot().prop_map(|thread| Op::Resume { thread }),
        slot().prop_map(|thread| Op::Suspend { thread }),
        (slot(), 0..3u64).prop_map(|(thread, priority)| Op::SetPriority { thread, priority }),
        slot().prop_map(|vspace| Op::AssignAsid { vspace }),
        (slot(), slot()).prop_map(|(table, vspace)| Op::MapTable { table, vspace }),
        (slot(), slot(), 0..2u64, 0..4u64).prop_map(|(frame, vspace, page, rights)| Op::MapFrame {
            frame,
            vspace,
            page,
            rights
        }),
        slot().prop_map(|slot| Op::Unmap { slot }),
    ]
}

/// A system with a small Untyped in the first of sixteen slots.
struct Playground {
    system: System,
    first: u64,
}

impl Playground {
    fn new() -> Self {
        let mut system = System::boot();
        let first = system.make(ObjectType::Untyped, MEMORY_BITS);
        system.next_slot += SLOTS;
        Self { system, first }
    }

    fn at(&self, slot: u64) -> u64 {
        self.first + slot
    }

    /// CNode, index and depth of a place.
    fn resolve(&self, place: Place) -> (u64, u64, u64) {
        match place {
            Place::Slot(slot) => (INIT_CNODE, self.at(slot), DEPTH),
            Place::Inside { node, index } => {
                let Cap::CNode(cnode) = self.system.cap(self.at(node)) else {
                    return (INIT_CNODE, self.at(node), DEPTH);
                };
                let depth = u64::from(cnode.radix) + u64::from(cnode.guard_bits);
                (self.at(node), index & ((1 << cnode.radix) - 1), depth)
            }
        }
    }

    fn move_like(&mut self, label: Label, source: Place, dest: Place, rest: &[u64]) -> Reply {
        let (source_root, source, source_depth) = self.resolve(source);
        let (dest_root, dest, dest_depth) = self.resolve(dest);
        let mut words = vec![dest, dest_depth, source, source_depth];
        words.extend(rest);
        self.system.call(dest_root, label, &[source_root], &words)
    }

    fn call(&mut self, slot: u64, label: Label, caps: &[u64], words: &[u64]) -> Reply {
        let cptr = self.at(slot);
        // A message to an endpoint would have to wait for ever.
        if matches!(self.system.cap(cptr), Cap::Endpoint(_)) {
            ok()
        } else {
            self.system.call(cptr, label, caps, words)
        }
    }

    fn step(&mut self, op: Op) -> Reply {
        match op {
            Op::Retype { untyped, object, bits, dest, count } => {
                let count = count.min(SLOTS - dest);
                let words = [object as u64, bits, 0, 0, self.at(dest), count];
                self.call(untyped, Label::UntypedRetype, &[INIT_CNODE], &words)
            }
            Op::Copy { source, dest, rights } => self.move_like(Label::CNodeCopy, source, dest, &[rights]),
            Op::Mint { source, dest, rights, badge } => {
                self.move_like(Label::CNodeMint, source, dest, &[rights, badge])
            }
            Op::Move { source, dest } => self.move_like(Label::CNodeMove, source, dest, &[]),
            Op::Mutate { source, dest, data } => self.move_like(Label::CNodeMutate, source, dest, &[data]),
            Op::Rotate { source, pivot, dest } => {
                let words = [self.at(dest), DEPTH, 0, self.at(pivot), DEPTH, 0, self.at(source), DEPTH];
                self.system.call(INIT_CNODE, Label::CNodeRotate, &[INIT_CNODE, INIT_CNODE], &words)
            }
            Op::Delete(place) => self.remove(Label::CNodeDelete, place),
            Op::Revoke(place) => self.remove(Label::CNodeRevoke, place),
            Op::SetSpace { thread, node } => {
                let caps = [self.at(node), INIT_VSPACE];
                self.call(thread, Label::TcbSetSpace, &caps, &[0, 0, 0])
            }
            Op::SetBuffer { thread, frame } => {
                let caps = [self.at(frame)];
                self.call(thread, Label::TcbSetIpcBuffer, &caps, &[0x1000])
            }
            Op::Bind { thread, notification } => {
                let caps = [self.at(notification)];
                self.call(thread, Label::TcbBindNotification, &caps, &[])
            }
            Op::Unbind { thread } => self.call(thread, Label::TcbUnbindNotification, &[], &[]),
            Op::Resume { thread } => self.call(thread, Label::TcbResume, &[], &[]),
            Op::Suspend { thread } => self.call(thread, Label::TcbSuspend, &[], &[]),
            Op::SetPriority { thread, priority } => self.call(thread, Label::TcbSetPriority, &[INIT_TCB], &[priority]),
            Op::AssignAsid { vspace } => {
                let caps = [self.at(vspace)];
                self.system.call(INIT_ASID_POOL, Label::AsidPoolAssign, &caps, &[])
            }
            Op::MapTable { table, vspace } => {
                let caps = [self.at(vspace)];
                self.call(table, Label::PageTableMap, &caps, &[0, 3])
            }
            Op::MapFrame { frame, vspace, page, rights } => {
                let caps = [self.at(vspace)];
                self.call(frame, Label::PageMap, &caps, &[page << 12, rights, 3])
            }
            Op::Unmap { slot } => {
                let is_table = matches!(self.system.cap(self.at(slot)), Cap::PageTable(_));
                let label = if is_table { Label::PageTableUnmap } else { Label::PageUnmap };
                self.call(slot, label, &[], &[])
            }
        }
    }

    /// Deletes or revokes, and looks whether that is what happened. The CNode asked through may go on the way, when it
    /// is deleted by its own means; then the call may be refused after an interruption.
    fn remove(&mut self, label: Label, place: Place) -> Reply {
        let (root, index, depth) = self.resolve(place);
        let before = match place {
            Place::Slot(slot) => Some((self.at(slot), self.system.cap(self.at(slot)))),
            Place::Inside { .. } => None,
        };
        let reply = self.system.call(root, label, &[], &[index, depth]);
        if let Some((at, cap)) = before.filter(|_| reply == ok()) {
            if label == Label::CNodeDelete {
                assert_eq!(self.system.cap(at), Cap::Null, "not deleted");
            } else if self.system.cap(at) != Cap::Null {
                assert!(cap == Cap::Null || same_kind(&cap, &self.system.cap(at)), "revoking changed what was revoked");
                assert_eq!(invariants::descendants(&self.system.kernel, self.system.slot(at)), 0, "not revoked");
            }
        }
        reply
    }
}

fn same_kind(before: &Cap, after: &Cap) -> bool {
    match (before, after) {
        (Cap::Untyped(before), Cap::Untyped(after)) => before.base == after.base && before.bits == after.bits,
        (before, after) => same_object(before, after),
    }
}

/// Runs the operations, each with an interrupt before that look for interrupts.
fn run(ops: &[(Op, Option<u64>)]) -> Snapshot {
    let mut playground = Playground::new();
    for (op, interrupt) in ops {
        playground.system.machine().quiet();
        if let Some(looks) = interrupt {
            playground.system.machine().interrupt_after(*looks);
        }
        playground.step(*op);
    }
    playground.system.machine().quiet();
    // Whatever they made of it, the memory can be had back.
    let system = &mut playground.system;
    let untyped = system.untyped;
    assert_eq!(system.revoke(untyped), ok());
    let Cap::Untyped(memory) = system.cap(untyped) else { panic!("the Untyped is gone") };
    let in_use = system.machine().objects.overlapping(memory.base, memory.size());
    assert!(in_use.is_none(), "an object survives");
    Snapshot::of(&system.kernel)
}

fn never(ops: Vec<Op>) -> Vec<(Op, Option<u64>)> {
    ops.into_iter().map(|op| (op, None)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn capabilities_and_memory_stay_sound(ops in prop::collection::vec(cnode_op(), 1..60)) {
        run(&never(ops));
    }

    #[test]
    fn objects_and_capabilities_stay_sound(
        ops in prop::collection::vec(prop_oneof![2 => cnode_op().boxed(), 1 => object_op().boxed()], 1..80),
    ) {
        run(&never(ops));
    }

    #[test]
    fn interrupts_leave_a_sound_state(
        ops in prop::collection::vec((cnode_op(), prop::option::weighted(0.7, 0..6u64)), 1..60),
    ) {
        run(&ops);
    }
}
