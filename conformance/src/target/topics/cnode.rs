//! Invocations of CNodes: what each does, and every way in which each is refused.

use sluice_abi::bootinfo::slot;
use sluice_abi::cap::cnode_data;
use sluice_abi::{CapRights, Label, LookupFailure, ObjectType, Syscall};
use sluice_conformance_task::Refusal;

use super::{Entry, Topic};
use crate::target::call::{Call, trap};
use crate::target::world::{DEPTH, EMPTY, Outcome, World, cnode, mint, retype};

pub(crate) const TOPIC: Topic = Topic {
    name: "cnode",
    checks: &[
        Entry::new("copy-and-move", copy_and_move),
        Entry::new("copy-refusals", copy_refusals),
        Entry::new("kinds-that-cannot-be-copied", not_copied),
        Entry::new("rotate", rotate),
        Entry::new("rotate-refusals", rotate_refusals),
        Entry::new("delete-and-revoke", delete_and_revoke),
        Entry::new("save-caller", save_caller),
        Entry::new("cancel-badged-sends", cancel_badged_sends),
        Entry::new("one-slot-refusals", one_slot_refusals),
        Entry::new("lookup-words", lookup_words),
    ],
};

/// A copy-like invocation from slot to slot of the root CNode, with all words it needs.
fn transfer(label: Label, source: u64, dest: u64, rest: &[u64]) -> Call {
    let mut words = [dest, DEPTH, source, DEPTH, 0, 0];
    words[4..4 + rest.len()].copy_from_slice(rest);
    Call::of(slot::INIT_CNODE, label).words(&words[..4 + rest.len()]).caps(&[slot::INIT_CNODE])
}

fn poll(cap: u64) -> u64 {
    trap(Syscall::NbRecv.word(), [cap, 0, 0, 0, 0, 0])[0]
}

fn signal(cap: u64) {
    trap(Syscall::Send.word(), [cap, 0, 0, 0, 0, 0]);
}

const ALL: u64 = CapRights::all().bits();

/// Where a capability is, told by what a signal through it does.
fn copy_and_move(world: &mut World) -> Outcome {
    let notification = world.make(ObjectType::Notification, 0)?;
    let dest = world.slots(4);
    world.ok(&transfer(Label::CNodeMint, notification, dest, &[ALL, 0x10]))?;
    signal(dest);
    world.equal("badge of the minted copy", poll(notification), 0x10);
    world.ok(&transfer(Label::CNodeCopy, dest, dest + 1, &[ALL]))?;
    signal(dest + 1);
    world.equal("badge of its copy", poll(notification), 0x10);
    world.ok(&transfer(Label::CNodeMove, dest, dest + 2, &[]))?;
    world.that("a moved capability is not where it was", world.is_empty(dest));
    signal(dest + 2);
    world.equal("badge after the move", poll(notification), 0x10);

    // Moving keeps the place in the derivation tree: revoking the original takes copy and moved one.
    world.revoke(notification)?;
    world.that("the copy goes with the original", world.is_empty(dest + 1));
    world.that("the moved one goes with the original", world.is_empty(dest + 2));

    // Mutate gives a CNode a guard on the way, and takes the source away.
    let node = world.make(ObjectType::CNode, 4)?;
    world.ok(&transfer(Label::CNodeMutate, node, dest, &[cnode_data(0b101, 3)]))?;
    world.that("a mutated capability is not where it was", world.is_empty(node));
    let through =
        Call::of(dest, Label::CNodeCopy).words(&[0b101_0110, 7, notification, DEPTH, ALL]).caps(&[slot::INIT_CNODE]);
    world.ok(&through)?;
    let wrong = LookupFailure::GuardMismatch { bits_left: 7, guard_found: 0b101, guard_bits: 3 };
    world.refused("the guard is there", &through.word(0, 0b100_0111), Refusal::Target(wrong));
    Ok(())
}

fn copy_refusals(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let badged = world.mint(endpoint, CapRights::all(), 5)?;
    let node = world.make(ObjectType::CNode, 4)?;
    let dest = world.slot();
    let missing = Refusal::Source(LookupFailure::MissingCapability { bits_left: DEPTH });
    for (label, rest) in [
        (Label::CNodeCopy, &[ALL][..]),
        (Label::CNodeMint, &[ALL, 7][..]),
        (Label::CNodeMove, &[][..]),
        (Label::CNodeMutate, &[0][..]),
    ] {
        // A CNode can be given new data by all four.
        let good = transfer(label, node, dest, rest);
        let name = |what| (what, good);
        for ((what, call), refusal) in [
            (name("one word"), Refusal::Truncated),
            (name("three words"), Refusal::Truncated),
            (name("one word too few"), Refusal::Truncated),
            (name("no capability"), Refusal::Truncated),
            (name("destination in use"), Refusal::DeleteFirst),
            (name("destination in use and source empty"), Refusal::DeleteFirst),
            (name("source empty"), missing),
            (name("source root that is no CNode"), Refusal::Source(LookupFailure::InvalidRoot)),
            (name("source depth 0"), Refusal::Range(1, 64)),
            (name("source depth 65"), Refusal::Range(1, 64)),
            (name("destination depth 0"), Refusal::Range(1, 64)),
            (name("destination depth 2^8"), Refusal::Range(1, 64)),
        ] {
            let call = match what {
                "one word" => call.length(1),
                "three words" => call.length(3),
                "one word too few" => call.length(4 + rest.len() - 1),
                "no capability" => call.caps(&[]),
                "destination in use" => call.word(0, endpoint),
                "destination in use and source empty" => call.word(0, endpoint).word(2, EMPTY),
                "source empty" => call.word(2, EMPTY),
                "source root that is no CNode" => call.cap(0, endpoint),
                "source depth 0" => call.word(3, 0),
                "source depth 65" => call.word(3, 65),
                "destination depth 0" => call.word(1, 0),
                _ => call.word(1, 256),
            };
            world.refused(what, &call, refusal);
        }
    }
    let too_long = cnode_data(0, 61);
    for (what, call) in [
        ("a second badge", transfer(Label::CNodeMint, badged, dest, &[ALL, 6])),
        ("a badge by Mutate", transfer(Label::CNodeMutate, endpoint, dest, &[6])),
        ("no badge by Mutate", transfer(Label::CNodeMutate, endpoint, dest, &[0])),
        ("a guard too long by Mint", transfer(Label::CNodeMint, node, dest, &[ALL, too_long])),
        ("a guard too long by Mutate", transfer(Label::CNodeMutate, node, dest, &[too_long])),
        ("a label of threads", Call::of(slot::INIT_CNODE, Label::TcbSuspend).words(&[dest, DEPTH])),
        ("no label", Call::raw(slot::INIT_CNODE, 0).words(&[dest, DEPTH])),
        ("a label of 2^51", Call::raw(slot::INIT_CNODE, 1 << 51).words(&[dest, DEPTH])),
    ] {
        world.refused(what, &call, Refusal::IllegalOperation);
    }
    Ok(())
}

/// Kinds that have no copies, and objects that are in no state for one; all of them can be moved.
fn not_copied(world: &mut World) -> Outcome {
    let untyped = world.make(ObjectType::Untyped, 12)?;
    let child = world.slot();
    world.ok(&retype(untyped, ObjectType::Endpoint, 0, child, 1))?;
    let table = world.make(ObjectType::PageTable, 0)?;
    let vspace = world.make(ObjectType::VSpace, 0)?;
    let dest = world.slot();
    for (what, source, refusal) in [
        ("an Untyped with children", untyped, Refusal::RevokeFirst),
        ("interrupt control", slot::IRQ_CONTROL, Refusal::IllegalOperation),
        ("control of streams", slot::SID_CONTROL, Refusal::IllegalOperation),
        ("control of contexts", slot::CB_CONTROL, Refusal::IllegalOperation),
        ("a page table that is not mapped", table, Refusal::IllegalOperation),
        ("a VSpace without an ASID", vspace, Refusal::IllegalOperation),
    ] {
        world.refused(what, &transfer(Label::CNodeCopy, source, dest, &[ALL]), refusal);
        world.refused(what, &transfer(Label::CNodeMint, source, dest, &[ALL, 0]), refusal);
        world.ok(&transfer(Label::CNodeMove, source, dest, &[]))?;
        world.that(format_args!("{what} moves"), world.is_empty(source));
        world.ok(&transfer(Label::CNodeMove, dest, source, &[]))?;
    }
    world.delete(child)?;
    world.ok(&transfer(Label::CNodeCopy, untyped, dest, &[ALL]))?;
    let taken = retype(untyped, ObjectType::Endpoint, 0, child, 1);
    world.refused("an Untyped that was copied has a child", &transfer(Label::CNodeCopy, untyped, child, &[ALL]), {
        Refusal::RevokeFirst
    });
    world.refused("and nothing left to make objects of", &taken, Refusal::NotEnoughMemory(0));
    Ok(())
}

/// `CNode_Rotate` between slots of the root CNode.
fn rotation(dest: u64, pivot: u64, source: u64, data: [u64; 2]) -> Call {
    let words = [dest, DEPTH, data[0], pivot, DEPTH, data[1], source, DEPTH];
    Call::of(slot::INIT_CNODE, Label::CNodeRotate).words(&words).caps(&[slot::INIT_CNODE, slot::INIT_CNODE])
}

fn rotate(world: &mut World) -> Outcome {
    let [one, two] = [world.make(ObjectType::CNode, 1)?, world.make(ObjectType::CNode, 2)?];
    let dest = world.slot();
    // A CNode of radix n has slots 0..2^n at depth n and none at another depth.
    let radix = |world: &World, cap: u64| {
        (1..=4).find(|bits| {
            let probe = Call::of(cap, Label::CNodeMove).words(&[0, *bits, EMPTY, DEPTH]).caps(&[slot::INIT_CNODE]);
            // An empty slot is reached: the source is what is missing.
            world.call(&probe).words() == [1, 2, DEPTH]
        })
    };
    world.ok(&rotation(dest, one, two, [0, 0]))?;
    world.equal("the pivot went to the destination", radix(world, dest), Some(1));
    world.equal("the source went to the pivot", radix(world, one), Some(2));
    world.that("the source is empty", world.is_empty(two));
    // With source and destination the same, two capabilities change places.
    world.ok(&rotation(dest, one, dest, [0, 0]))?;
    world.equal("the first of a swap", radix(world, dest), Some(2));
    world.equal("the second of a swap", radix(world, one), Some(1));
    // Both may get new guards.
    world.ok(&rotation(two, one, dest, [cnode_data(1, 1), cnode_data(0b11, 2)]))?;
    let wrong = |bits_left, guard_found, guard_bits| {
        Refusal::Target(LookupFailure::GuardMismatch { bits_left, guard_found, guard_bits })
    };
    let probe = |cap: u64| Call::of(cap, Label::CNodeDelete).words(&[0, 4]);
    // The data named first is for the destination, which is where the pivot went.
    world.refused("guard in the destination", &probe(two), wrong(4, 1, 1));
    world.refused("guard in the pivot's slot", &probe(one), wrong(4, 0b11, 2));
    Ok(())
}

fn rotate_refusals(world: &mut World) -> Outcome {
    let one = world.make(ObjectType::CNode, 1)?;
    let two = world.make(ObjectType::CNode, 1)?;
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let dest = world.slot();
    let good = rotation(dest, one, two, [0, 0]);
    let empty = LookupFailure::MissingCapability { bits_left: DEPTH };
    for (what, call, refusal) in [
        ("seven words", good.length(7), Refusal::Truncated),
        ("no capability", good.caps(&[]), Refusal::Truncated),
        ("one capability", good.caps(&[slot::INIT_CNODE]), Refusal::Truncated),
        ("pivot is source", rotation(dest, one, one, [0, 0]), Refusal::IllegalOperation),
        ("pivot is destination", rotation(one, one, two, [0, 0]), Refusal::IllegalOperation),
        ("destination in use", rotation(endpoint, one, two, [0, 0]), Refusal::DeleteFirst),
        ("source empty", rotation(dest, one, EMPTY, [0, 0]), Refusal::Source(empty)),
        ("pivot empty", rotation(dest, EMPTY, two, [0, 0]), Refusal::Target(empty)),
        ("pivot root is no CNode", good.cap(0, endpoint), Refusal::Source(LookupFailure::InvalidRoot)),
        ("source root is no CNode", good.cap(1, endpoint), Refusal::Source(LookupFailure::InvalidRoot)),
        ("source depth 0", good.word(7, 0), Refusal::Range(1, 64)),
        ("pivot depth 65", good.word(4, 65), Refusal::Range(1, 64)),
        ("a guard too long for the source", good.word(2, 63 | 7 << 6), Refusal::IllegalOperation),
        ("a guard too long for the pivot", good.word(5, 63 | 7 << 6), Refusal::IllegalOperation),
        ("a badge on the way", rotation(dest, one, endpoint, [0, 0]), Refusal::IllegalOperation),
    ] {
        // 63 bits of guard and one of radix fit exactly; 64 would not, and cannot be said: two slots take one bit.
        let call = if what.starts_with("a guard") { with_wide_nodes(world, call)? } else { call };
        world.refused(what, &call, refusal);
    }
    Ok(())
}

/// The rotation with CNodes of radix 2, for which 63 bits of guard are too many.
fn with_wide_nodes(world: &mut World, call: Call) -> Outcome<Call> {
    let [pivot, source] = [world.make(ObjectType::CNode, 2)?, world.make(ObjectType::CNode, 2)?];
    let dest = world.slot();
    Ok(call.word(0, dest).word(3, pivot).word(6, source))
}

fn delete_and_revoke(world: &mut World) -> Outcome {
    let notification = world.make(ObjectType::Notification, 0)?;
    let [a, b] = [world.mint(notification, CapRights::all(), 1)?, world.mint(notification, CapRights::all(), 2)?];
    let of_a = world.mint(a, CapRights::READ, 0)?;
    let empty = world.slot();
    world.delete(empty)?;
    world.that("deleting from an empty slot is done already", world.is_empty(empty));
    world.revoke(empty)?;
    world.revoke(a)?;
    world.that("revoking leaves the capability itself", !world.is_empty(a));
    world.that("a copy goes with the badged one it is of", world.is_empty(of_a));
    world.ok(&mint(a, of_a, CapRights::all(), 0))?;
    let last = world.mint(of_a, CapRights::READ, 0)?;
    world.revoke(of_a)?;
    world.that("a copy of a copy is its sibling", !world.is_empty(last));
    world.delete(a)?;
    world.that("deleted", world.is_empty(a));
    world.that("its sibling stays", !world.is_empty(b));
    signal(b);
    world.equal("the object lives on", poll(notification), 2);
    world.revoke(notification)?;
    world.that("revoking takes all", world.is_empty(b) && world.is_empty(of_a));
    // The last capability goes, and with it the object: its memory can be used again.
    let untyped = world.make(ObjectType::Untyped, 5)?;
    let (object, copy) = (world.slot(), world.slot());
    world.ok(&retype(untyped, ObjectType::Notification, 0, object, 1))?;
    world.ok(&mint(object, copy, CapRights::all(), 0))?;
    world.delete(object)?;
    let again = retype(untyped, ObjectType::Notification, 0, object, 1);
    world.refused("while a copy lives", &again, Refusal::NotEnoughMemory(0));
    world.delete(copy)?;
    world.ok(&again)?;
    Ok(())
}

/// The reply capability moves into a slot, from which the caller is answered later.
fn save_caller(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let (dest, second) = (world.slot(), world.slot());
    // Without a caller there is nothing to save, which seL4 takes for done.
    world.ok(&cnode(Label::CNodeSaveCaller, dest))?;
    world.that("nothing was saved", world.is_empty(dest));
    let puppet = world.puppet()?;
    let call = crate::target::puppet::Start::syscall(Syscall::Call.word(), [endpoint, 0x9 << 12, 1, 2, 3, 4]);
    world.run(puppet, call)?;
    let received = trap(Syscall::Recv.word(), [endpoint, 0, 0, 0, 0, 0]);
    world.equal("label of the call", received[1] >> 12, 9);
    world.ok(&cnode(Label::CNodeSaveCaller, dest))?;
    world.that("the reply capability is in the slot", !world.is_empty(dest));
    let reports = puppet.reports();
    trap(Syscall::Reply.word(), [0, 0x5 << 12, 0, 0, 0, 0]);
    world.that("Reply finds no caller any more", !world.waits_for(puppet, reports));
    for label in [Label::CNodeCopy, Label::CNodeMint] {
        let call = transfer(label, dest, second, if label == Label::CNodeCopy { &[ALL] } else { &[ALL, 0] });
        world.refused("a reply capability cannot be copied", &call, Refusal::IllegalOperation);
    }
    world.ok(&transfer(Label::CNodeMove, dest, second, &[]))?;
    trap(Syscall::Send.word(), [second, 0x7 << 12 | 1, 0x77, 0, 0, 0]);
    world.that("the caller is answered", world.waits_for(puppet, reports));
    world.equal("the answer", &puppet.reported()[..3], &[0, 0x7 << 12 | 1, 0x77][..]);
    world.that("a reply capability serves once", world.is_empty(second));

    // Deleting it leaves the caller waiting for ever.
    world.run(puppet, call)?;
    trap(Syscall::Recv.word(), [endpoint, 0, 0, 0, 0, 0]);
    world.ok(&cnode(Label::CNodeSaveCaller, dest))?;
    world.delete(dest)?;
    let reports = puppet.reports();
    world.that("a caller whose reply is gone waits", !world.waits_for(puppet, reports));
    // And stopping the caller takes the reply capability away.
    world.run(puppet, call)?;
    trap(Syscall::Recv.word(), [endpoint, 0, 0, 0, 0, 0]);
    world.ok(&cnode(Label::CNodeSaveCaller, dest))?;
    world.ok(&Call::of(puppet.tcb, Label::TcbSuspend))?;
    world.that("no reply to a caller that was stopped", world.is_empty(dest));
    Ok(())
}

/// Senders with the badge start over; others stay in the queue in their order.
fn cancel_badged_sends(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let [one, two] = [world.mint(endpoint, CapRights::all(), 1)?, world.mint(endpoint, CapRights::all(), 2)?];
    let [first, second, third] = [world.puppet()?, world.puppet()?, world.puppet()?];
    for (puppet, cap, word) in [(first, one, 0x11), (second, two, 0x22), (third, one, 0x33)] {
        let send = crate::target::puppet::Start::syscall(Syscall::Send.word(), [cap, 1, word, 0, 0, 0]);
        world.that("the sender waits", !world.run(puppet, send)?);
    }
    world.ok(&cnode(Label::CNodeCancelBadgedSends, one))?;
    // The cancelled ones send anew, behind the one that kept its place.
    for _ in 0..4 {
        world.give_way();
    }
    let receive = || {
        let got = trap(Syscall::Recv.word(), [endpoint, 0, 0, 0, 0, 0]);
        (got[0], got[2])
    };
    world.equal("who kept its place", receive(), (2, 0x22));
    let [a, b] = [receive(), receive()];
    world.that("the others come after", [a, b] == [(1, 0x11), (1, 0x33)] || [a, b] == [(1, 0x33), (1, 0x11)]);
    // Without a badge there is nobody to cancel.
    let send = crate::target::puppet::Start::syscall(Syscall::Send.word(), [endpoint, 1, 0x44, 0, 0, 0]);
    world.run(first, send)?;
    world.ok(&cnode(Label::CNodeCancelBadgedSends, endpoint))?;
    world.equal("a sender without a badge", receive(), (0, 0x44));

    let weak = world.mint(endpoint, CapRights::WRITE, 3)?;
    let notification = world.make(ObjectType::Notification, 0)?;
    for (what, cap) in [("without all rights", weak), ("of a notification", notification), ("of nothing", EMPTY)] {
        world.refused(what, &cnode(Label::CNodeCancelBadgedSends, cap), Refusal::IllegalOperation);
    }
    Ok(())
}

fn one_slot_refusals(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    for label in [Label::CNodeRevoke, Label::CNodeDelete, Label::CNodeCancelBadgedSends, Label::CNodeSaveCaller] {
        let good = cnode(label, EMPTY);
        world.refused("no words", &good.length(0), Refusal::Truncated);
        world.refused("one word", &good.length(1), Refusal::Truncated);
        world.refused("depth 0", &good.word(1, 0), Refusal::Range(1, 64));
        world.refused("depth 65", &good.word(1, 65), Refusal::Range(1, 64));
        world.refused("depth 2^63", &good.word(1, 1 << 63), Refusal::Range(1, 64));
    }
    world.refused("a slot in use", &cnode(Label::CNodeSaveCaller, endpoint), Refusal::DeleteFirst);
    Ok(())
}

/// What each failure of a lookup says, along a chain of CNodes with guards.
#[expect(clippy::unusual_byte_groupings, reason = "the groups are guard and index of each CNode on the way")]
fn lookup_words(world: &mut World) -> Outcome {
    let [outer, inner] = [world.make(ObjectType::CNode, 3)?, world.make(ObjectType::CNode, 4)?];
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    // Outer: 5 bits of guard 0b10110, 3 of index. In its slot 6: inner, with 2 bits of guard 0b01, 4 of index.
    let put = |index: u64, depth: u64, source: u64, data: u64| {
        Call::of(outer, Label::CNodeMint).words(&[index, depth, source, DEPTH, ALL, data]).caps(&[slot::INIT_CNODE])
    };
    world.ok(&put(6, 3, inner, cnode_data(0b01, 2)))?;
    world.ok(&put(1, 3, endpoint, 0))?;
    let chain = world.mint(outer, CapRights::all(), cnode_data(0b10110, 5))?;
    let at = |index: u64, depth: u64| Call::of(chain, Label::CNodeDelete).words(&[index, depth]);
    let guard =
        |bits_left, guard_found, guard_bits| LookupFailure::GuardMismatch { bits_left, guard_found, guard_bits };
    let depth = |bits_left, bits_found| LookupFailure::DepthMismatch { bits_left, bits_found };
    for (what, index, bits, failure) in [
        ("the outer guard is wrong", 0b00110_110_01_0011, 14, guard(14, 0b10110, 5)),
        ("too few bits for the outer guard", 0b1011, 4, guard(4, 0b10110, 5)),
        ("too few bits for the outer index", 0b10110_11, 7, depth(7, 8)),
        ("the inner guard is wrong", 0b10110_110_11_0011, 14, guard(6, 0b01, 2)),
        ("too few bits for the inner guard", 0b10110_110_0, 9, guard(1, 0b01, 2)),
        ("too few bits for the inner index", 0b10110_110_01_001, 13, depth(5, 6)),
        ("bits left behind the inner slot", 0b10110_110_01_0011_1, 15, depth(1, 0)),
        ("bits left at an empty slot", 0b10110_111_0000, 12, depth(4, 0)),
        ("bits left at an endpoint", 0b10110_001_00, 10, depth(2, 0)),
    ] {
        world.refused(what, &at(index, bits), Refusal::Target(failure));
        let call = Call::of(slot::INIT_CNODE, Label::CNodeMove).words(&[EMPTY, DEPTH, index, bits]).caps(&[chain]);
        world.refused(what, &call, Refusal::Source(failure));
    }
    let deep = 0b10110_110_01_0011;
    let copy = Call::of(chain, Label::CNodeCopy).words(&[deep, 14, endpoint, DEPTH, ALL]).caps(&[slot::INIT_CNODE]);
    world.ok(&copy)?;
    world.refused("the slot at the end of the chain", &copy, Refusal::DeleteFirst);
    let seen = Call::of(inner, Label::CNodeMove).words(&[0b0011, 4, EMPTY, DEPTH]).caps(&[slot::INIT_CNODE]);
    world.refused("and the same slot reached directly", &seen, Refusal::DeleteFirst);
    // All of 64 bits: the root's guard is 0 and takes what its index does not.
    let root = u64::from(world.info.init_cnode_bits as u32);
    let wrong = guard(64, 0, 64 - root);
    world.refused("a bit above the root's index", &cnode(Label::CNodeDelete, 1 << root), Refusal::Target(wrong));
    world.refused("60 bits of the root", &cnode(Label::CNodeDelete, 3).word(1, 60), Refusal::Target(depth(60, 64)));
    Ok(())
}
