//! Signals between cores as capabilities.

use sluice_abi::bootinfo::slot::{INIT_CNODE, IRQ_CONTROL};
use sluice_abi::{Label, ObjectType, Syscall};
use sluice_core::cap::{Cap, SgiSignal};

use crate::machine::Effect;
use crate::user::*;

fn issue(system: &mut System, intid: u64, target: u64, dest: u64) -> Reply {
    let words = [intid, target, dest, DEPTH];
    system.call(IRQ_CONTROL, Label::IrqControlIssueSgiSignal, &[INIT_CNODE], &words)
}

fn issued(system: &mut System, intid: u64, target: u64) -> u64 {
    let dest = system.free_slot();
    assert_eq!(issue(system, intid, target, dest), ok());
    dest
}

#[test]
fn requests_that_cannot_be_met_are_refused() {
    let mut system = System::boot();
    let dest = system.free_slot();
    assert_eq!(issue(&mut system, 16, 0, dest), range(0, 15));
    assert_eq!(issue(&mut system, u64::MAX, 1 << 32, dest), range(0, 15));
    assert_eq!(issue(&mut system, 15, 1 << 32, dest), invalid_argument(1));
    assert_eq!(issue(&mut system, 0, 0, IRQ_CONTROL), delete_first());
    let mut call = |caps: &[u64], words: &[u64]| system.call(IRQ_CONTROL, Label::IrqControlIssueSgiSignal, caps, words);
    assert_eq!(call(&[INIT_CNODE], &[0, 0, dest]), truncated());
    assert_eq!(call(&[], &[0, 0, dest, DEPTH]), truncated());
    assert_eq!(call(&[INIT_CNODE], &[0, 0, dest, 65]), range(1, 64));
    assert_eq!(call(&[IRQ_CONTROL], &[0, 0, dest, DEPTH]), invalid_root(false));
    assert_eq!(call(&[INIT_CNODE], &[0, 0, dest, DEPTH]), ok());
    assert_eq!(system.cap(dest), Cap::SgiSignal(SgiSignal { intid: 0, target: 0 }));
}

#[test]
fn any_message_sends_the_interrupt() {
    let mut system = System::boot();
    // Aff3 4, Aff2 3, Aff1 2, Aff0 0x1f: range 1, bit 15.
    let signal = issued(&mut system, 13, 0x0403_021f);
    let request = 4 << 48 | 1 << 44 | 3 << 32 | 13 << 24 | 2 << 16 | 1 << 15;
    system.machine().take_log();
    for label in [Label::InvalidInvocation as u64, Label::TcbResume as u64, 0xfff] {
        assert_eq!(system.call_raw(signal, label, &[], &[1, 2]), ok());
        assert_eq!(system.machine().take_log(), [Effect::Sgi(request)]);
    }
    for call in [Syscall::Send, Syscall::NbSend] {
        system.syscall(call, signal, 0, &[], &[]);
        assert_eq!(system.machine().take_log(), [Effect::Sgi(request)]);
    }
    let own = issued(&mut system, 0, 0);
    system.machine().take_log();
    system.done(own, Label::InvalidInvocation, &[], &[]);
    assert_eq!(system.machine().take_log(), [Effect::Sgi(1)]);
}

#[test]
fn its_handler_is_an_ordinary_one() {
    let mut system = System::boot();
    let handler = system.free_slot();
    assert_eq!(system.call(IRQ_CONTROL, Label::IrqControlGet, &[INIT_CNODE], &[13, handler, DEPTH]), ok());
    assert!(system.machine().is_enabled(13));
    let notification = system.make(ObjectType::Notification, 0);
    system.done(handler, Label::IrqHandlerSetNotification, &[notification], &[]);
    system.syscall(Syscall::Recv, notification, 0, &[], &[]);
    assert_eq!(system.kernel.current(), None);
    system.interrupt(13);
    assert_eq!(system.current(), system.root);
    // The private interrupts the kernel has for guests are nobody's.
    for intid in [25, 27] {
        let words = [intid, handler + 1, DEPTH];
        assert_eq!(system.call(IRQ_CONTROL, Label::IrqControlGet, &[INIT_CNODE], &words), revoke_first());
    }
}

#[test]
fn what_is_issued_apart_is_revoked_apart() {
    let mut system = System::boot();
    let first = issued(&mut system, 3, 0);
    let first_copy = system.copied(first);
    let second = issued(&mut system, 3, 0);
    let second_copy = system.copied(second);
    let other = issued(&mut system, 4, 0);
    assert_eq!(system.revoke(second), ok());
    let left = |system: &System| [first, first_copy, second, second_copy, other].map(|at| system.cap(at) != Cap::Null);
    assert_eq!(left(&system), [true, true, true, false, true]);
    assert_eq!(system.revoke(first), ok());
    assert_eq!(left(&system), [true, false, true, false, true]);
    assert_eq!(system.revoke(IRQ_CONTROL), ok());
    assert_eq!(left(&system), [false; 5]);
}
