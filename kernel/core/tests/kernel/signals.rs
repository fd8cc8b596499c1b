//! Notifications.

use sluice_abi::bootinfo::slot::INIT_TCB;
use sluice_abi::{Label, ObjectType, Syscall};
use sluice_core::object::ThreadState;

use crate::user::*;

/// A thread above the root thread that waits, a notification, and two badged capabilities to it.
fn system() -> (System, Thread, u64, [u64; 2]) {
    let mut system = System::boot();
    let notification = system.make(ObjectType::Notification, 0);
    let badges = [system.minted(notification, 15, 0b01), system.minted(notification, 15, 0b10)];
    system.set_priority(INIT_TCB, 50);
    let thread = system.thread(100);
    (system, thread, notification, badges)
}

fn signal(system: &mut System, cptr: u64) {
    system.syscall(Syscall::Send, cptr, 0, &[], &[]);
}

#[test]
fn signals_gather_until_somebody_looks() {
    let (mut system, thread, notification, badges) = system();
    signal(&mut system, badges[0]);
    signal(&mut system, badges[1]);
    signal(&mut system, notification);
    system.resume(thread);
    system.syscall(Syscall::Recv, notification, 5, &[], &[6]);
    let message = system.message(thread.tcb);
    assert_eq!((message.badge, message.label, message.words), (0b11, 5, vec![6]), "only x0 is written");
    system.syscall(Syscall::NbRecv, notification, 0, &[], &[]);
    assert_eq!(system.message(thread.tcb).badge, 0);
}

#[test]
fn a_signal_wakes_one_waiter() {
    let (mut system, thread, notification, badges) = system();
    let second = system.thread(90);
    system.resume(thread);
    system.syscall(Syscall::Recv, notification, 0, &[], &[]);
    system.resume(second);
    system.syscall(Syscall::Recv, notification, 0, &[], &[]);
    assert_eq!(system.current(), system.root);
    signal(&mut system, badges[1]);
    assert_eq!(system.current(), thread.tcb);
    assert_eq!(system.message(thread.tcb).badge, 0b10);
    assert!(matches!(system.state(second.tcb), ThreadState::BlockedOnNotification(_)));
    // A call to a notification signals too, and is answered at once.
    assert_eq!(system.call_raw(badges[0], 0, &[], &[]), ok());
    assert_eq!(system.state(second.tcb), ThreadState::Running);
}

#[test]
fn a_bound_thread_gets_signals_while_it_receives() {
    let (mut system, thread, notification, badges) = system();
    let endpoint = system.make(ObjectType::Endpoint, 0);
    system.done(thread.cptr, Label::TcbBindNotification, &[notification], &[]);
    system.resume(thread);
    system.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
    assert_eq!(system.current(), system.root);
    signal(&mut system, badges[0]);
    assert_eq!(system.current(), thread.tcb);
    assert_eq!(system.message(thread.tcb).badge, 0b01);
    // One that came before comes first.
    signal(&mut system, badges[1]);
    system.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
    assert_eq!(system.current(), thread.tcb);
    assert_eq!(system.message(thread.tcb).badge, 0b10);
    system.syscall(Syscall::NbRecv, endpoint, 0, &[], &[]);
    assert_eq!(system.message(thread.tcb).badge, 0);
}

#[test]
fn a_bound_thread_that_sends_is_not_disturbed() {
    let (mut system, thread, notification, badges) = system();
    let endpoint = system.make(ObjectType::Endpoint, 0);
    system.done(thread.cptr, Label::TcbBindNotification, &[notification], &[]);
    system.resume(thread);
    system.syscall(Syscall::Send, endpoint, 0, &[], &[]);
    signal(&mut system, badges[0]);
    assert!(matches!(system.state(thread.tcb), ThreadState::BlockedOnSend(_)));
    assert_eq!(system.current(), system.root);
}

#[test]
fn binding_is_one_to_one() {
    let (mut system, thread, notification, badges) = system();
    let bind = |system: &mut System, thread: Thread, cptr: u64| {
        system.call(thread.cptr, Label::TcbBindNotification, &[cptr], &[])
    };
    let other = system.thread(60);
    let second = system.make(ObjectType::Notification, 0);
    let unreadable = system.minted(second, 1, 0);
    assert_eq!(system.call(thread.cptr, Label::TcbBindNotification, &[], &[]), truncated());
    assert_eq!(bind(&mut system, thread, INIT_TCB), illegal());
    assert_eq!(bind(&mut system, thread, unreadable), illegal());
    assert_eq!(system.call(thread.cptr, Label::TcbUnbindNotification, &[], &[]), illegal());
    assert_eq!(bind(&mut system, thread, notification), ok());
    assert_eq!(bind(&mut system, thread, second), illegal());
    assert_eq!(bind(&mut system, other, badges[0]), illegal());
    // Only the bound thread may wait for it.
    system.resume(other);
    system.syscall(Syscall::Recv, notification, 0, &[], &[]);
    assert_eq!(system.state(other.tcb), ThreadState::Inactive, "a fault without a handler");
    system.done(thread.cptr, Label::TcbUnbindNotification, &[], &[]);
    system.resume(other);
    system.syscall(Syscall::Recv, notification, 0, &[], &[]);
    assert_eq!(bind(&mut system, thread, notification), illegal(), "somebody waits");
}

#[test]
fn both_ends_of_a_binding_can_go() {
    let (mut system, thread, notification, badges) = system();
    system.done(thread.cptr, Label::TcbBindNotification, &[notification], &[]);
    assert_eq!(system.delete(thread.cptr), ok());
    signal(&mut system, badges[0]);
    let thread = system.thread(10);
    let second = system.make(ObjectType::Notification, 0);
    system.done(thread.cptr, Label::TcbBindNotification, &[second], &[]);
    assert_eq!(system.delete(second), ok());
    assert_eq!(system.kernel.tcb(thread.tcb).bound_notification.get(), None);
}

#[test]
fn deleting_a_notification_restarts_who_waits() {
    let (mut system, thread, notification, badges) = system();
    system.resume(thread);
    system.syscall(Syscall::Recv, notification, 0, &[], &[]);
    for cptr in badges {
        assert_eq!(system.delete(cptr), ok());
    }
    let words = [notification, DEPTH];
    system.syscall(Syscall::Call, sluice_abi::bootinfo::slot::INIT_CNODE, Label::CNodeDelete as u64, &[], &words);
    assert_eq!(system.current(), thread.tcb);
    assert_eq!(system.kernel.tcb(thread.tcb).context.pc.get(), AFTER_SVC - 4);
}

#[test]
fn rights_are_needed_to_signal_and_to_wait() {
    let (mut system, thread, notification, _) = system();
    let (read, write) = (system.minted(notification, 2, 4), system.minted(notification, 1, 4));
    assert_eq!(system.call_raw(read, 0, &[], &[]), invalid_capability(0));
    system.resume(thread);
    system.syscall(Syscall::Recv, write, 0, &[], &[]);
    assert_eq!(system.state(thread.tcb), ThreadState::Inactive);
    assert_eq!(system.call_raw(write, 0, &[], &[]), ok());
}
