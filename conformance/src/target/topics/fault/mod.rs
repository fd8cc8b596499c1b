//! Faults: every word that a handler is told, and what its answer does.

mod capability;
mod exception;
mod syscall;

use sluice_abi::bootinfo::slot;
use sluice_abi::fault::FaultLabel;
use sluice_abi::{CapRights, Label, MessageInfo, ObjectType, Register, Syscall};

use self::capability::{cap_faults_receiving, cap_faults_sending};
use self::exception::{data_faults, instruction_faults, other_exceptions, user_exceptions};
use self::syscall::{answers_to_unknown, unknown_system_calls};
use super::{Entry, Topic};
use crate::target::call::{Call, Reply, trap};
use crate::target::puppet::{Act, Puppet, Start, syscall_at};
use crate::target::world::{Outcome, World, mint};

pub(crate) const TOPIC: Topic = Topic {
    name: "fault",
    checks: &[
        Entry::new("unknown-system-calls", unknown_system_calls),
        Entry::new("answers-to-unknown-system-calls", answers_to_unknown),
        Entry::new("user-exceptions", user_exceptions),
        Entry::new("other-exceptions", other_exceptions),
        Entry::new("data-faults", data_faults),
        Entry::new("instruction-faults", instruction_faults),
        Entry::new("capability-faults-when-sending", cap_faults_sending),
        Entry::new("capability-faults-when-receiving", cap_faults_receiving),
        Entry::new("handlers", handlers),
        Entry::new("cancelled-faults", cancelled_faults),
    ],
};

const BADGE: u64 = 0xfa017;

/// A thread whose faults go to `endpoint`.
struct Rig {
    endpoint: u64,
    puppet: Puppet,
}

fn rig(world: &mut World) -> Outcome<Rig> {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let handler = world.mint(endpoint, CapRights::all(), BADGE)?;
    let puppet = world.puppet_with_handler(handler)?;
    Ok(Rig { endpoint, puppet })
}

impl Rig {
    /// Runs the thread, which must fault, and takes the fault.
    fn fault(&self, world: &mut World, what: &str, start: Start) -> Outcome<Reply> {
        world.that(format_args!("{what}: it does not go on"), !world.run(self.puppet, start)?);
        Ok(self.take(world, what))
    }

    /// The fault message that waits.
    fn take(&self, world: &mut World, what: &str) -> Reply {
        let message = Reply::from_registers(trap(Syscall::NbRecv.word(), [self.endpoint, 0, 0, 0, 0, 0]), world.buffer);
        world.equal(format_args!("{what}: badge"), message.badge, BADGE);
        world.equal(format_args!("{what}: capabilities"), message.info.word() >> 7 & 0x1f, 0);
        message
    }

    /// Answers; whether the thread then reports.
    fn answer(&self, world: &World, label: u64, words: &[u64]) -> bool {
        let reports = self.puppet.reports();
        let mut registers = [0, MessageInfo::new(label, 0, 0, words.len() as u64).word(), 0, 0, 0, 0];
        for (index, word) in words.iter().enumerate() {
            match registers.get_mut(2 + index) {
                Some(register) => *register = *word,
                None => world.buffer.set_word(index, *word),
            }
        }
        trap(Syscall::Reply.word(), registers);
        world.waits_for(self.puppet, reports)
    }

    /// Where the thread's stack pointer is.
    fn sp(&self) -> u64 {
        self.puppet.buffer.0 + 1024
    }
}

/// The saved program status of a thread with these condition flags.
fn status(world: &World, flags: u64) -> u64 {
    flags | if world.debug { 0x40 } else { 0x140 }
}

const FLAGS: u64 = 0x6000_0000;

fn unknown(number: u64) -> Start {
    Start::syscall(number, [10, 11, 12, 13, 14, 15]).with(Register::Spsr, FLAGS)
}

/// A handler is an endpoint that can be sent to with a reply; without one the thread stops.
fn handlers(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let notification = world.make(ObjectType::Notification, 0)?;
    let puppet = world.puppet()?;
    let with_handler = |handler: u64| {
        Call::of(puppet.tcb, Label::TcbSetSpace).words(&[handler, 0, 0]).caps(&[slot::INIT_CNODE, slot::INIT_VSPACE])
    };
    let take = || trap(Syscall::NbRecv.word(), [endpoint, 0, 0, 0, 0, 0])[0];
    for bits in 0..16 {
        let rights = CapRights::from_bits_truncate(bits);
        let handler = world.mint(endpoint, rights, BADGE)?;
        world.ok(&with_handler(handler))?;
        world.run(puppet, unknown(77))?;
        let told = rights.contains(CapRights::WRITE) && rights.intersects(CapRights::GRANT | CapRights::GRANT_REPLY);
        world.equal(format_args!("a handler with rights {bits:#x}"), take(), if told { BADGE } else { 0 });
        world.ok(&Call::of(puppet.tcb, Label::TcbSuspend))?;
    }
    for (what, handler) in [("none", 0), ("a notification", notification), ("a dead end", 1 << 50)] {
        world.ok(&with_handler(handler))?;
        world.run(puppet, unknown(77))?;
        world.equal(format_args!("{what} as handler"), take(), 0);
        let stopped = world.registers(puppet.tcb);
        world.equal(format_args!("where it stopped with {what}"), stopped[0], syscall_at());
    }
    let polled = trap(Syscall::NbRecv.word(), [notification, 0, 0, 0, 0, 0])[0];
    world.equal("nothing was signalled", polled, 0);
    // The handler is looked up when the fault happens, not when it is set.
    let late = world.slot();
    world.ok(&with_handler(late))?;
    world.ok(&mint(endpoint, late, CapRights::all(), 0x1a7e))?;
    world.run(puppet, unknown(77))?;
    world.equal("a handler that came later", take(), 0x1a7e);
    Ok(())
}

/// A fault that is still in the handler's queue goes away with the thread's wait, and is told in place of what the thread
/// sends next.
fn cancelled_faults(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    let pointer = world.mint(rig.endpoint, CapRights::all(), BADGE)?;
    world.run(rig.puppet, unknown(77))?;
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbSuspend))?;
    let queued = trap(Syscall::NbRecv.word(), [rig.endpoint, 0, 0, 0, 0, 0])[0];
    world.equal("nobody is in the queue", queued, 0);
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbResume))?;
    world.give_way();
    let message = rig.take(world, "resumed, it faults again");
    world.equal("number of its call", message.word(12), 77);
    // The fault was received and is not answered: the answer is void once the thread was stopped.
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbSuspend))?;
    world.that("an answer that comes too late", !rig.answer(world, 0, &[0, 0, 0, 0, 0, 0, 0, 0, Act::Report.at()]));
    world.equal("changes nothing", world.registers(rig.puppet.tcb)[0], syscall_at());
    // Nobody has heard of this one.
    world.run(rig.puppet, unknown(78))?;
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbSuspend))?;
    let say =
        |call: Syscall| Start::syscall(call.word(), [pointer, MessageInfo::new(0x55, 0, 0, 1).word(), 0x1234, 0, 0, 0]);
    for (what, call) in [("a message", Syscall::Send), ("another", Syscall::Send), ("a call", Syscall::Call)] {
        let reports = rig.puppet.reports();
        world.that(format_args!("{what} waits"), !world.run(rig.puppet, say(call))?);
        let message = rig.take(world, what);
        world.equal(format_args!("label in place of {what}"), message.label(), FaultLabel::UnknownSyscall as u64);
        world.equal(format_args!("fault in place of {what}"), message.word(12), 78);
        world.equal(format_args!("call in place of {what}"), message.word(7), call.word());
        let goes_on = call == Syscall::Send;
        world.equal(format_args!("whether it goes on after {what}"), world.waits_for(rig.puppet, reports), goes_on);
    }
    world.that("the call is answered as a fault is", rig.answer(world, 0, &[0, 0, 0, 0, 0, 0, 0, 0, Act::Report.at()]));
    world.that("the next message waits", !world.run(rig.puppet, say(Syscall::Send))?);
    let message = rig.take(world, "the next message");
    world.equal("its label", message.label(), 0x55);
    world.equal("its words", message.words(), &[0x1234][..]);
    Ok(())
}
