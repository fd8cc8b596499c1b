//! `Untyped_Retype`.

use sluice_abi::bootinfo::slot;
use sluice_abi::{Label, LookupFailure, MAX_UNTYPED_BITS, ObjectType, RETYPE_FAN_OUT_LIMIT};
use sluice_conformance_task::Refusal;

use super::{Entry, Topic};
use crate::target::call::Call;
use crate::target::memory::{load, store};
use crate::target::world::{EMPTY, Outcome, World, retype};

pub(crate) const TOPIC: Topic = Topic {
    name: "untyped",
    checks: &[
        Entry::new("sizes", sizes),
        Entry::new("alignment", alignment),
        Entry::new("fan-out", fan_out),
        Entry::new("reset-and-zero", reset_and_zero),
        Entry::new("nested-destination", nested_destination),
        Entry::new("retype-refusals", refusals),
        Entry::new("device-refusals", device_refusals),
    ],
};

/// Every kind of object, with its size argument and the bytes it takes.
const OBJECTS: &[(ObjectType, u64, u64)] = &[
    (ObjectType::Untyped, 4, 1 << 4),
    (ObjectType::Untyped, 13, 1 << 13),
    (ObjectType::Untyped, 20, 1 << 20),
    (ObjectType::Tcb, 0, 1 << 11),
    (ObjectType::Endpoint, 0, 1 << 4),
    (ObjectType::Notification, 0, 1 << 5),
    (ObjectType::CNode, 1, 1 << 6),
    (ObjectType::CNode, 8, 1 << 13),
    (ObjectType::VSpace, 0, 1 << 12),
    (ObjectType::SmallPage, 0, 1 << 12),
    (ObjectType::LargePage, 0, 1 << 21),
    (ObjectType::PageTable, 0, 1 << 12),
    (ObjectType::Vcpu, 0, 1 << 12),
];

/// Each object takes exactly its size from an Untyped that has nothing else in it.
fn sizes(world: &mut World) -> Outcome {
    let untyped = world.make(ObjectType::Untyped, 22)?;
    for (object, bits, bytes) in OBJECTS {
        let dest = world.slot();
        world.ok(&retype(untyped, *object, *bits, dest, 1))?;
        let left = world.bytes_left(untyped);
        world.equal(format_args!("bytes left after one {object:?} {bits}"), left, (1 << 22) - bytes);
        world.revoke(untyped)?;
        world.that(format_args!("{object:?} {bits} is gone"), world.is_empty(dest));
        world.equal(format_args!("bytes left after revoking {object:?}"), world.bytes_left(untyped), 1 << 22);
    }
    Ok(())
}

/// An object starts at a multiple of its size; what is skipped counts as used.
fn alignment(world: &mut World) -> Outcome {
    let untyped = world.make(ObjectType::Untyped, 16)?;
    let first = world.slots(4);
    world.ok(&retype(untyped, ObjectType::Endpoint, 0, first, 1))?;
    world.ok(&retype(untyped, ObjectType::SmallPage, 0, first + 1, 1))?;
    world.equal("bytes left behind a page", world.bytes_left(untyped), (1 << 16) - 2 * 4096);
    world.ok(&retype(untyped, ObjectType::SmallPage, 0, first + 2, 1))?;
    let address = |cap| world.call(&Call::of(cap, Label::PageGetAddress)).word(0);
    let (one, two) = (address(first + 1), address(first + 2));
    world.equal("address of the second page", two, one + 4096);
    world.equal("address of the first page in a page", one % 4096, 0);
    Ok(())
}

fn fan_out(world: &mut World) -> Outcome {
    let untyped = world.make(ObjectType::Untyped, 14)?;
    let first = world.slots(RETYPE_FAN_OUT_LIMIT + 1);
    let too_many = retype(untyped, ObjectType::Endpoint, 0, first, RETYPE_FAN_OUT_LIMIT + 1);
    world.refused("one more than allowed", &too_many, Refusal::Range(1, RETYPE_FAN_OUT_LIMIT));
    world.ok(&retype(untyped, ObjectType::Endpoint, 0, first, RETYPE_FAN_OUT_LIMIT))?;
    let empty = (first..first + RETYPE_FAN_OUT_LIMIT).find(|slot| world.is_empty(*slot));
    world.equal("slot without an endpoint", empty, None);
    world.that("the slot behind is empty", world.is_empty(first + RETYPE_FAN_OUT_LIMIT));
    let left = world.bytes_left(untyped);
    world.equal("bytes left", left, (1 << 14) - 16 * RETYPE_FAN_OUT_LIMIT);
    Ok(())
}

/// Memory that comes back is as if new: from its start, and all zero.
fn reset_and_zero(world: &mut World) -> Outcome {
    let untyped = world.make(ObjectType::Untyped, 12)?;
    let frame = world.slot();
    let address = world.address();
    let make = retype(untyped, ObjectType::SmallPage, 0, frame, 1);
    world.ok(&make)?;
    let place = world.call(&Call::of(frame, Label::PageGetAddress)).word(0);
    world.map(frame, address)?;
    for word in 0..512 {
        world.equal("new memory", load(address + 8 * word), 0);
        store(address + 8 * word, !word);
    }
    world.equal("bytes left", world.bytes_left(untyped), 0);
    world.delete(frame)?;
    world.ok(&make)?;
    world.equal("address of the new frame", world.call(&Call::of(frame, Label::PageGetAddress)).word(0), place);
    world.map(frame, address)?;
    let stale = (0..512).find(|word| load(address + 8 * word) != 0);
    world.equal("word that was not cleared", stale, None);
    Ok(())
}

/// The destination may be a CNode below the one that is named as root.
fn nested_destination(world: &mut World) -> Outcome {
    let node = world.make(ObjectType::CNode, 4)?;
    let call = retype(world.arena, ObjectType::Endpoint, 0, 3, 2).word(2, node).word(3, 64);
    world.ok(&call)?;
    for index in 0..16 {
        let probe = Call::of(node, Label::CNodeMove).words(&[index, 4, EMPTY, 64]).caps(&[slot::INIT_CNODE]);
        let wanted = if (3..5).contains(&index) { 8 } else { 6 };
        world.equal(format_args!("slot {index} of the inner CNode"), world.call(&probe).label(), wanted);
    }
    world.refused("again", &call, Refusal::DeleteFirst);
    let direct = retype(world.arena, ObjectType::Endpoint, 0, 5, 1).cap(0, node);
    world.ok(&direct)?;
    world.refused("the last slot and one more", &direct.word(4, 15).word(5, 2), Refusal::Range(1, 1));
    Ok(())
}

fn refusals(world: &mut World) -> Outcome {
    let untyped = world.make(ObjectType::Untyped, 14)?;
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let dest = world.slots(2);
    let good = retype(untyped, ObjectType::SmallPage, 0, dest, 2);
    let slots = 1u64 << world.info.init_cnode_bits;
    let missing = |bits_left| Refusal::Target(LookupFailure::MissingCapability { bits_left });
    let too_large = Refusal::Range(0, MAX_UNTYPED_BITS.into());
    for (what, call, refusal) in [
        ("another label", Call::of(untyped, Label::CNodeCopy).words(&[0; 6]), Refusal::IllegalOperation),
        ("five words", good.length(5), Refusal::Truncated),
        ("no capability", good.caps(&[]), Refusal::Truncated),
        ("type 12", good.word(0, 12), Refusal::InvalidArgument(0)),
        ("a type of 2^40", good.word(0, 1 << 40), Refusal::InvalidArgument(0)),
        ("64 size bits", good.word(1, 64), too_large),
        ("48 size bits of Untyped", good.word(0, 0).word(1, 48), too_large),
        ("43 size bits of CNode", good.word(0, ObjectType::CNode as u64).word(1, 43), too_large),
        ("no size bits of CNode", good.word(0, ObjectType::CNode as u64), Refusal::InvalidArgument(1)),
        ("3 size bits of Untyped", good.word(0, 0).word(1, 3), Refusal::InvalidArgument(1)),
        ("an endpoint as root", good.cap(0, endpoint), missing(0)),
        ("an endpoint as node", good.word(2, endpoint).word(3, 64), missing(64)),
        ("an empty slot as node", good.word(2, EMPTY).word(3, 64), missing(64)),
        (
            "a root that is no CNode, with depth",
            good.cap(0, endpoint).word(2, 1).word(3, 64),
            Refusal::Target(LookupFailure::InvalidRoot),
        ),
        ("depth 65", good.word(2, 2).word(3, 65), Refusal::Range(1, 64)),
        ("offset behind the node", good.word(4, slots), Refusal::Range(0, slots - 1)),
        ("no objects", good.word(5, 0), Refusal::Range(1, RETYPE_FAN_OUT_LIMIT)),
        ("257 objects", good.word(5, 257), Refusal::Range(1, RETYPE_FAN_OUT_LIMIT)),
        ("past the end of the node", good.word(4, slots - 1), Refusal::Range(1, 1)),
        ("a slot in use", good.word(4, endpoint), Refusal::DeleteFirst),
        ("the second slot in use", good.word(4, endpoint - 1).word(5, 2), Refusal::DeleteFirst),
        ("five pages of four", good.word(4, dest + 2).word(5, 5), Refusal::NotEnoughMemory(1 << 14)),
        ("2 MiB of 16 KiB", good.word(0, ObjectType::LargePage as u64).word(5, 1), Refusal::NotEnoughMemory(1 << 14)),
    ] {
        world.refused(what, &call, refusal);
    }
    world.ok(&good)?;
    let more = good.word(4, dest + 2).word(5, 3);
    world.refused("three pages of two", &more, Refusal::NotEnoughMemory(2 << 12));
    Ok(())
}

/// Device memory becomes frames and smaller Untypeds, and is never an object of the kernel.
fn device_refusals(world: &mut World) -> Outcome {
    let device = world.untypeds().filter(|(_, desc)| desc.is_device == 1).max_by_key(|(_, desc)| desc.size_bits);
    let Some((device, _)) = device else { return Ok(()) };
    let dest = world.slot();
    world.watch(device);
    for object in ObjectType::ALL {
        if object == ObjectType::Untyped || object.frame_size().is_some() {
            continue;
        }
        let call = retype(device, object, 1, dest, 1);
        world.refused("an object of device memory", &call, Refusal::InvalidArgument(1));
    }
    world.ok(&retype(device, ObjectType::HugePage, 0, dest, 1))?;
    Ok(())
}
