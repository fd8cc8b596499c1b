//! Who runs when: priorities, time slices; and that floating-point registers follow their thread.

use sluice_abi::fault::FaultLabel;
use sluice_abi::{CapRights, Label, MessageInfo, ObjectType, Register, Syscall};

use super::{Entry, Topic};
use crate::target::call::{Call, trap};
use crate::target::memory::load;
use crate::target::puppet::{Act, Start};
use crate::target::world::{Outcome, World};

pub(crate) const TOPIC: Topic = Topic {
    name: "schedule",
    checks: &[
        Entry::new("priorities", priorities),
        Entry::new("time-slices", time_slices),
        Entry::new("queue-order", queue_order),
        Entry::new("floating-point-registers", float_registers),
        Entry::new("floating-point-disabled", float_disabled),
    ],
};

fn send(endpoint: u64, word: u64) -> Start {
    Start::syscall(Syscall::Send.word(), [endpoint, 1, word, 0, 0, 0])
}

/// The word of the message that arrives next; the root thread waits for it.
fn receive(endpoint: u64) -> u64 {
    trap(Syscall::Recv.word(), [endpoint, 0, 0, 0, 0, 0])[2]
}

/// The highest runs first, whatever the order in which they became ready.
fn priorities(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let order = [7, 200, 64, 1, 63, 128, 199];
    let mut sorted = order;
    sorted.sort_unstable_by(|left, right| right.cmp(left));
    let mut threads = [0; 256];
    for priority in order {
        let puppet = world.puppet()?;
        threads[priority as usize] = puppet.tcb;
        world.set_priority(puppet.tcb, priority)?;
        world.that("a lower priority does not run", !world.run(puppet, send(endpoint, priority))?);
    }
    let queued = trap(Syscall::NbRecv.word(), [endpoint, 0xa1, 0, 0, 0, 0]);
    world.equal("nobody has sent", queued[1], 0xa1);
    for priority in sorted {
        world.equal("who sends next", receive(endpoint), priority);
        // It would go on giving way to its equals, of which there are none, before any that is lower.
        world.ok(&Call::of(threads[priority as usize], Label::TcbSuspend))?;
    }
    // A thread that is raised above the one that runs replaces it at once; here the root thread is at the top.
    let puppet = world.puppet()?;
    world.set_priority(puppet.tcb, 10)?;
    world.run(puppet, send(endpoint, 0x77))?;
    world.set_priority(puppet.tcb, 255)?;
    let reports = puppet.reports();
    world.equal("raised to the same priority it gets its turn", receive(endpoint), 0x77);
    world.that("and goes on", world.waits_for(puppet, reports));
    Ok(())
}

/// Threads of one priority that never give way are made to, one after the other.
fn time_slices(world: &mut World) -> Outcome {
    let (_, counters) = world.page()?;
    let mut threads = [0; 3];
    for (index, thread) in (0..).zip(&mut threads) {
        let puppet = world.puppet()?;
        world.start(puppet, Start::at(Act::Count.at()).with(Register::X(1), counters + 64 * index))?;
        *thread = puppet.tcb;
    }
    let before = ticks();
    world.give_way();
    let after = ticks();
    for index in 0..3 {
        world.that(format_args!("thread {index} ran"), load(counters + 64 * index) > 1000);
    }
    // Three slices of five ticks of two milliseconds; the first tick of each may be short.
    let milliseconds = (after - before) * 1000 / frequency();
    world.that(format_args!("three slices in {milliseconds} ms"), (24..200).contains(&milliseconds));
    let counted = load(counters);
    for thread in threads {
        world.ok(&Call::of(thread, Label::TcbSuspend))?;
    }
    world.give_way();
    world.equal("stopped, it counts no more", load(counters), counted);
    Ok(())
}

/// Senders wait in the order they came, and are woken in it.
fn queue_order(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let notification = world.make(ObjectType::Notification, 0)?;
    for word in 1..=6 {
        let puppet = world.puppet()?;
        world.that("it waits", !world.run(puppet, send(endpoint, word))?);
    }
    for word in 1..=6 {
        world.equal("who came next", receive(endpoint), word);
    }
    let mut waiters = [0; 4];
    for waiter in &mut waiters {
        let puppet = world.puppet()?;
        let wait = Start::syscall(Syscall::Recv.word(), [notification, 0, 0, 0, 0, 0]);
        world.that("it waits for a signal", !world.run(puppet, wait)?);
        *waiter = puppet.buffer.0;
    }
    for (index, badge) in (0..4).zip(1u64..) {
        let badged = world.mint(notification, CapRights::WRITE, badge)?;
        trap(Syscall::Send.word(), [badged, 0, 0, 0, 0, 0]);
        world.give_way();
        world.equal("whom the signal woke", load(waiters[index] + 1024), badge);
    }
    Ok(())
}

/// Several threads keep different numbers in all registers over many switches.
fn float_registers(world: &mut World) -> Outcome {
    let puppets = [world.puppet()?, world.puppet()?, world.puppet()?, world.puppet()?];
    for (seed, puppet) in (1u64..).zip(puppets) {
        let start = Start::at(Act::Float.at())
            .with(Register::X(1), seed << 56)
            .with(Register::X(2), 20)
            .with(Register::X(5), 0);
        world.start(puppet, start)?;
    }
    for _ in 0..30 {
        world.give_way();
    }
    for puppet in puppets {
        world.equal("reports", puppet.reports(), 1);
        world.equal("bits that changed", puppet.reported()[5], 0);
    }
    Ok(())
}

/// For a thread with the flag a floating-point instruction is an exception, which its handler may let pass.
fn float_disabled(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let handler = world.mint(endpoint, CapRights::all(), 0xf)?;
    let puppet = world.puppet_with_handler(handler)?;
    let flags = |clear: u64, set: u64| Call::of(puppet.tcb, Label::TcbSetFlags).words(&[clear, set]);
    let start = Start::at(Act::Float.at()).with(Register::X(2), 1).with(Register::X(5), 0);
    world.that("without the flag it runs", world.run(puppet, start)?);
    world.ok(&flags(0, 1))?;
    world.that("with it, it does not", !world.run(puppet, start)?);
    let told = trap(Syscall::NbRecv.word(), [endpoint, 0, 0, 0, 0, 0]);
    world.equal("badge and label", (told[0], told[1] >> 12), (0xf, FaultLabel::Vcpu as u64));
    // Class 0x07: access to SIMD and floating point (DDI 0487, D24.2.45).
    world.equal("class", told[2] >> 26, 0x07);
    let at = world.registers(puppet.tcb)[0];
    world.that("where it was", at > Act::Float.at() && at < Act::Float.at() + 16);
    world.ok(&flags(1, 0))?;
    let reports = puppet.reports();
    trap(Syscall::Reply.word(), [0, MessageInfo::new(0, 0, 0, 0).word(), 0, 0, 0, 0]);
    world.that("with the flag cleared the instruction is carried out", world.waits_for(puppet, reports));
    world.equal("bits that changed", puppet.reported()[5], 0);
    Ok(())
}

/// The counter that every thread can read (DDI 0487, D12.1).
pub(super) fn ticks() -> u64 {
    let ticks: u64;
    // SAFETY: reads a counter; the barrier keeps it from being read ahead of what it is to time.
    unsafe { core::arch::asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nostack, preserves_flags)) };
    ticks
}

/// Its ticks a second.
pub(super) fn frequency() -> u64 {
    let frequency: u64;
    // SAFETY: reads a register that never changes.
    unsafe { core::arch::asm!("mrs {}, cntfrq_el0", out(reg) frequency, options(nomem, nostack, preserves_flags)) };
    frequency
}
