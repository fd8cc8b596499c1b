//! Floating-point registers follow their thread.

use sluice_abi::bootinfo::slot::INIT_TCB;
use sluice_abi::{Label, Syscall};
use sluice_core::object::ThreadState;

use crate::user::*;

const SYNDROME: u64 = 0x1fe0_0000;

/// A floating-point instruction of the current thread: what it finds, and whether it trapped first.
fn instruction(system: &mut System, value: u64) -> (u64, bool) {
    let traps = !system.machine().fpu.is_open();
    if traps {
        system.kernel.enter_fpu_trap(SYNDROME);
    }
    let (vector, control) = system.machine().fpu.exchange(value);
    assert_eq!(vector, u128::from(control));
    (control, traps)
}

fn yield_to_other(system: &mut System) {
    let before = system.current();
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    assert_ne!(system.current(), before);
}

#[test]
fn registers_follow_the_thread_and_trap_once() {
    let mut system = System::boot();
    let other = system.running(255);
    assert_eq!(instruction(&mut system, 11), (0, true));
    assert_eq!(instruction(&mut system, 12), (11, false));
    yield_to_other(&mut system);
    assert_eq!(system.current(), other.tcb);
    assert_eq!(instruction(&mut system, 21), (0, true), "nothing of another thread is seen");
    yield_to_other(&mut system);
    assert_eq!(instruction(&mut system, 13), (12, true));
    assert_eq!(instruction(&mut system, 14), (13, false));
}

#[test]
fn registers_of_a_thread_nobody_disturbed_need_no_trap() {
    let mut system = System::boot();
    system.running(255);
    instruction(&mut system, 5);
    yield_to_other(&mut system);
    assert!(!system.machine().fpu.is_open());
    yield_to_other(&mut system);
    assert_eq!(instruction(&mut system, 6), (5, false));
}

#[test]
fn a_disabled_thread_faults_and_keeps_its_registers() {
    let mut system = System::boot();
    let other = system.running(255);
    yield_to_other(&mut system);
    instruction(&mut system, 7);
    yield_to_other(&mut system);
    assert_eq!(system.call(other.cptr, Label::TcbSetFlags, &[], &[0, 1]), ok_with(&[1]));
    yield_to_other(&mut system);
    assert!(!system.machine().fpu.is_open());
    system.kernel.enter_fpu_trap(SYNDROME);
    assert_eq!(system.state(other.tcb), ThreadState::Inactive, "it has no fault handler");
    assert_eq!(system.current(), system.root);
    assert_eq!(system.call(other.cptr, Label::TcbSetFlags, &[], &[1, 0]), ok_with(&[0]));
    system.done(other.cptr, Label::TcbResume, &[], &[]);
    system.done(INIT_TCB, Label::TcbSetTlsBase, &[], &[0]);
    yield_to_other(&mut system);
    assert_eq!(instruction(&mut system, 8), (7, true));
}

#[test]
fn a_deleted_thread_owns_nothing() {
    let mut system = System::boot();
    let other = system.running(255);
    yield_to_other(&mut system);
    instruction(&mut system, 9);
    yield_to_other(&mut system);
    assert_eq!(system.delete(other.cptr), ok());
    // The registers of the deleted thread are not saved to memory that is no thread's any more: the store would panic.
    assert_eq!(instruction(&mut system, 10), (0, true));
}
