//! Who runs.

use sluice_abi::bootinfo::slot::INIT_TCB;
use sluice_abi::{Label, ObjectType, Syscall};
use sluice_core::Handle;
use sluice_core::object::Tcb;

use crate::machine::Effect;
use crate::user::*;

#[test]
fn higher_priority_runs_at_once_equal_waits() {
    let mut system = System::boot();
    system.set_priority(INIT_TCB, 100);
    let (lower, equal, higher) = (system.running(99), system.running(100), system.running(101));
    assert_eq!(system.current(), higher.tcb);
    system.done(INIT_TCB, Label::TcbSetTlsBase, &[], &[0]);
    system.syscall(Syscall::Call, higher.cptr, Label::TcbSuspend as u64, &[], &[]);
    assert_eq!(system.current(), system.root);
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    assert_eq!(system.current(), equal.tcb);
    system.syscall(Syscall::Call, equal.cptr, Label::TcbSuspend as u64, &[], &[]);
    system.syscall(Syscall::Call, INIT_TCB, Label::TcbSuspend as u64, &[], &[]);
    assert_eq!(system.current(), lower.tcb);
    system.syscall(Syscall::Call, lower.cptr, Label::TcbSuspend as u64, &[], &[]);
    assert_eq!(system.kernel.current(), None);
    assert_eq!(system.machine().tlb.loaded().map(|(_, vmid)| vmid), Some(0), "idle translates nothing");
    system.ticks(3);
    assert_eq!(system.kernel.current(), None);
}

#[test]
fn equals_take_turns_every_five_ticks() {
    let mut system = System::boot();
    let threads: Vec<Handle<Tcb>> = (0..3).map(|_| system.running(255).tcb).collect();
    let mut order = vec![system.root];
    // Each started thread goes to the front of those that wait.
    order.extend(threads.iter().rev());
    for round in 0..8 {
        assert_eq!(system.current(), order[round % 4], "round {round}");
        system.ticks(4);
        assert_eq!(system.current(), order[round % 4]);
        system.ticks(1);
    }
}

#[test]
fn a_thread_alone_at_its_priority_goes_on() {
    let mut system = System::boot();
    system.running(254);
    system.ticks(20);
    assert_eq!(system.current(), system.root);
}

#[test]
fn yielding_goes_behind_equals() {
    let mut system = System::boot();
    let (b, a) = (system.running(255), system.running(255));
    let mut seen = Vec::new();
    for _ in 0..6 {
        system.syscall(Syscall::Yield, 0, 0, &[], &[]);
        seen.push(system.current());
    }
    assert_eq!(seen, [a.tcb, b.tcb, system.root, a.tcb, b.tcb, system.root]);
}

#[test]
fn priorities_change_with_effect() {
    let mut system = System::boot();
    system.set_priority(INIT_TCB, 100);
    let thread = system.running(50);
    assert_eq!(system.current(), system.root);
    system.set_priority(thread.cptr, 101);
    assert_eq!(system.current(), thread.tcb);
    system.set_priority(thread.cptr, 99);
    assert_eq!(system.current(), system.root);
    system.set_priority(INIT_TCB, 98);
    assert_eq!(system.current(), thread.tcb);
}

#[test]
fn priorities_are_bounded_by_the_authority() {
    let mut system = System::boot();
    let (thread, authority) = (system.thread(10), system.thread(10));
    system.done(authority.cptr, Label::TcbSetMcPriority, &[INIT_TCB], &[40]);
    for label in [Label::TcbSetPriority, Label::TcbSetMcPriority] {
        assert_eq!(system.call(thread.cptr, label, &[], &[1]), truncated());
        assert_eq!(system.call(thread.cptr, label, &[INIT_TCB], &[]), truncated());
        assert_eq!(system.call(thread.cptr, label, &[thread.frame], &[1]), invalid_capability(1));
        assert_eq!(system.call(thread.cptr, label, &[authority.cptr], &[41]), range(0, 40));
        assert_eq!(system.call(thread.cptr, label, &[INIT_TCB], &[256]), range(0, 255));
        assert_eq!(system.call(thread.cptr, label, &[authority.cptr], &[40]), ok());
    }
    let label = Label::TcbSetSchedParams;
    assert_eq!(system.call(thread.cptr, label, &[authority.cptr], &[3]), truncated());
    assert_eq!(system.call(thread.cptr, label, &[authority.cptr], &[41, 1]), range(0, 40));
    assert_eq!(system.call(thread.cptr, label, &[authority.cptr], &[1, 41]), range(0, 40));
    assert_eq!(system.call(thread.cptr, label, &[authority.cptr], &[7, 9]), ok());
    let tcb = system.kernel.tcb(thread.tcb);
    assert_eq!((tcb.max_priority.get(), tcb.priority.get()), (7, 9));
}

#[test]
fn a_tick_rearms_the_timer() {
    let mut system = System::boot();
    system.machine().take_log();
    system.interrupt(TIMER);
    assert_eq!(system.machine().take_log(), [Effect::RearmTimer, Effect::Acknowledge(TIMER)]);
}

#[test]
fn a_woken_thread_that_is_suspended_at_once_does_not_run() {
    let mut system = System::boot();
    let endpoint = system.make(ObjectType::Endpoint, 0);
    system.set_priority(INIT_TCB, 50);
    let thread = system.running(200);
    system.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
    // CopyRegisters with resume and suspend of the same thread: suspended first, then started over.
    system.syscall(Syscall::Call, thread.cptr, Label::TcbCopyRegisters as u64, &[thread.cptr], &[3]);
    assert_eq!(system.current(), thread.tcb);
    assert_eq!(system.kernel.tcb(thread.tcb).context.pc.get(), AFTER_SVC - 4);
}
