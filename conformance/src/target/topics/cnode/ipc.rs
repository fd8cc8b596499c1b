//! What CNodes have to do with messages: saved reply capabilities and cancelled sends.

use sluice_abi::{CapRights, Label, ObjectType, Syscall};
use sluice_conformance_task::Refusal;

use super::{ALL, transfer};
use crate::target::call::{Call, trap};
use crate::target::puppet::Start;
use crate::target::world::{EMPTY, Outcome, World, cnode};

/// The reply capability moves into a slot, from which the caller is answered later.
pub(super) fn save_caller(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let (dest, second) = (world.slot(), world.slot());
    // Without a caller there is nothing to save, which seL4 takes for done.
    world.ok(&cnode(Label::CNodeSaveCaller, dest))?;
    world.that("nothing was saved", world.is_empty(dest));
    let puppet = world.puppet()?;
    let call = Start::syscall(Syscall::Call.word(), [endpoint, 0x9 << 12, 1, 2, 3, 4]);
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
pub(super) fn cancel_badged_sends(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let [one, two] = [world.mint(endpoint, CapRights::all(), 1)?, world.mint(endpoint, CapRights::all(), 2)?];
    let [first, second, third] = [world.puppet()?, world.puppet()?, world.puppet()?];
    for (puppet, cap, word) in [(first, one, 0x11), (second, two, 0x22), (third, one, 0x33)] {
        let send = Start::syscall(Syscall::Send.word(), [cap, 1, word, 0, 0, 0]);
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
    let send = Start::syscall(Syscall::Send.word(), [endpoint, 1, 0x44, 0, 0, 0]);
    world.run(first, send)?;
    world.ok(&cnode(Label::CNodeCancelBadgedSends, endpoint))?;
    world.equal("a sender without a badge", receive(), (0, 0x44));

    // Registers of threads that may run are not for a snapshot.
    for puppet in [first, second, third] {
        world.ok(&Call::of(puppet.tcb, Label::TcbSuspend))?;
    }
    let weak = world.mint(endpoint, CapRights::WRITE, 3)?;
    let notification = world.make(ObjectType::Notification, 0)?;
    for (what, cap) in [("without all rights", weak), ("of a notification", notification), ("of nothing", EMPTY)] {
        world.refused(what, &cnode(Label::CNodeCancelBadgedSends, cap), Refusal::IllegalOperation);
    }
    Ok(())
}
