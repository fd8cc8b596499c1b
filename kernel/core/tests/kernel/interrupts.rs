//! Interrupt control and handlers.

use sluice_abi::bootinfo::slot::{INIT_CNODE, INIT_TCB, IRQ_CONTROL};
use sluice_abi::{Label, ObjectType, Syscall};
use sluice_core::cap::Cap;
use sluice_core::object::NotificationState;

use crate::machine::Effect;
use crate::user::*;

const INTID: u32 = 75;

fn get(system: &mut System, intid: u64, dest: u64) -> Reply {
    system.call(IRQ_CONTROL, Label::IrqControlGet, &[INIT_CNODE], &[intid, dest, DEPTH])
}

fn handler(system: &mut System) -> u64 {
    let dest = system.free_slot();
    assert_eq!(get(system, INTID.into(), dest), ok());
    dest
}

#[test]
fn a_handler_is_given_out_once() {
    let mut system = System::boot();
    let dest = handler(&mut system);
    assert_eq!(system.cap(dest), Cap::IrqHandler(INTID));
    assert!(system.machine().is_enabled(INTID));
    let other = system.free_slot();
    assert_eq!(get(&mut system, INTID.into(), other), revoke_first());
    assert_eq!(get(&mut system, TIMER.into(), other), revoke_first(), "the kernel's own");
    assert_eq!(get(&mut system, INTIDS.into(), other), range(0, u64::from(INTIDS) - 1));
    assert_eq!(get(&mut system, 1 << 32 | 80, other), range(0, u64::from(INTIDS) - 1));
    assert_eq!(get(&mut system, 80, dest), delete_first());
    assert_eq!(system.call(IRQ_CONTROL, Label::IrqControlGet, &[INIT_CNODE], &[80, other]), truncated());
    assert_eq!(system.call(IRQ_CONTROL, Label::IrqControlGet, &[], &[80, other, 64]), truncated());
    assert_eq!(system.call(IRQ_CONTROL, Label::IrqHandlerAck, &[INIT_CNODE], &[1, 1, other, 64]), illegal());
    // Deleting one of two copies changes nothing; with the last the interrupt is free again.
    let copy = system.copied(dest);
    assert_eq!(system.delete(dest), ok());
    assert!(system.machine().is_enabled(INTID));
    assert_eq!(system.delete(copy), ok());
    assert!(!system.machine().is_enabled(INTID));
    assert_eq!(get(&mut system, INTID.into(), other), ok());
    assert_eq!(system.revoke(IRQ_CONTROL), ok());
    assert_eq!(system.cap(other), Cap::Null);
}

#[test]
fn the_trigger_can_be_chosen() {
    let mut system = System::boot();
    for (intid, trigger) in [(80, 0), (81, 1)] {
        let dest = system.free_slot();
        let words = [intid, trigger, dest, DEPTH];
        assert_eq!(system.call(IRQ_CONTROL, Label::IrqControlGetTrigger, &[INIT_CNODE], &words[..3]), truncated());
        system.machine().take_log();
        system.done(IRQ_CONTROL, Label::IrqControlGetTrigger, &[INIT_CNODE], &words);
        let intid = intid as u32;
        let expected = [Effect::Edge { intid, edge: trigger == 1 }, Effect::Enable { intid, enabled: true }];
        assert_eq!(system.machine().take_log(), expected);
    }
}

#[test]
fn an_interrupt_signals_its_notification_until_acknowledged() {
    let mut system = System::boot();
    let irq = handler(&mut system);
    let notification = system.make(ObjectType::Notification, 0);
    let badged = system.minted(notification, 15, 0x40);
    let set = |system: &mut System, caps: &[u64]| system.call(irq, Label::IrqHandlerSetNotification, caps, &[]);
    let unwritable = system.minted(notification, 2, 0x40);
    assert_eq!(set(&mut system, &[]), truncated());
    assert_eq!(set(&mut system, &[INIT_TCB]), invalid_capability(0));
    assert_eq!(set(&mut system, &[unwritable]), invalid_capability(0));
    assert_eq!(set(&mut system, &[badged]), ok());
    system.set_priority(INIT_TCB, 50);
    let thread = system.running(100);
    system.syscall(Syscall::Recv, notification, 0, &[], &[]);
    system.machine().take_log();
    system.interrupt(INTID);
    assert_eq!(system.current(), thread.tcb);
    assert_eq!(system.message(thread.tcb).badge, 0x40);
    let acknowledged = Effect::Acknowledge(INTID);
    assert!(!system.machine().take_log().contains(&acknowledged));
    system.done(irq, Label::IrqHandlerAck, &[], &[]);
    assert_eq!(system.machine().take_log(), [acknowledged]);
}

#[test]
fn without_a_notification_nothing_is_signalled() {
    let mut system = System::boot();
    let irq = handler(&mut system);
    let notification = system.make(ObjectType::Notification, 0);
    let state = |system: &System| {
        let Cap::Notification(cap) = system.cap(notification) else { panic!("no notification") };
        system.machine().objects.get(cap.object).state()
    };
    system.interrupt(INTID);
    system.done(irq, Label::IrqHandlerSetNotification, &[notification], &[]);
    system.done(irq, Label::IrqHandlerClear, &[], &[]);
    system.interrupt(INTID);
    assert_eq!(state(&system), NotificationState::Idle);
    // Revoking the notification's children takes it from the interrupt.
    system.done(irq, Label::IrqHandlerSetNotification, &[notification], &[]);
    let other = system.minted(notification, 15, 2);
    system.done(irq, Label::IrqHandlerSetNotification, &[other], &[]);
    system.interrupt(INTID);
    assert_eq!(state(&system), NotificationState::Active(2));
    assert_eq!(system.revoke(notification), ok());
    system.interrupt(INTID);
    assert_eq!(state(&system), NotificationState::Active(2));
    assert_eq!(system.call(irq, Label::PageMap, &[], &[]), illegal());
}

#[test]
fn nobodys_interrupt_is_turned_off() {
    let mut system = System::boot();
    system.machine().take_log();
    system.interrupt(99);
    assert_eq!(system.machine().take_log(), [Effect::Enable { intid: 99, enabled: false }, Effect::Acknowledge(99)]);
}
