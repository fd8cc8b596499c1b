//! Deleting and revoking what contains itself, others, or the one who asks.

use sluice_abi::bootinfo::slot::{INIT_CNODE, INIT_TCB, INIT_VSPACE};
use sluice_abi::cap::cnode_data;
use sluice_abi::{Label, ObjectType, Syscall};
use sluice_core::Handle;
use sluice_core::cap::Cap;
use sluice_core::object::{Tcb, ThreadState};

use crate::snapshot::Snapshot;
use crate::user::*;

/// Runs `prepare`, then `act` once without interrupts, and again with one before each look for interrupts in turn.
/// All runs must end alike; the invariants are checked wherever an interrupt came.
fn same_with_interrupts<P>(prepare: impl Fn(&mut System) -> P, act: impl Fn(&mut System, &P)) {
    let run = |interrupts: Option<u64>| {
        let mut system = System::boot();
        let prepared = prepare(&mut system);
        let before = system.machine().looks();
        if let Some(after) = interrupts {
            system.machine().interrupt_after(after);
        }
        act(&mut system, &prepared);
        system.machine().quiet();
        (Snapshot::of(&system.kernel), system.machine().looks() - before)
    };
    let (expected, looks) = run(None);
    assert!(looks > 0, "nothing long was done");
    for after in 0..looks {
        let (found, _) = run(Some(after));
        expected.assert_unchanged(&found);
    }
}

/// A CNode full of capabilities, in a slot of the root CNode.
fn full_node(system: &mut System, radix: u64) -> u64 {
    let node = system.make(ObjectType::CNode, radix);
    for index in 0..1 << radix {
        let object = system.make(ObjectType::Endpoint, 0);
        system.move_into(object, node, index, radix);
    }
    node
}

#[test]
fn deleting_a_cnode_deletes_what_is_in_it() {
    let prepare = |system: &mut System| full_node(system, 3);
    same_with_interrupts(prepare, |system, node| {
        assert_eq!(system.delete(*node), ok());
        assert_eq!(system.cap(*node), Cap::Null);
    });
}

#[test]
fn revoking_an_untyped_ends_every_kind_of_object() {
    let prepare = |system: &mut System| {
        let parent = system.make(ObjectType::Untyped, 18);
        for object in [
            ObjectType::Tcb,
            ObjectType::Endpoint,
            ObjectType::Notification,
            ObjectType::SmallPage,
            ObjectType::PageTable,
            ObjectType::VSpace,
        ] {
            let made = system.make_from(parent, object, 0);
            if object == ObjectType::Endpoint || object == ObjectType::Notification {
                let badged = system.minted(made, 15, 1);
                system.copied(badged);
            }
        }
        let node = system.make_from(parent, ObjectType::CNode, 2);
        let copy = system.copied(node);
        system.move_into(copy, node, 3, 2);
        let nested = system.make_from(parent, ObjectType::Untyped, 12);
        system.make_from(nested, ObjectType::Tcb, 0);
        parent
    };
    same_with_interrupts(prepare, |system, parent| {
        assert_eq!(system.revoke(*parent), ok());
        let Cap::Untyped(untyped) = system.cap(*parent) else { panic!("the parent is gone") };
        let mut inside = system
            .machine()
            .objects
            .extents()
            .filter(|(start, _)| (untyped.base.0..untyped.base.0 + untyped.size()).contains(start));
        assert!(inside.next().is_none(), "an object survived");
    });
}

#[test]
fn a_cnode_that_only_holds_itself_goes_with_its_memory() {
    for index in [0, 1, 6, 7] {
        let prepare = |system: &mut System| {
            let parent = system.make(ObjectType::Untyped, 12);
            let node = system.make_from(parent, ObjectType::CNode, 3);
            for other in (0..8).filter(|other| *other != index) {
                let object = system.make(ObjectType::Notification, 0);
                system.move_into(object, node, other, 3);
            }
            system.move_into(node, node, index, 3);
            parent
        };
        same_with_interrupts(prepare, |system, parent| assert_eq!(system.revoke(*parent), ok()));
    }
}

#[test]
fn cnodes_that_hold_each_other_go() {
    for (inner, outer) in [(0, 0), (0, 2), (3, 0), (1, 3), (3, 3)] {
        let prepare = |system: &mut System| {
            let parent = system.make(ObjectType::Untyped, 14);
            let a = system.make_from(parent, ObjectType::CNode, 2);
            let b = system.make_from(parent, ObjectType::CNode, 2);
            let copy = system.copied(b);
            for index in (0..4).filter(|index| *index != inner) {
                let object = system.make(ObjectType::Endpoint, 0);
                system.move_into(object, a, index, 2);
            }
            system.move_into(b, a, inner, 2);
            system.move_into(a, copy, outer, 2);
            assert_eq!(system.delete(copy), ok());
            parent
        };
        same_with_interrupts(prepare, |system, parent| assert_eq!(system.revoke(*parent), ok()));
    }
}

#[test]
fn a_chain_of_cnodes_goes_without_recursion() {
    let prepare = |system: &mut System| {
        let parent = system.make(ObjectType::Untyped, 16);
        let mut outer = full_node(system, 1);
        for _ in 0..12 {
            let node = system.make_from(parent, ObjectType::CNode, 1);
            system.move_into(outer, node, 1, 1);
            outer = node;
        }
        outer
    };
    same_with_interrupts(prepare, |system, outer| assert_eq!(system.delete(*outer), ok()));
}

#[test]
fn a_thread_takes_its_spaces_along() {
    let prepare = |system: &mut System| {
        let thread = system.thread(10);
        let node = full_node(system, 2);
        let caps = [node, INIT_VSPACE];
        system.done(thread.cptr, Label::TcbSetSpace, &caps, &[0, 0, 0]);
        // The thread has the only capability to its CSpace, which holds the only one to the thread but one.
        let copy = system.copied(thread.cptr);
        let words = [0, 2];
        system.done(node, Label::CNodeDelete, &[], &words);
        system.move_into(copy, node, 0, 2);
        assert_eq!(system.delete(node), ok());
        (thread.cptr, system.untyped)
    };
    same_with_interrupts(prepare, |system, (thread, _)| {
        // The copy inside its own CSpace keeps it alive, out of anybody's reach but the Untyped's.
        assert_eq!(system.delete(*thread), ok());
        assert_eq!(system.revoke(system.untyped), ok());
    });
}

#[test]
fn a_thread_can_delete_itself() {
    let mut system = System::boot();
    let thread = system.thread(255);
    let waiter = system.thread(100);
    system.resume(waiter);
    system.resume(thread);
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    assert_eq!(system.current(), thread.tcb);
    system.syscall(Syscall::Call, INIT_CNODE, Label::CNodeDelete as u64, &[], &[thread.cptr, DEPTH]);
    assert_eq!(system.current(), system.root);
    assert_eq!(system.cap(thread.cptr), Cap::Null);
}

/// A running thread that can revoke the Untyped it is made of, together with its CSpace and the slot of the Untyped.
/// What is made last is revoked first.
fn self_contained(system: &mut System, thread_goes_first: bool) -> Handle<Tcb> {
    let parent = system.make(ObjectType::Untyped, 16);
    let early = if thread_goes_first { None } else { Some(system.make_from(parent, ObjectType::Tcb, 0)) };
    let node = system.make_from(parent, ObjectType::CNode, 2);
    let tcb = early.unwrap_or_else(|| system.make_from(parent, ObjectType::Tcb, 0));
    // Its CSpace: the Untyped in slot 1, the CNode itself in slot 2.
    let root = system.minted(node, 15, cnode_data(0, 62));
    system.done(tcb, Label::TcbSetSpace, &[root, INIT_VSPACE], &[0, 0, 0]);
    system.move_into(root, node, 2, 2);
    system.move_into(parent, node, 1, 2);
    system.done(tcb, Label::TcbSetSchedParams, &[INIT_TCB], &[255, 255]);
    let thread = system.handle(tcb);
    system.syscall(Syscall::Call, tcb, Label::TcbResume as u64, &[], &[]);
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    assert_eq!(system.current(), thread);
    thread
}

const REVOKE_OWN: (Syscall, u64, u64) = (Syscall::Call, 2, Label::CNodeRevoke as u64);

#[test]
fn a_thread_can_revoke_everything_it_is_made_of() {
    let mut system = System::boot();
    self_contained(&mut system, true);
    let (call, cptr, label) = REVOKE_OWN;
    system.syscall(call, cptr, label, &[], &[1, 64]);
    assert_eq!(system.current(), system.root);
}

#[test]
fn a_revoke_ends_with_the_slot_it_is_about() {
    let mut system = System::boot();
    let thread = self_contained(&mut system, false);
    let (call, cptr, label) = REVOKE_OWN;
    system.syscall(call, cptr, label, &[], &[1, 64]);
    // The CNode went, and the Untyped's capability with it: the thread is nobody's descendant any more.
    assert_eq!(system.current(), thread);
    assert_eq!(system.message(thread).label, 0);
}

#[test]
fn a_thread_interrupted_while_it_revokes_itself_leaves_a_sound_state() {
    for (looks, thread_goes_first) in (0..12).flat_map(|looks| [(looks, false), (looks, true)]) {
        let mut system = System::boot();
        let thread = self_contained(&mut system, thread_goes_first);
        system.machine().interrupt_after(looks);
        // Started over, it may find its CSpace gone: then the call is refused, or faults.
        let (call, cptr, label) = REVOKE_OWN;
        system.syscall(call, cptr, label, &[], &[1, 64]);
        assert!(thread_goes_first || system.machine().objects.find(thread).is_some());
        assert!(!thread_goes_first || system.kernel.current() == Some(system.root));
    }
}

#[test]
fn deleting_an_endpoint_restarts_who_waits() {
    let mut system = System::boot();
    let endpoint = system.make(ObjectType::Endpoint, 0);
    let badged = system.minted(endpoint, 15, 5);
    system.set_priority(INIT_TCB, 50);
    let threads = [system.running(60), system.running(70)];
    // Both have run until they wait.
    assert_eq!(system.current(), threads[1].tcb);
    system.syscall(Syscall::Send, badged, 0, &[], &[1]);
    system.syscall(Syscall::Send, endpoint, 0, &[], &[2]);
    assert_eq!(system.current(), system.root);
    for thread in threads {
        assert!(matches!(system.state(thread.tcb), ThreadState::BlockedOnSend(_)));
    }
    assert_eq!(system.kernel.tcb(threads[0].tcb).context.pc.get(), AFTER_SVC);
    system.syscall(Syscall::Call, INIT_CNODE, Label::CNodeDelete as u64, &[], &[endpoint, DEPTH]);
    assert_eq!(system.current(), system.root, "a badged capability keeps the endpoint");
    system.syscall(Syscall::Call, INIT_CNODE, Label::CNodeDelete as u64, &[], &[badged, DEPTH]);
    assert_eq!(system.current(), threads[1].tcb);
    assert_eq!(system.kernel.tcb(threads[1].tcb).context.pc.get(), AFTER_SVC - 4);
    // Started over, the call finds an empty slot, and nobody is told.
    system.syscall(Syscall::Send, badged, 0, &[], &[1]);
    assert_eq!(system.current(), threads[1].tcb);
    system.syscall(Syscall::Call, threads[1].cptr, Label::TcbSuspend as u64, &[], &[]);
    assert_eq!(system.current(), threads[0].tcb);
}
