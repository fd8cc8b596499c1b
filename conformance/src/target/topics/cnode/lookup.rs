//! How slots are named, and everything that can be wrong with it.

use sluice_abi::bootinfo::slot;
use sluice_abi::cap::cnode_data;
use sluice_abi::{CapRights, Label, LookupFailure, ObjectType};
use sluice_conformance_task::Refusal;

use super::ALL;
use crate::target::call::Call;
use crate::target::world::{DEPTH, EMPTY, Outcome, World, cnode};

pub(super) fn one_slot_refusals(world: &mut World) -> Outcome {
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
pub(super) fn lookup_words(world: &mut World) -> Outcome {
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
