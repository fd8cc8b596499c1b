//! Messages: lengths, registers, capabilities sent along.

use sluice_abi::bootinfo::slot;
use sluice_abi::{CapRights, Label, MessageInfo, ObjectType, Syscall};

use super::{Entry, Topic};
use crate::target::call::{Call, Reply, trap};
use crate::target::puppet::{Puppet, Start, pattern};
use crate::target::world::{DEPTH, Outcome, World};

pub(crate) const TOPIC: Topic = Topic {
    name: "ipc",
    checks: &[
        Entry::new("message-lengths", message_lengths),
        Entry::new("without-buffers", without_buffers),
        Entry::new("capability-transfer", capability_transfer),
        Entry::new("capability-unwrapping", capability_unwrapping),
        Entry::new("receive-slot-rules", receive_slot_rules),
        Entry::new("capability-rights-to-send", rights_to_send),
    ],
};

/// A word for each position of a message, never 0.
fn word(index: usize) -> u64 {
    0x1000_0000_0000_0000 | (index as u64) << 8 | 0x77
}

/// Receives into the root thread; every register that a message may leave alone holds a mark before.
fn receive(from: u64) -> [u64; 6] {
    trap(Syscall::Recv.word(), [from, MARK, MARK, MARK, MARK, MARK])
}

const MARK: u64 = 0xeeee_0000_eeee_0000;

/// Registers of a send of `length` words, those beyond the fourth in the puppet's buffer.
fn staged(puppet: Puppet, destination: u64, info: MessageInfo, length: usize) -> Start {
    for index in 0..length.min(120) {
        puppet.buffer.set_word(index, word(index));
    }
    let registers = [destination, info.word(), word(0), word(1), word(2), word(3)];
    Start::syscall(Syscall::Send.word(), registers)
}

/// Every length that fits the information word, the ones above the maximum included.
fn message_lengths(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let badged = world.mint(endpoint, CapRights::all(), 0xbad6e)?;
    let puppet = world.puppet()?;
    for length in 0..=127usize {
        let info = MessageInfo::new(0x1_2345_6789, 0, 0, length as u64);
        let reports = puppet.reports();
        let waits = !world.run(puppet, staged(puppet, badged, info, length))?;
        for index in 0..120 {
            world.buffer.set_word(index, MARK);
        }
        world.that(format_args!("a sender of {length} words waits"), waits);
        let registers = receive(endpoint);
        let wanted = length.min(120);
        let info = MessageInfo::from_word(registers[1]);
        world.equal(format_args!("badge with {length} words"), registers[0], 0xbad6e);
        let told = (info.label(), info.length(), info.word() >> 7 & 0x1f);
        world.equal(format_args!("information of {length} words"), told, (0x1_2345_6789, wanted as u64, 0));
        for index in 0..4 {
            let expected = if index < wanted { word(index) } else { MARK };
            world.equal(format_args!("register {index} of {length} words"), registers[2 + index], expected);
        }
        let wrong = (4..120).find(|index| {
            let expected = if *index < wanted { word(*index) } else { MARK };
            world.buffer.word(*index) != expected
        });
        world.equal(format_args!("buffer word that is wrong of {length}"), wrong, None);
        world.that(format_args!("the sender of {length} goes on"), world.waits_for(puppet, reports));
    }
    world.equal("sends that came back", puppet.reports(), 128);
    let registers = puppet.reported();
    for number in 6..31u8 {
        let wanted = if number == 7 { Syscall::Send.word() } else { pattern(number) };
        world.equal(format_args!("x{number} of the sender"), registers[usize::from(number)], wanted);
    }
    Ok(())
}

/// Without a buffer on either side a message has four words and no capabilities.
fn without_buffers(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let puppet = world.puppet()?;
    let no_buffer = Call::of(puppet.tcb, Label::TcbSetIpcBuffer).words(&[0]).caps(&[puppet.frame]);
    world.ok(&no_buffer)?;
    puppet.buffer.set_cap(0, endpoint);
    let info = MessageInfo::new(5, 0, 1, 10);
    world.run(puppet, staged(puppet, endpoint, info, 10))?;
    let registers = receive(endpoint);
    world.equal("information from a sender without a buffer", registers[1], MessageInfo::new(5, 0, 0, 4).word());
    world.equal("registers", &registers[2..], &[word(0), word(1), word(2), word(3)][..]);

    // And the other way: the root thread sends ten words to a receiver without a buffer.
    world.run(puppet, Start::syscall(Syscall::Recv.word(), [endpoint, MARK, MARK, MARK, MARK, MARK]))?;
    for index in 0..10 {
        world.buffer.set_word(index, word(index));
    }
    let before = puppet.reports();
    trap(Syscall::Send.word(), [endpoint, info.word(), word(0), word(1), word(2), word(3)]);
    world.that("the receiver goes on", world.waits_for(puppet, before));
    let registers = puppet.reported();
    world.equal("information to a receiver without a buffer", registers[1], MessageInfo::new(5, 0, 0, 4).word());
    world.equal("its registers", &registers[2..6], &[word(0), word(1), word(2), word(3)][..]);
    Ok(())
}

/// Sends `caps` from the puppet and receives in the root thread.
fn pass(world: &World, puppet: Puppet, through: u64, from: u64, caps: &[u64]) -> Outcome<Reply> {
    for (index, cap) in caps.iter().enumerate() {
        puppet.buffer.set_cap(index, *cap);
    }
    let info = MessageInfo::new(9, 0, caps.len() as u64, 1);
    world.run(puppet, staged(puppet, through, info, 1))?;
    for index in 0..3 {
        world.buffer.set_cap(index, MARK);
    }
    Ok(Reply::from_registers(receive(from), world.buffer))
}

/// One capability arrives in the receive slot; the ones behind it do not arrive.
fn capability_transfer(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let notification = world.make(ObjectType::Notification, 0)?;
    let puppet = world.puppet()?;
    let dest = world.slot();
    world.buffer.set_receive(slot::INIT_CNODE, dest, DEPTH);
    for sent in 0..=3usize {
        let caps = [notification, notification, notification];
        let message = pass(world, puppet, endpoint, endpoint, &caps[..sent])?;
        let arrived = sent.min(1) as u64;
        world.equal(format_args!("{sent} sent: arrived"), message.info.extra_caps(), arrived);
        world.equal(format_args!("{sent} sent: unwrapped"), message.info.caps_unwrapped(), 0);
        world.equal(format_args!("{sent} sent: slot is empty"), world.is_empty(dest), sent == 0);
        world.equal(format_args!("{sent} sent: words"), message.words(), &[word(0)][..]);
        world.delete(dest)?;
    }
    // What arrived is the notification: a signal through it is seen.
    pass(world, puppet, endpoint, endpoint, &[notification])?;
    trap(Syscall::Send.word(), [dest, 0, 0, 0, 0, 0]);
    let polled = trap(Syscall::NbRecv.word(), [notification, MARK, MARK, MARK, MARK, MARK]);
    world.equal("polled after a signal without a badge", polled, [0, MARK, MARK, MARK, MARK, MARK]);
    // A copy derived from the sender's: revoking the sender's takes it away.
    world.revoke(notification)?;
    world.that("revoking the original removes what was received", world.is_empty(dest));
    Ok(())
}

/// A capability to the endpoint itself arrives as its badge and takes no slot.
fn capability_unwrapping(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let notification = world.make(ObjectType::Notification, 0)?;
    let [one, two] = [world.mint(endpoint, CapRights::all(), 0x111)?, world.mint(endpoint, CapRights::all(), 0x222)?];
    let puppet = world.puppet()?;
    let dest = world.slot();
    world.buffer.set_receive(slot::INIT_CNODE, dest, DEPTH);
    for (what, caps, arrived, unwrapped, badges) in [
        ("one badge", &[one][..], 1, 0b1, [0x111, MARK, MARK]),
        ("three badges", &[one, endpoint, two][..], 3, 0b111, [0x111, 0, 0x222]),
        ("badge, capability, badge", &[one, notification, two][..], 3, 0b101, [0x111, MARK, 0x222]),
        ("capability, badge, badge", &[notification, one, two][..], 3, 0b110, [MARK, 0x111, 0x222]),
        ("capability, capability", &[notification, notification, one][..], 1, 0, [MARK, MARK, MARK]),
    ] {
        let message = pass(world, puppet, two, endpoint, caps)?;
        world.equal(format_args!("{what}: sender's badge"), message.badge, 0x222);
        let told = (message.info.extra_caps(), message.info.caps_unwrapped());
        world.equal(format_args!("{what}: arrived and unwrapped"), told, (arrived, unwrapped));
        for (index, badge) in badges.into_iter().enumerate() {
            // Where a capability arrived in a slot, nothing is said of the word.
            if badge != MARK {
                world.equal(format_args!("{what}: badge {index}"), world.buffer.cap(index), badge);
            }
        }
        let takes_slot = unwrapped != (1 << arrived) - 1;
        world.equal(format_args!("{what}: slot is empty"), world.is_empty(dest), !takes_slot);
        world.delete(dest)?;
    }
    Ok(())
}

/// Where no slot can be found the message arrives without its capability.
fn receive_slot_rules(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let notification = world.make(ObjectType::Notification, 0)?;
    let node = world.make(ObjectType::CNode, 4)?;
    let badged = world.mint(endpoint, CapRights::all(), 0x99)?;
    let puppet = world.puppet()?;
    let dest = world.slot();
    for (what, root, index, depth, arrived) in [
        ("a slot in use", slot::INIT_CNODE, notification, DEPTH, 0),
        ("a root that is no CNode", endpoint, dest, DEPTH, 0),
        ("an empty slot as root", dest, dest, DEPTH, 0),
        ("depth 0", slot::INIT_CNODE, dest, 0, 0),
        ("depth 65", slot::INIT_CNODE, dest, 65, 0),
        ("too little depth", slot::INIT_CNODE, dest, 10, 0),
        ("depth 4 of another CNode", node, 7, 4, 1),
        ("depth 5 of another CNode", node, 7, 5, 0),
    ] {
        world.buffer.set_receive(root, index, depth);
        let message = pass(world, puppet, endpoint, endpoint, &[notification])?;
        world.equal(format_args!("{what}: arrived"), message.info.extra_caps(), arrived);
        world.equal(format_args!("{what}: word"), message.word(0), word(0));
        // Badges need no slot, unless a capability that needs one comes before.
        let message = pass(world, puppet, endpoint, endpoint, &[badged])?;
        world.equal(format_args!("{what}: badge"), (message.info.extra_caps(), world.buffer.cap(0)), (1, 0x99));
    }
    world.that("the slot that no rule reached is empty", world.is_empty(dest));
    Ok(())
}

/// Capabilities go along only through an endpoint capability with the right to grant.
fn rights_to_send(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let notification = world.make(ObjectType::Notification, 0)?;
    let puppet = world.puppet()?;
    let dest = world.slot();
    world.buffer.set_receive(slot::INIT_CNODE, dest, DEPTH);
    for bits in 0..16u64 {
        let rights = CapRights::from_bits_truncate(bits);
        if !rights.contains(CapRights::WRITE) {
            continue;
        }
        let through = world.mint(endpoint, rights, 0)?;
        let message = pass(world, puppet, through, endpoint, &[notification])?;
        let arrives = rights.contains(CapRights::GRANT);
        world.equal(format_args!("rights {bits:#x}: arrived"), message.info.extra_caps(), u64::from(arrives));
        world.equal(format_args!("rights {bits:#x}: slot is empty"), world.is_empty(dest), !arrives);
        let message = pass(world, puppet, through, endpoint, &[endpoint])?;
        world.equal(format_args!("rights {bits:#x}: unwrapped"), message.info.caps_unwrapped(), u64::from(arrives));
        world.delete(dest)?;
    }
    Ok(())
}
