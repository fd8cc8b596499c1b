//! Invocations of CNodes, and the lookup of their arguments.

use sluice_abi::bootinfo::slot::{INIT_CNODE, INIT_TCB, INIT_VSPACE, IRQ_CONTROL};
use sluice_abi::cap::cnode_data;
use sluice_abi::{CapRights, Label, ObjectType};
use sluice_core::cap::{CNode, Cap, EndpointCap};

use crate::user::*;

const READ_WRITE: u64 = 3;
const ALL: u64 = 15;

fn endpoint(system: &System, cptr: u64) -> EndpointCap {
    let Cap::Endpoint(cap) = system.cap(cptr) else { panic!("{:?}", system.cap(cptr)) };
    cap
}

#[test]
fn copies_have_the_rights_that_both_sides_allow() {
    let mut system = System::boot();
    let original = system.make(ObjectType::Endpoint, 0);
    for rights in 0..=15 {
        let copy = system.free_slot();
        assert_eq!(system.copy(original, copy, rights | 0xf0), ok());
        assert_eq!(endpoint(&system, copy).rights, CapRights::from_bits_truncate(rights));
        let second = system.free_slot();
        assert_eq!(system.copy(copy, second, 0b0110), ok());
        assert_eq!(endpoint(&system, second).rights.bits(), rights & 0b0110);
    }
}

#[test]
fn a_badge_is_set_once() {
    let mut system = System::boot();
    let original = system.make(ObjectType::Endpoint, 0);
    let badged = system.minted(original, ALL, 0xdead_beef_0000_0001);
    assert_eq!(endpoint(&system, badged).badge, 0xdead_beef_0000_0001);
    let again = system.free_slot();
    assert_eq!(system.mint(badged, again, ALL, 2), illegal());
    assert_eq!(system.mint(badged, again, ALL, 0xdead_beef_0000_0001), illegal());
    assert_eq!(system.copy(badged, again, ALL), ok());
    let notification = system.make(ObjectType::Notification, 0);
    let signal = system.minted(notification, ALL, 6);
    assert!(matches!(system.cap(signal), Cap::Notification(cap) if cap.badge == 6));
    let other = system.free_slot();
    assert_eq!(system.mint(signal, other, ALL, 7), illegal());
    // Moves never set badges.
    let words = [other, DEPTH, original, DEPTH, 9];
    assert_eq!(system.call(INIT_CNODE, Label::CNodeMutate, &[INIT_CNODE], &words), illegal());
}

#[test]
fn families_of_equal_badges_stay_apart() {
    let mut system = System::boot();
    let original = system.make(ObjectType::Endpoint, 0);
    let elder = system.minted(original, ALL, 5);
    let heir = system.copied(elder);
    let stranger = system.minted(original, ALL, 5);
    // The elder's copy takes its place as the first of the family when the elder goes.
    assert_eq!(system.delete(elder), ok());
    assert_eq!(system.revoke(stranger), ok());
    assert_ne!(system.cap(heir), Cap::Null, "revoked by a stranger with an equal badge");
    assert_eq!(system.revoke(original), ok());
    assert_eq!((system.cap(heir), system.cap(stranger)), (Cap::Null, Cap::Null));
}

#[test]
fn guards_are_set_by_mint_and_mutate() {
    let mut system = System::boot();
    let node = system.make(ObjectType::CNode, 4);
    let minted = system.minted(node, ALL, cnode_data(0xab, 60));
    assert!(matches!(system.cap(minted), Cap::CNode(CNode { guard: 0xab, guard_bits: 60, radix: 4, .. })));
    let bad = system.free_slot();
    assert_eq!(system.mint(node, bad, ALL, cnode_data(0, 61)), illegal());
    let words = [bad, DEPTH, minted, DEPTH, cnode_data(0x1ff, 8)];
    system.done(INIT_CNODE, Label::CNodeMutate, &[INIT_CNODE], &words);
    assert_eq!(system.cap(minted), Cap::Null);
    assert!(matches!(system.cap(bad), Cap::CNode(CNode { guard: 0xff, guard_bits: 8, .. })));
    let words = [minted, DEPTH, bad, DEPTH, cnode_data(0, 63)];
    assert_eq!(system.call(INIT_CNODE, Label::CNodeMutate, &[INIT_CNODE], &words), illegal());
}

#[test]
fn moves_keep_the_place_in_the_tree() {
    let mut system = System::boot();
    let parent = system.make(ObjectType::Endpoint, 0);
    let child = system.minted(parent, ALL, 1);
    let grandchild = system.copied(child);
    let moved = system.free_slot();
    assert_eq!(system.move_to(child, moved), ok());
    assert_eq!(system.cap(child), Cap::Null);
    assert_eq!(system.revoke(moved), ok());
    assert_eq!(system.cap(grandchild), Cap::Null);
    assert_ne!(system.cap(moved), Cap::Null);
    assert_eq!(system.revoke(parent), ok());
    assert_eq!(system.cap(moved), Cap::Null);
    assert_ne!(system.cap(parent), Cap::Null);
}

#[test]
fn what_cannot_be_copied_is_refused() {
    let mut system = System::boot();
    let dest = system.free_slot();
    assert_eq!(system.copy(IRQ_CONTROL, dest, ALL), illegal());
    let untyped = system.untyped;
    system.make(ObjectType::Endpoint, 0);
    assert_eq!(system.copy(untyped, dest, ALL), revoke_first());
    let table = system.make(ObjectType::PageTable, 0);
    assert_eq!(system.copy(table, dest, ALL), illegal());
    let vspace = system.make(ObjectType::VSpace, 0);
    assert_eq!(system.copy(vspace, dest, ALL), illegal());
    let stream_table = system.make(ObjectType::StreamTable, 0);
    assert_eq!(system.copy(stream_table, dest, ALL), illegal());
    assert_eq!(system.copy(INIT_VSPACE, dest, ALL), ok());
}

#[test]
fn messages_too_short_are_refused() {
    let mut system = System::boot();
    let source = system.make(ObjectType::Endpoint, 0);
    let dest = system.free_slot();
    let copy = [dest, DEPTH, source, DEPTH, ALL, 0];
    let lengths = [(Label::CNodeCopy, 5), (Label::CNodeMint, 6), (Label::CNodeMove, 4), (Label::CNodeMutate, 5)];
    for (label, length) in lengths {
        for short in 0..length {
            assert_eq!(system.call(INIT_CNODE, label, &[INIT_CNODE], &copy[..short]), truncated(), "{label:?}");
        }
        assert_eq!(system.call(INIT_CNODE, label, &[], &copy), truncated(), "{label:?}");
    }
    for label in [Label::CNodeRevoke, Label::CNodeDelete, Label::CNodeSaveCaller, Label::CNodeCancelBadgedSends] {
        assert_eq!(system.call(INIT_CNODE, label, &[], &[dest]), truncated(), "{label:?}");
    }
    let rotate = [dest, DEPTH, 0, source, DEPTH, 0, source, DEPTH];
    assert_eq!(system.call(INIT_CNODE, Label::CNodeRotate, &[INIT_CNODE, INIT_CNODE], &rotate[..7]), truncated());
    assert_eq!(system.call(INIT_CNODE, Label::CNodeRotate, &[INIT_CNODE], &rotate), truncated());
}

#[test]
fn labels_of_other_objects_are_refused() {
    let mut system = System::boot();
    for label in [0, 1, 2, 16, 26, 67, 78, 79, 1 << 51] {
        assert_eq!(system.call_raw(INIT_CNODE, label, &[], &[0, 0, 0, 0, 0, 0, 0, 0]), illegal(), "label {label}");
    }
}

#[test]
fn arguments_that_do_not_resolve_say_why() {
    let mut system = System::boot();
    let source = system.make(ObjectType::Endpoint, 0);
    let empty = system.free_slot();
    let node = system.make(ObjectType::CNode, 4);
    let copy = |system: &mut System, dest: [u64; 2], root: u64, source: [u64; 2]| {
        let words = [dest[0], dest[1], source[0], source[1], ALL];
        system.call(INIT_CNODE, Label::CNodeCopy, &[root], &words)
    };
    assert_eq!(copy(&mut system, [empty, 0], INIT_CNODE, [source, 64]), range(1, 64));
    assert_eq!(copy(&mut system, [empty, 65], INIT_CNODE, [source, 64]), range(1, 64));
    assert_eq!(copy(&mut system, [empty, 64], INIT_CNODE, [source, 0]), range(1, 64));
    assert_eq!(copy(&mut system, [source, 64], INIT_CNODE, [source, 64]), delete_first());
    assert_eq!(copy(&mut system, [empty, 64], INIT_CNODE, [empty, 64]), missing(true, 64));
    assert_eq!(copy(&mut system, [empty, 64], source, [source, 64]), invalid_root(true));
    // The root CNode's guard is 54 zero bits.
    assert_eq!(copy(&mut system, [empty, 63], INIT_CNODE, [source, 64]), depth_mismatch(false, 63, 64));
    assert_eq!(copy(&mut system, [empty, 20], INIT_CNODE, [source, 64]), guard_mismatch(false, 20, 0, 54));
    assert_eq!(copy(&mut system, [1 << 10 | empty, 64], INIT_CNODE, [source, 64]), guard_mismatch(false, 64, 0, 54));
    // A CNode without a guard: four bits each, and more are too many unless another CNode takes them.
    assert_eq!(copy(&mut system, [empty, 64], node, [0, 4]), missing(true, 4));
    assert_eq!(copy(&mut system, [empty, 64], node, [0, 3]), depth_mismatch(true, 3, 4));
    assert_eq!(copy(&mut system, [empty, 64], node, [0, 6]), depth_mismatch(true, 2, 0));
}

#[test]
fn nested_cnodes_resolve_bit_by_bit() {
    let mut system = System::boot();
    let outer = system.make(ObjectType::CNode, 4);
    let inner = system.make(ObjectType::CNode, 3);
    let guarded = system.minted(inner, ALL, cnode_data(0b10, 2));
    system.move_into(guarded, outer, 5, 4);
    let endpoint = system.make(ObjectType::Endpoint, 0);
    // 5, guard 0b10, slot 6: nine bits.
    let words = [5 << 5 | 0b10 << 3 | 6, 9, endpoint, DEPTH, ALL];
    system.done(outer, Label::CNodeCopy, &[INIT_CNODE], &words);
    let Cap::CNode(node) = system.cap(inner) else { panic!("{:?}", system.cap(inner)) };
    let found = system.cap_at(sluice_core::SlotRef::new(node.base).nth(6));
    assert_eq!(found, system.cap(endpoint));
    let words = [5 << 5 | 0b11 << 3 | 6, 9, endpoint, DEPTH, ALL];
    assert_eq!(system.call(outer, Label::CNodeCopy, &[INIT_CNODE], &words), guard_mismatch(false, 5, 0b10, 2));
    let words = [5, 4, endpoint, DEPTH, ALL];
    assert_eq!(system.call(outer, Label::CNodeCopy, &[INIT_CNODE], &words), delete_first());
}

#[test]
fn rotation_moves_two_and_may_swap() {
    let mut system = System::boot();
    // Rotating endpoints is refused (their data cannot be kept), so CNodes it is.
    let source = system.make(ObjectType::CNode, 1);
    let pivot = system.make(ObjectType::CNode, 2);
    let dest = system.free_slot();
    let roots = [INIT_CNODE, INIT_CNODE];
    let (source_cap, pivot_cap) = (system.cap(source), system.cap(pivot));
    let rotate = |dest: u64, pivot: u64, source: u64| [dest, DEPTH, 0, pivot, DEPTH, 0, source, DEPTH];
    system.done(INIT_CNODE, Label::CNodeRotate, &roots, &rotate(dest, pivot, source));
    assert_eq!((system.cap(source), system.cap(pivot), system.cap(dest)), (Cap::Null, source_cap, pivot_cap));
    system.done(INIT_CNODE, Label::CNodeRotate, &roots, &rotate(dest, pivot, dest));
    assert_eq!((system.cap(pivot), system.cap(dest)), (pivot_cap, source_cap));

    let call = |system: &mut System, words: &[u64]| system.call(INIT_CNODE, Label::CNodeRotate, &roots, words);
    assert_eq!(call(&mut system, &rotate(source, dest, dest)), illegal());
    assert_eq!(call(&mut system, &rotate(pivot, pivot, dest)), illegal());
    assert_eq!(call(&mut system, &rotate(INIT_TCB, pivot, dest)), delete_first());
    let empty = system.free_slot();
    assert_eq!(call(&mut system, &rotate(source, empty, dest)), missing(false, 64));
    assert_eq!(call(&mut system, &rotate(source, pivot, empty)), missing(true, 64));
    let endpoint = system.make(ObjectType::Endpoint, 0);
    assert_eq!(call(&mut system, &rotate(source, pivot, endpoint)), illegal());
    let mut guards = rotate(source, pivot, dest);
    (guards[2], guards[5]) = (cnode_data(5, 3), cnode_data(0, 64));
    system.done(INIT_CNODE, Label::CNodeRotate, &roots, &guards);
    assert!(matches!(system.cap(source), Cap::CNode(CNode { guard: 5, guard_bits: 3, .. })));
}

#[test]
fn cancelling_badged_sends_needs_all_rights() {
    let mut system = System::boot();
    let original = system.make(ObjectType::Endpoint, 0);
    let cancel = |system: &mut System, at| system.call(INIT_CNODE, Label::CNodeCancelBadgedSends, &[], &[at, DEPTH]);
    let weak = system.minted(original, READ_WRITE, 4);
    assert_eq!(cancel(&mut system, weak), illegal());
    assert_eq!(cancel(&mut system, INIT_TCB), illegal());
    assert_eq!(cancel(&mut system, original), ok());
    let badged = system.minted(original, ALL, 4);
    assert_eq!(cancel(&mut system, badged), ok());
}

#[test]
fn saving_a_caller_needs_an_empty_slot() {
    let mut system = System::boot();
    let empty = system.free_slot();
    let save = |system: &mut System, at| system.call(INIT_CNODE, Label::CNodeSaveCaller, &[], &[at, DEPTH]);
    assert_eq!(save(&mut system, INIT_TCB), delete_first());
    assert_eq!(save(&mut system, empty), ok());
    assert_eq!(system.cap(empty), Cap::Null, "there was no caller");
}

#[test]
fn an_empty_or_missing_capability_is_told() {
    let mut system = System::boot();
    let empty = system.free_slot();
    assert_eq!(system.call(empty, Label::CNodeDelete, &[], &[]), invalid_capability(0));
    let unreadable = system.make(ObjectType::Endpoint, 0);
    let copy = system.free_slot();
    assert_eq!(system.copy(unreadable, copy, 2), ok());
    assert_eq!(system.call(copy, Label::CNodeDelete, &[], &[]), invalid_capability(0));
}
