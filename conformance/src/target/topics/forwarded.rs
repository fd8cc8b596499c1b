//! Interrupts of devices that go to guests by themselves.

use sluice_abi::Label;
use sluice_abi::fault::FaultLabel;
use sluice_conformance_task::Refusal;

use super::exits::{inject, label, take};
use super::interrupt::{BADGE, ack, get_trigger, notify, parts, poll, uart_irq};
use crate::target::call::Call;
use crate::target::console;
use crate::target::guest::{Code, Guest};
use crate::target::world::{Outcome, World};

fn forward(guest: Guest, index: u64, intid: u64, handler: u64) -> Call {
    Call::of(guest.vcpu, Label::VcpuForwardIrq).words(&[index << 32 | 1 << 24 | intid]).caps(&[handler])
}

fn take_back(guest: Guest, index: u64) -> Call {
    Call::of(guest.vcpu, Label::VcpuTakeBackIrq).words(&[index])
}

/// The guest takes and ends what came by itself, and nobody is told of the end.
fn take_forwarded(world: &mut World, guest: Guest, intid: u64) -> Outcome {
    let taken = world.enter(guest, Code::WAIT, &[])?;
    world.equal("what came by itself", (label(&taken), taken.word(0)), (FaultLabel::UnknownSyscall as u64, intid));
    console::raise_interrupt(false);
    let next = world.step_over(guest, &taken)?;
    world.equal("behind the end", (label(&next), next.word(1)), (FaultLabel::UnknownSyscall as u64, 0x77));
    Ok(())
}

/// The UART's interrupt goes to a guest by itself, comes again when the guest has ended it, and can be had back at any time.
pub(super) fn forwarded_interrupts(world: &mut World) -> Outcome {
    const INTID: u64 = 70;
    let guest = world.guest()?;
    let irq = uart_irq(world)?;
    let (notification, badged, handler) = parts(world)?;
    world.ok(&get_trigger(irq, 0, handler))?;
    world.ok(&notify(handler, badged))?;
    let good = forward(guest, 1, INTID, handler);
    world.refused("no handler", &forward(guest, 1, INTID, handler).caps(&[]), Refusal::Truncated);
    world.refused("no word", &forward(guest, 1, INTID, handler).words(&[]), Refusal::Truncated);
    world.refused("a notification for one", &forward(guest, 1, INTID, notification), Refusal::InvalidCapability(1));
    world.refused("interrupt 1024", &forward(guest, 1, 1024, handler), Refusal::Range(0, 1023));
    let last = world.call(&take_back(guest, u64::MAX)).word(1);
    world.that("a GIC has up to 16 list registers", last < 16);
    world.refused("a list register too many", &forward(guest, last + 1, INTID, handler), Refusal::Range(0, last));
    world.refused("one too many to take back from", &take_back(guest, last + 1), Refusal::Range(0, last));
    world.refused("nothing to take back", &take_back(guest, 1), Refusal::InvalidArgument(0));
    world.ok(&inject(guest, 1, 40))?;
    world.refused("a list register in use", &good, Refusal::DeleteFirst);
    let taken = world.enter(guest, Code::WAIT, &[])?;
    take(world, guest, &taken, 1, 40)?;
    world.ok(&good)?;
    world.refused("twice", &good, Refusal::DeleteFirst);
    world.refused("to another place", &forward(guest, 0, INTID, handler), Refusal::DeleteFirst);
    world.refused("an interrupt into the place kept", &inject(guest, 1, 41), Refusal::DeleteFirst);
    for round in 0..3 {
        console::raise_interrupt(true);
        world.equal(format_args!("{round}: the guest cannot run, and its monitor is told"), poll(notification), BADGE);
        world.equal("once", poll(notification), 0);
        take_forwarded(world, guest, INTID)?;
        world.equal("it does not come again while the line is low", poll(notification), 0);
    }
    // Pending, it is had back, and is signalled as before.
    console::raise_interrupt(true);
    world.equal("pending", poll(notification), BADGE);
    let pending = world.call(&take_back(guest, 1));
    world.equal("how far the guest is", (label(&pending), pending.word(0)), (0, 1));
    world.ok(&ack(handler))?;
    world.equal("it is signalled again", poll(notification), BADGE);
    console::raise_interrupt(false);
    world.ok(&ack(handler))?;
    // Active, it stays until its end, which is told.
    world.ok(&good)?;
    console::raise_interrupt(true);
    world.equal("active soon", poll(notification), BADGE);
    let taken = world.enter(guest, Code::WAIT, &[])?;
    let active = world.call(&take_back(guest, 1));
    world.equal("how far the guest is", (label(&active), active.word(0)), (0, 2));
    console::raise_interrupt(false);
    take(world, guest, &taken, 1, INTID)?;
    world.ok(&ack(handler))?;
    // Neither the processor's end nor the handler's leaves anything behind.
    world.ok(&good)?;
    console::raise_interrupt(true);
    world.equal("on its way", poll(notification), BADGE);
    world.delete(guest.vcpu)?;
    world.ok(&ack(handler))?;
    world.equal("without the processor it is signalled", poll(notification), BADGE);
    console::raise_interrupt(false);
    world.ok(&ack(handler))?;
    let other = world.guest()?;
    world.ok(&forward(other, 1, INTID, handler))?;
    world.delete(handler)?;
    world.refused("nothing to take back without the handler", &take_back(other, 1), Refusal::InvalidArgument(0));
    world.ok(&inject(other, 1, 40))?;
    let taken = world.enter(other, Code::WAIT, &[])?;
    take(world, other, &taken, 1, 40)?;
    Ok(())
}
