//! Rights and badges: what a capability with each set of rights can do, and what copying makes of them.

use sluice_abi::bootinfo::slot;
use sluice_abi::{CapRights, Error, Label, MessageInfo, ObjectType, Register, Syscall};
use sluice_conformance_task::Refusal;

use super::{Entry, Topic};
use crate::target::call::{Call, trap};
use crate::target::puppet::Start;
use crate::target::world::{DEPTH, Outcome, World};

pub(crate) const TOPIC: Topic = Topic {
    name: "rights",
    checks: &[
        Entry::new("endpoints", endpoints),
        Entry::new("notifications", notifications),
        Entry::new("copies-never-gain", copies_never_gain),
        Entry::new("badges", badges),
        Entry::new("replies", replies),
    ],
};

fn every_mask() -> impl Iterator<Item = CapRights> {
    (0..16).map(CapRights::from_bits_truncate)
}

/// Sends need the right to write; receives the right to read.
fn endpoints(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    for rights in every_mask() {
        let cap = world.mint(endpoint, rights, 0)?;
        let (write, read) = (rights.contains(CapRights::WRITE), rights.contains(CapRights::READ));
        let puppet = world.puppet()?;
        let info = MessageInfo::new(0, 0, 0, 1).word();
        let call = Start::syscall(Syscall::Call.word(), [cap, info, 0x5e4d, 0, 0, 0]);
        let waits = !world.run(puppet, call)?;
        world.equal(format_args!("{rights:?}: a call waits"), waits, write);
        if !write {
            // Without the right the answer is an error of the capability itself.
            let refused = MessageInfo::new(Error::InvalidCapability as u64, 0, 0, 1).word();
            world.equal(format_args!("{rights:?}: the refusal"), &puppet.reported()[..3], &[0, refused, 0][..]);
            world.refused("sending without the right", &Call::raw(cap, 0), Refusal::InvalidCapability(0));
        }
        world.ok(&Call::of(puppet.tcb, Label::TcbSuspend))?;
        let receive = Start::syscall(Syscall::NbRecv.word(), [cap, 0, 0, 0, 0, 0]);
        world.equal(format_args!("{rights:?}: a poll comes back"), world.run(puppet, receive)?, read);
        world.ok(&Call::of(puppet.tcb, Label::TcbSuspend))?;
    }
    Ok(())
}

fn notifications(world: &mut World) -> Outcome {
    let notification = world.make(ObjectType::Notification, 0)?;
    for rights in every_mask() {
        let cap = world.mint(notification, rights, 0x100)?;
        let (write, read) = (rights.contains(CapRights::WRITE), rights.contains(CapRights::READ));
        let sent = trap(Syscall::Send.word(), [cap, 0, 0, 0, 0, 0]);
        world.equal(format_args!("{rights:?}: registers after a signal"), sent, [cap, 0, 0, 0, 0, 0]);
        let polled = trap(Syscall::NbRecv.word(), [notification, 0, 0, 0, 0, 0])[0];
        world.equal(format_args!("{rights:?}: a signal arrives"), polled, if write { 0x100 } else { 0 });
        if !write {
            world.refused("signalling without the right", &Call::raw(cap, 0), Refusal::InvalidCapability(0));
        }
        let puppet = world.puppet()?;
        let poll = Start::syscall(Syscall::NbRecv.word(), [cap, 0, 0, 0, 0, 0]);
        world.equal(format_args!("{rights:?}: a poll comes back"), world.run(puppet, poll)?, read);
        world.ok(&Call::of(puppet.tcb, Label::TcbSuspend))?;
    }
    Ok(())
}

/// A copy has the rights that both its original and the mask have.
fn copies_never_gain(world: &mut World) -> Outcome {
    let notification = world.make(ObjectType::Notification, 0)?;
    for first in every_mask() {
        for second in every_mask() {
            let original = world.mint(notification, first, 0)?;
            let copy = world.mint(original, second, 0)?;
            trap(Syscall::Send.word(), [copy, 0, 0, 0, 0, 0]);
            // A signal without a badge leaves 0, which cannot be told from none: a waiter tells.
            let refused = world.call(&Call::raw(copy, 0)).label() != 0;
            let both = first.intersection(second);
            world.equal(
                format_args!("{first:?} then {second:?}: may signal"),
                !refused,
                both.contains(CapRights::WRITE),
            );
            let bind = Call::of(slot::INIT_TCB, Label::TcbBindNotification).caps(&[copy]);
            let bound = world.call(&bind).label() == 0;
            world.equal(format_args!("{first:?} then {second:?}: may wait"), bound, both.contains(CapRights::READ));
            if bound {
                world.ok(&Call::of(slot::INIT_TCB, Label::TcbUnbindNotification))?;
            }
            world.delete(copy)?;
            world.delete(original)?;
        }
    }
    Ok(())
}

/// All 64 bits of a badge arrive; a badge is given once.
fn badges(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let puppet = world.puppet()?;
    let patterns = (0..64).map(|bit| 1u64 << bit).chain([u64::MAX, 0x0123_4567_89ab_cdef, 1 << 63 | 1]);
    for badge in patterns {
        let cap = world.mint(endpoint, CapRights::all(), badge)?;
        let copy = world.mint(cap, CapRights::WRITE, 0)?;
        world.run(puppet, Start::syscall(Syscall::Send.word(), [copy, 0, 0, 0, 0, 0]))?;
        let received = trap(Syscall::Recv.word(), [endpoint, 0, 0, 0, 0, 0]);
        world.equal("the badge of the copy", received[0], badge);
        let dest = world.slot();
        let words = [dest, DEPTH, cap, DEPTH, CapRights::all().bits(), 1];
        let again = Call::of(slot::INIT_CNODE, Label::CNodeMint).words(&words).caps(&[slot::INIT_CNODE]);
        let refused = world.call(&again);
        world.equal("a second badge", refused.label(), Error::IllegalOperation as u64);
        world.delete(copy)?;
        world.delete(cap)?;
    }
    Ok(())
}

/// Who calls without a right to grant is not answered, and stops; the answer carries capabilities only if the receiver may.
fn replies(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let gift = world.make(ObjectType::Notification, 0)?;
    let dest = world.slot();
    for rights in every_mask().filter(|rights| rights.contains(CapRights::WRITE)) {
        for receiver in [CapRights::READ, CapRights::READ | CapRights::GRANT] {
            let puppet = world.puppet()?;
            let (cap, source) = (world.mint(endpoint, rights, 0)?, world.mint(endpoint, receiver, 0)?);
            puppet.buffer.set_receive(slot::INIT_CNODE, dest, DEPTH);
            world.run(puppet, Start::syscall(Syscall::Call.word(), [cap, 0, 0, 0, 0, 0]))?;
            trap(Syscall::Recv.word(), [source, 0, 0, 0, 0, 0]);
            let reports = puppet.reports();
            world.buffer.set_cap(0, gift);
            trap(Syscall::Reply.word(), [0, MessageInfo::new(1, 0, 1, 0).word(), 0, 0, 0, 0]);
            let answered = world.waits_for(puppet, reports);
            let may = rights.intersects(CapRights::GRANT | CapRights::GRANT_REPLY);
            world.equal(format_args!("{rights:?} called, {receiver:?} received: answered"), answered, may);
            let given = may && receiver.contains(CapRights::GRANT);
            world.equal(format_args!("{rights:?} called, {receiver:?} received: given"), !world.is_empty(dest), given);
            if !may {
                let pc = world.registers(puppet.tcb)[0];
                world.equal("where it stopped", pc, Start::syscall(0, [0; 6]).get(Register::Pc));
            }
            world.ok(&Call::of(puppet.tcb, Label::TcbSuspend))?;
            world.delete(dest)?;
        }
    }
    Ok(())
}
