//! Interrupts: handlers, both trigger modes, signals to the own core.
//!
//! The UART is the device: with its transmit interrupt unmasked the line is high, because something has been printed, and
//! with the interrupt masked it is low.

use sluice_abi::bootinfo::slot;
use sluice_abi::{CapRights, Label, LookupFailure, ObjectType, Syscall};
use sluice_conformance_task::Refusal;

use super::{Entry, Topic};
use crate::target::call::{Call, trap};
use crate::target::console;
use crate::target::world::{DEPTH, Outcome, World, stop};

pub(crate) const TOPIC: Topic = Topic {
    name: "irq",
    checks: &[
        Entry::new("level-triggered", level_triggered),
        Entry::new("edge-triggered", edge_triggered),
        Entry::new("handlers", handlers),
        Entry::new("control-refusals", control_refusals),
        Entry::new("handler-refusals", handler_refusals),
        Entry::new("signals-to-the-own-core", own_core),
    ],
};

pub(super) const BADGE: u64 = 0x8000_0021;

fn get(irq: u64, dest: u64) -> Call {
    Call::of(slot::IRQ_CONTROL, Label::IrqControlGet).words(&[irq, dest, DEPTH]).caps(&[slot::INIT_CNODE])
}

pub(super) fn get_trigger(irq: u64, edge: u64, dest: u64) -> Call {
    Call::of(slot::IRQ_CONTROL, Label::IrqControlGetTrigger).words(&[irq, edge, dest, DEPTH]).caps(&[slot::INIT_CNODE])
}

pub(super) fn notify(handler: u64, notification: u64) -> Call {
    Call::of(handler, Label::IrqHandlerSetNotification).caps(&[notification])
}

pub(super) fn ack(handler: u64) -> Call {
    Call::of(handler, Label::IrqHandlerAck)
}

/// The UART's interrupt.
pub(super) fn uart_irq(world: &World) -> Outcome<u64> {
    let irq = world.with_machine(|machine| machine.console.and_then(|uart| uart.interrupt).map(|irq| irq.intid))?;
    irq.map(u64::from).ok_or_else(|| stop("the console has no interrupt"))
}

/// The badges that arrived. An interrupt is taken before the next instruction of the thread that caused it.
pub(super) fn poll(notification: u64) -> u64 {
    trap(Syscall::NbRecv.word(), [notification, 0, 0, 0, 0, 0])[0]
}

/// Notification, badged capability to it, and a slot for a handler.
pub(super) fn parts(world: &mut World) -> Outcome<(u64, u64, u64)> {
    let notification = world.make(ObjectType::Notification, 0)?;
    let badged = world.mint(notification, CapRights::WRITE, BADGE)?;
    Ok((notification, badged, world.slot()))
}

/// A line that stays high interrupts again after each acknowledgement, and not before.
fn level_triggered(world: &mut World) -> Outcome {
    let irq = uart_irq(world)?;
    for trigger in [None, Some(0)] {
        let (notification, badged, handler) = parts(world)?;
        world.ok(&trigger.map_or(get(irq, handler), |trigger| get_trigger(irq, trigger, handler)))?;
        world.ok(&notify(handler, badged))?;
        world.equal("nothing while the line is low", poll(notification), 0);
        console::raise_interrupt(true);
        world.equal("the line is high", poll(notification), BADGE);
        world.equal("once, until it is acknowledged", poll(notification), 0);
        world.ok(&ack(handler))?;
        world.equal("acknowledged with the line still high", poll(notification), BADGE);
        console::raise_interrupt(false);
        world.ok(&ack(handler))?;
        world.equal("acknowledged with the line low", poll(notification), 0);
        world.ok(&ack(handler))?;
        console::raise_interrupt(true);
        world.equal("high again", poll(notification), BADGE);
        console::raise_interrupt(false);
        world.ok(&ack(handler))?;
        world.delete(handler)?;
    }
    Ok(())
}

/// A line that rises interrupts once, and is remembered while the one before is not acknowledged.
fn edge_triggered(world: &mut World) -> Outcome {
    let irq = uart_irq(world)?;
    let (notification, badged, handler) = parts(world)?;
    world.ok(&get_trigger(irq, 1, handler))?;
    world.ok(&notify(handler, badged))?;
    console::raise_interrupt(true);
    world.equal("the line rose", poll(notification), BADGE);
    world.ok(&ack(handler))?;
    world.equal("acknowledged with the line still high", poll(notification), 0);
    console::raise_interrupt(false);
    world.equal("the line fell", poll(notification), 0);
    console::raise_interrupt(true);
    world.equal("it rose again", poll(notification), BADGE);
    console::raise_interrupt(false);
    console::raise_interrupt(true);
    world.equal("it rose before the acknowledgement", poll(notification), 0);
    world.ok(&ack(handler))?;
    world.equal("which is told after it", poll(notification), BADGE);
    world.ok(&ack(handler))?;
    world.equal("once", poll(notification), 0);
    console::raise_interrupt(false);
    Ok(())
}

/// Who is told can be changed and taken away; the interrupt is free again when its last handler is gone.
fn handlers(world: &mut World) -> Outcome {
    let irq = uart_irq(world)?;
    let (notification, badged, handler) = parts(world)?;
    let other = world.mint(notification, CapRights::WRITE, 0x10)?;
    world.ok(&get(irq, handler))?;
    world.ok(&notify(handler, badged))?;
    world.ok(&notify(handler, other))?;
    console::raise_interrupt(true);
    world.equal("the last one set is told", poll(notification), 0x10);
    world.ok(&Call::of(handler, Label::IrqHandlerClear))?;
    world.ok(&Call::of(handler, Label::IrqHandlerClear))?;
    world.ok(&ack(handler))?;
    world.equal("nobody is told", poll(notification), 0);
    console::raise_interrupt(false);
    world.ok(&notify(handler, badged))?;
    world.ok(&ack(handler))?;
    poll(notification);
    // The handler holds a copy of the capability: it goes with the original.
    world.revoke(notification)?;
    console::raise_interrupt(true);
    world.equal("the capability was revoked", poll(notification), 0);
    console::raise_interrupt(false);
    world.ok(&ack(handler))?;
    // A copy of the handler is as good; the interrupt stays in use until both are gone.
    let copy = world.mint(handler, CapRights::all(), 0)?;
    world.delete(handler)?;
    world.refused("a copy lives", &get(irq, handler), Refusal::RevokeFirst);
    let (notification, badged, _) = parts(world)?;
    world.ok(&notify(copy, badged))?;
    world.ok(&ack(copy))?;
    console::raise_interrupt(true);
    world.equal("through the copy", poll(notification), BADGE);
    console::raise_interrupt(false);
    world.delete(copy)?;
    console::raise_interrupt(true);
    world.equal("without handlers", poll(notification), 0);
    console::raise_interrupt(false);
    world.ok(&get(irq, handler))?;
    Ok(())
}

fn control_refusals(world: &mut World) -> Outcome {
    let irq = uart_irq(world)?;
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let dest = world.slot();
    let last = world.call(&get(1 << 20, dest)).word(1);
    world.that("there are interrupts beyond the UART's", last > irq && last < 1020);
    let timer = world.with_machine(|machine| u64::from(machine.timer.hypervisor.intid))?;
    for (good, at) in [(get(irq, dest), 1), (get_trigger(irq, 1, dest), 2)] {
        for (what, call, refusal) in [
            ("a word too few", good.length(at + 1), Refusal::Truncated),
            ("no root", good.caps(&[]), Refusal::Truncated),
            ("one beyond the last", good.word(0, last + 1), Refusal::Range(0, last)),
            ("2^63", good.word(0, 1 << 63), Refusal::Range(0, last)),
            ("2^32 and the UART's", good.word(0, 1 << 32 | irq), Refusal::Range(0, last)),
            ("the kernel's own timer", good.word(0, timer), Refusal::RevokeFirst),
            ("a slot in use", good.word(at, endpoint), Refusal::DeleteFirst),
            ("depth 0", good.word(at + 1, 0), Refusal::Range(1, 64)),
            ("depth 65", good.word(at + 1, 65), Refusal::Range(1, 64)),
            ("a root that is no CNode", good.cap(0, endpoint), Refusal::Target(LookupFailure::InvalidRoot)),
        ] {
            world.refused(what, &call, refusal);
        }
    }
    world.ok(&get(last, dest))?;
    world.refused("in use", &get(last, endpoint), Refusal::RevokeFirst);
    let sgi = Call::of(slot::IRQ_CONTROL, Label::IrqControlIssueSgiSignal)
        .words(&[3, 0, dest + 1, DEPTH])
        .caps(&[slot::INIT_CNODE]);
    world.slot();
    for (what, call, refusal) in [
        ("three words", sgi.length(3), Refusal::Truncated),
        ("no root", sgi.caps(&[]), Refusal::Truncated),
        ("signal 16", sgi.word(0, 16), Refusal::Range(0, 15)),
        ("signal 2^32", sgi.word(0, 1 << 32), Refusal::Range(0, 15)),
        ("a signal to a core beyond affinities", sgi.word(1, 1 << 32), Refusal::InvalidArgument(1)),
        ("a signal into a slot in use", sgi.word(2, endpoint), Refusal::DeleteFirst),
        ("a signal at depth 65", sgi.word(3, 65), Refusal::Range(1, 64)),
        ("another label", Call::of(slot::IRQ_CONTROL, Label::IrqHandlerAck), Refusal::IllegalOperation),
        ("no label", Call::raw(slot::IRQ_CONTROL, 0).words(&[0; 4]), Refusal::IllegalOperation),
    ] {
        world.refused(what, &call, refusal);
    }
    Ok(())
}

fn handler_refusals(world: &mut World) -> Outcome {
    let irq = uart_irq(world)?;
    let (notification, badged, handler) = parts(world)?;
    let read_only = world.mint(notification, CapRights::READ, 0)?;
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    world.ok(&get(irq, handler))?;
    let good = notify(handler, badged);
    for (what, call, refusal) in [
        ("no notification", good.caps(&[]), Refusal::Truncated),
        ("an endpoint", good.cap(0, endpoint), Refusal::InvalidCapability(0)),
        ("a notification that cannot be signalled", good.cap(0, read_only), Refusal::InvalidCapability(0)),
        ("another label", Call::of(handler, Label::IrqControlGet).words(&[0; 3]), Refusal::IllegalOperation),
        ("no label", Call::raw(handler, 0), Refusal::IllegalOperation),
    ] {
        world.refused(what, &call, refusal);
    }
    Ok(())
}

/// A capability to send one interrupt to one core; here there is one core.
fn own_core(world: &mut World) -> Outcome {
    let (notification, badged, handler) = parts(world)?;
    let signal = world.slot();
    let issue = Call::of(slot::IRQ_CONTROL, Label::IrqControlIssueSgiSignal)
        .words(&[7, 0, signal, DEPTH])
        .caps(&[slot::INIT_CNODE]);
    world.ok(&issue)?;
    world.ok(&get(7, handler))?;
    world.ok(&notify(handler, badged))?;
    for number in [Syscall::Call, Syscall::Send, Syscall::NbSend] {
        trap(number.word(), [signal, 0, 0, 0, 0, 0]);
        world.equal(format_args!("{number:?} sends the interrupt"), poll(notification), BADGE);
        world.ok(&ack(handler))?;
        world.equal("once", poll(notification), 0);
    }
    let copy = world.mint(signal, CapRights::all(), 0)?;
    world.delete(signal)?;
    world.ok(&Call::raw(copy, 0x1234).words(&[1, 2, 3]))?;
    world.equal("a copy sends, whatever the message", poll(notification), BADGE);
    world.ok(&ack(handler))?;
    Ok(())
}
