//! Capability pointers that lead nowhere.

use sluice_abi::bootinfo::slot;
use sluice_abi::cap::cnode_data;
use sluice_abi::fault::FaultLabel;
use sluice_abi::{CapRights, Label, LookupFailure, MessageInfo, ObjectType, Syscall};

use super::{BADGE, Rig};
use crate::target::call::{Call, trap};
use crate::target::puppet::{Puppet, Start, syscall_at};
use crate::target::world::{DEPTH, Outcome, World};

/// A CSpace of three levels with guards: 20 bits and 2 of index, 10 and 3, 25 and 4.
struct Chain {
    leaf: u64,
    endpoint: u64,
    puppet: Puppet,
    spare: u64,
}

const ROOT_GUARD: u64 = 0xabcde;

const MIDDLE_GUARD: u64 = 0x155;

const LEAF_GUARD: u64 = 0x1ab_cdef;

/// A pointer through all three, with the parts that are not what they should be.
fn path(root: u64, first: u64, middle: u64, second: u64, leaf: u64, third: u64) -> u64 {
    root << 44 | first << 42 | middle << 32 | second << 29 | leaf << 4 | third
}

fn chain(world: &mut World) -> Outcome<Chain> {
    let nodes =
        [world.make(ObjectType::CNode, 2)?, world.make(ObjectType::CNode, 3)?, world.make(ObjectType::CNode, 4)?];
    let [root, middle, leaf] = nodes;
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let spare = world.make(ObjectType::Notification, 0)?;
    let all = CapRights::all().bits();
    let put = |node: u64, index: u64, depth: u64, source: u64, data: u64| {
        Call::of(node, Label::CNodeMint).words(&[index, depth, source, DEPTH, all, data]).caps(&[slot::INIT_CNODE])
    };
    world.ok(&put(middle, 5, 3, leaf, cnode_data(LEAF_GUARD, 25)))?;
    world.ok(&put(middle, 6, 3, leaf, cnode_data(0x2aa_aaaa, 26)))?;
    world.ok(&put(middle, 7, 3, leaf, cnode_data(0x3_5555_5555, 34)))?;
    world.ok(&put(root, 1, 2, middle, cnode_data(MIDDLE_GUARD, 10)))?;
    world.ok(&put(root, 2, 2, endpoint, BADGE))?;
    world.ok(&put(leaf, 9, 4, spare, 0x20))?;
    let puppet = world.puppet()?;
    let handler = path(ROOT_GUARD, 2, 0, 0, 0, 0);
    let space = Call::of(puppet.tcb, Label::TcbSetSpace)
        .words(&[handler, cnode_data(ROOT_GUARD, 20), 0])
        .caps(&[root, slot::INIT_VSPACE]);
    world.ok(&space)?;
    Ok(Chain { leaf, endpoint, puppet, spare })
}

/// Pointers that do not resolve, and why.
fn dead_ends() -> [(u64, LookupFailure); 6] {
    let guard =
        |bits_left, guard_found, guard_bits| LookupFailure::GuardMismatch { bits_left, guard_found, guard_bits };
    [
        (path(ROOT_GUARD ^ 1, 1, MIDDLE_GUARD, 5, LEAF_GUARD, 9), guard(64, ROOT_GUARD, 20)),
        (path(ROOT_GUARD, 1, MIDDLE_GUARD ^ 0x200, 5, LEAF_GUARD, 9), guard(42, MIDDLE_GUARD, 10)),
        (path(ROOT_GUARD, 1, MIDDLE_GUARD, 5, LEAF_GUARD ^ 1, 9), guard(29, LEAF_GUARD, 25)),
        (path(ROOT_GUARD, 1, MIDDLE_GUARD, 5, LEAF_GUARD ^ 0x100_0000, 9), guard(29, LEAF_GUARD, 25)),
        (
            path(ROOT_GUARD, 1, MIDDLE_GUARD, 6, 0, 0) | 0x2aa_aaaa << 3,
            LookupFailure::DepthMismatch { bits_left: 29, bits_found: 30 },
        ),
        (path(ROOT_GUARD, 1, MIDDLE_GUARD, 7, 0, 0), guard(29, 0x3_5555_5555, 34)),
    ]
}

/// The words of a capability fault.
fn cap_fault(pc: u64, cptr: u64, receiving: bool, failure: LookupFailure) -> ([u64; 7], usize) {
    let (kind, [a, b, c], count) = failure.words();
    ([pc, cptr, receiving.into(), kind, a, b, c], 4 + count)
}

pub(super) fn cap_faults_sending(world: &mut World) -> Outcome {
    let chain = chain(world)?;
    let rig = Rig { endpoint: chain.endpoint, puppet: chain.puppet };
    let good = path(ROOT_GUARD, 1, MIDDLE_GUARD, 5, LEAF_GUARD, 9);
    let send = |number: Syscall, cptr| Start::syscall(number.word(), [cptr, 0, 0, 0, 0, 0]);
    world.that("a pointer through the chain sends", world.run(chain.puppet, send(Syscall::Send, good))?);
    let polled = trap(Syscall::NbRecv.word(), [chain.spare, 0, 0, 0, 0, 0])[0];
    world.equal("the badge at the end of the chain", polled, 0x20);
    for (cptr, failure) in dead_ends() {
        let (words, count) = cap_fault(syscall_at(), cptr, false, failure);
        for number in [Syscall::Call, Syscall::Send] {
            let message = rig.fault(world, "a dead end", send(number, cptr))?;
            world.equal(format_args!("label at {cptr:#x}"), message.label(), FaultLabel::Cap as u64);
            world.equal(format_args!("words at {cptr:#x}"), message.words(), &words[..count]);
            // Any answer starts the call over.
            world.that("it fails again", !rig.answer(world, 7, &[1, 2, 3]));
            let again = rig.take(world, "started over");
            world.equal("words when started over", again.words(), &words[..count]);
        }
        let ignored = send(Syscall::NbSend, cptr);
        world.that("NBSend to a dead end does nothing", world.run(chain.puppet, ignored)?);
        world.equal("its registers", chain.puppet.reported()[0], cptr);
    }
    // The pointer of a capability sent along is named when it is that which fails.
    let (bad, failure) = dead_ends()[2];
    chain.puppet.buffer.set_cap(0, good);
    chain.puppet.buffer.set_cap(1, bad);
    let info = MessageInfo::new(0, 0, 2, 0).word();
    let with_caps = |number: Syscall| Start::syscall(number.word(), [good, info, 0, 0, 0, 0]);
    let (words, count) = cap_fault(syscall_at(), bad, false, failure);
    let message = rig.fault(world, "an extra capability", with_caps(Syscall::Call))?;
    world.equal("words for an extra capability", message.words(), &words[..count]);
    world.that("NBSend with it does nothing", world.run(chain.puppet, with_caps(Syscall::NbSend))?);
    let polled = trap(Syscall::NbRecv.word(), [chain.spare, 0, 0, 0, 0, 0])[0];
    world.equal("not even signal", polled, 0);
    // Bits behind a capability that is no CNode do not count.
    let leftover = path(ROOT_GUARD, 2, 0x3ff, 7, 0x1ff_ffff, 0xf);
    let message = Start::syscall(Syscall::NbSend.word(), [leftover, 0, 0, 0, 0, 0]);
    world.that("bits left over are ignored", world.run(chain.puppet, message)?);
    Ok(())
}

pub(super) fn cap_faults_receiving(world: &mut World) -> Outcome {
    let chain = chain(world)?;
    let rig = Rig { endpoint: chain.endpoint, puppet: chain.puppet };
    let at = |index| path(ROOT_GUARD, 1, MIDDLE_GUARD, 5, LEAF_GUARD, index);
    let put = |index: u64, source: u64, rights: CapRights| {
        Call::of(chain.leaf, Label::CNodeCopy)
            .words(&[index, 4, source, DEPTH, rights.bits()])
            .caps(&[slot::INIT_CNODE])
    };
    let bound = world.make(ObjectType::Notification, 0)?;
    let other = world.make(ObjectType::Tcb, 0)?;
    world.ok(&Call::of(other, Label::TcbBindNotification).caps(&[bound]))?;
    let not_readable = CapRights::all().difference(CapRights::READ);
    world.ok(&put(1, chain.endpoint, not_readable))?;
    world.ok(&put(2, chain.spare, not_readable))?;
    world.ok(&put(3, bound, CapRights::all()))?;
    world.ok(&put(4, chain.leaf, CapRights::all()))?;
    world.ok(&put(5, chain.puppet.tcb, CapRights::all()))?;
    let missing = LookupFailure::MissingCapability { bits_left: 0 };
    let kinds = (0..6).map(|index| (at(index), missing));
    for (cptr, failure) in dead_ends().into_iter().chain(kinds) {
        let (words, count) = cap_fault(syscall_at(), cptr, true, failure);
        for number in [Syscall::Recv, Syscall::NbRecv, Syscall::ReplyRecv] {
            let receive = Start::syscall(number.word(), [cptr, 0, 0, 0, 0, 0]);
            let message = rig.fault(world, "nothing to receive from", receive)?;
            world.equal(format_args!("label of {number:?} at {cptr:#x}"), message.label(), FaultLabel::Cap as u64);
            world.equal(format_args!("words of {number:?} at {cptr:#x}"), message.words(), &words[..count]);
        }
    }
    // The handler fills the slot, and the call that starts over receives.
    let receive = Start::syscall(Syscall::Recv.word(), [at(0), 0, 0, 0, 0, 0]);
    rig.fault(world, "an empty slot", receive)?;
    world.ok(&put(0, chain.spare, CapRights::all()))?;
    trap(Syscall::Send.word(), [chain.spare, 0, 0, 0, 0, 0]);
    world.that("resumed, it receives", rig.answer(world, 0, &[]));
    Ok(())
}
