//! `CNode_Rotate`.

use sluice_abi::bootinfo::slot;
use sluice_abi::cap::cnode_data;
use sluice_abi::{Label, LookupFailure, ObjectType};
use sluice_conformance_task::Refusal;

use crate::target::call::Call;
use crate::target::world::{DEPTH, EMPTY, Outcome, World};

/// `CNode_Rotate` between slots of the root CNode.
fn rotation(dest: u64, pivot: u64, source: u64, data: [u64; 2]) -> Call {
    let words = [dest, DEPTH, data[0], pivot, DEPTH, data[1], source, DEPTH];
    Call::of(slot::INIT_CNODE, Label::CNodeRotate).words(&words).caps(&[slot::INIT_CNODE, slot::INIT_CNODE])
}

pub(super) fn rotate(world: &mut World) -> Outcome {
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

pub(super) fn rotate_refusals(world: &mut World) -> Outcome {
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
