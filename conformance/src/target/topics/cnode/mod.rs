//! Invocations of CNodes: what each does, and every way in which each is refused.

mod ipc;
mod lookup;
mod rotate;

use sluice_abi::bootinfo::slot;
use sluice_abi::cap::cnode_data;
use sluice_abi::{CapRights, Label, LookupFailure, ObjectType, Syscall};
use sluice_conformance_task::Refusal;

use self::ipc::{cancel_badged_sends, save_caller};
use self::lookup::{lookup_words, one_slot_refusals};
use self::rotate::{rotate, rotate_refusals};
use super::{Entry, Topic};
use crate::target::call::{Call, trap};
use crate::target::world::{DEPTH, EMPTY, Outcome, World, mint, retype};

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
