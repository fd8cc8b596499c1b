//! How guests come back to the kernel, and what their monitor is told.

use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{Label, ObjectType, Syscall};
use sluice_core::VgicRegister;
use sluice_core::object::ThreadState;

use crate::machine::Effect;
use crate::user::*;

const VIRTUAL_TIMER: u32 = 27;
const MAINTENANCE: u32 = 25;
const PC: u64 = 0x8_0000;
/// ESR_EL2 of an SMC that was trapped.
const SMC: u64 = 0x5e00_0000;

/// Labels of fault messages.
const UNKNOWN_SYSCALL: u64 = 2;
const USER_EXCEPTION: u64 = 3;
const VM_FAULT: u64 = 5;
const VGIC_MAINTENANCE: u64 = 6;
const VCPU_FAULT: u64 = 7;
const VPPI_EVENT: u64 = 8;

/// A guest that runs; the root thread waits for its faults.
fn running() -> (System, u64, Guest) {
    let mut system = System::boot();
    let endpoint = system.make(ObjectType::Endpoint, 0);
    let guest = system.guest(10, endpoint);
    system.resume(guest.thread);
    system.wait_at(endpoint);
    assert_eq!(system.current(), guest.thread.tcb);
    system.kernel.tcb(guest.thread.tcb).context.pc.set(PC);
    (system, endpoint, guest)
}

fn told(system: &System) -> (u64, Vec<u64>) {
    let message = system.told();
    (message.label, message.words)
}

fn pc(system: &System, guest: Guest) -> u64 {
    system.kernel.tcb(guest.thread.tcb).context.pc.get()
}

#[test]
fn a_guest_has_no_debug_calls() {
    for number in -14..=-9i64 {
        let (mut system, endpoint, guest) = running();
        system.syscall(Syscall::DebugPutChar, b'!'.into(), 0, &[], &[]);
        assert_eq!((told(&system).0, system.machine().take_console()), (UNKNOWN_SYSCALL, String::new()));
        system.answer(endpoint);
        assert_eq!(system.current(), guest.thread.tcb);
        system.kernel.tcb(guest.thread.tcb).context.x[7].set(number as u64);
        system.kernel.enter_syscall();
        assert_eq!((told(&system).0, system.current() == guest.thread.tcb), (UNKNOWN_SYSCALL, false), "{number}");
    }
}

#[test]
fn what_a_guest_cannot_do_itself_is_a_fault() {
    let (mut system, endpoint, guest) = running();
    // Only 32 bits of ESR_EL2 are told.
    system.kernel.enter_exception(0x7_0000_0000 | SMC);
    assert_eq!(told(&system), (VCPU_FAULT, vec![SMC]));
    assert_eq!(system.state(guest.thread.tcb), ThreadState::BlockedOnReply);
    // The instruction is tried again, unless the monitor steps over it.
    system.answer(endpoint);
    assert_eq!((system.current(), pc(&system, guest)), (guest.thread.tcb, PC));
    system.kernel.enter_exception(SMC);
    system.done(guest.thread.cptr, Label::TcbWriteRegisters, &[], &[0, 1, PC + 4]);
    system.answer(endpoint);
    assert_eq!((system.current(), pc(&system, guest)), (guest.thread.tcb, PC + 4));
    // An undefined instruction is not the monitor's to emulate.
    system.kernel.enter_exception(0x200_0000);
    let (label, words) = told(&system);
    assert_eq!((label, words[3], words[4]), (USER_EXCEPTION, 0x200_0000, 0));
}

#[test]
fn native_threads_have_the_same_faults() {
    let mut system = System::boot();
    let endpoint = system.make(ObjectType::Endpoint, 0);
    let guest = system.guest(10, endpoint);
    assert_eq!(system.delete(guest.vcpu), ok());
    system.resume(guest.thread);
    system.wait_at(endpoint);
    system.kernel.enter_exception(0xf200_0000);
    assert_eq!(told(&system), (VCPU_FAULT, vec![0xf200_0000]));
    system.answer(endpoint);
    system.kernel.enter_abort(0x9200_0004, 0x1234_5678, false);
    let (label, words) = told(&system);
    assert_eq!((label, &words[1..]), (VM_FAULT, [0x1234_5678, 0, 0x9200_0004].as_slice()), "its own address");
}

#[test]
fn aborts_name_the_address_below_the_guests_own_translation() {
    let (mut system, endpoint, guest) = running();
    const TRANSLATION: u64 = 0x9200_0006;
    const PERMISSION: u64 = 0x9200_000e;
    const WALK: u64 = 1 << 7;
    let virtual_address = 0xffff_8000_0000_1abc;
    // HPFAR_EL2: bits 47:12 of the address, from bit 4.
    system.machine().guest.set_faulting_page(0x1_2345_6000 >> 8);
    system.machine().guest.map_stage1(virtual_address, 0xff00_0000_8765_4b80);
    for (syndrome, instruction, address) in [
        (TRANSLATION, false, 0x1_2345_6abc),
        (0x8200_0006, true, 0x1_2345_6abc),
        (0x9200_000b, false, 0x1_2345_6abc),
        (PERMISSION | WALK, false, 0x1_2345_6abc),
        (PERMISSION, false, 0x8765_4abc),
        (0x9200_0010, false, 0x8765_4abc),
    ] {
        system.kernel.enter_abort(syndrome, virtual_address, instruction);
        let words = vec![PC, address, instruction.into(), syndrome];
        assert_eq!(told(&system), (VM_FAULT, words), "ESR {syndrome:#x}");
        system.answer(endpoint);
        assert_eq!((system.current(), pc(&system, guest)), (guest.thread.tcb, PC));
    }
    // Where stage 1 knows no more, nobody does.
    system.kernel.enter_abort(PERMISSION, 0x5000, false);
    assert_eq!(told(&system), (VM_FAULT, vec![PC, u64::MAX, 0, PERMISSION]));
}

#[test]
fn the_virtual_timer_is_off_until_its_event_is_acknowledged() {
    let (mut system, endpoint, guest) = running();
    assert!(system.machine().is_enabled(VIRTUAL_TIMER));
    system.machine().take_log();
    system.interrupt(VIRTUAL_TIMER);
    assert_eq!(told(&system), (VPPI_EVENT, vec![27]));
    let log = system.machine().take_log();
    let off = log.iter().position(|effect| *effect == Effect::Enable { intid: VIRTUAL_TIMER, enabled: false });
    let done = log.iter().position(|effect| *effect == Effect::Acknowledge(VIRTUAL_TIMER));
    assert!(off.expect("disabled") < done.expect("acknowledged"), "it would come again at once");
    system.answer(endpoint);
    assert_eq!((system.current(), pc(&system, guest)), (guest.thread.tcb, PC));
    assert!(!system.machine().is_enabled(VIRTUAL_TIMER));
    // The guest itself acknowledges, then its monitor.
    system.done(guest.vcpu, Label::VcpuAckVppi, &[], &[27]);
    assert!(system.machine().is_enabled(VIRTUAL_TIMER));
    system.interrupt(VIRTUAL_TIMER);
    system.done(guest.vcpu, Label::VcpuAckVppi, &[], &[27]);
    assert!(!system.machine().is_enabled(VIRTUAL_TIMER), "nobody has use for it now");
    // One that was on its way when guest mode was left is nobody's.
    system.interrupt(VIRTUAL_TIMER);
    assert_eq!(system.current(), system.root);
    system.answer(endpoint);
    assert!(system.machine().is_enabled(VIRTUAL_TIMER));
}

#[test]
fn the_timer_of_one_guest_masks_no_others() {
    let (mut system, endpoint, guest) = running();
    system.interrupt(VIRTUAL_TIMER);
    let other = system.guest(20, endpoint);
    system.resume(other.thread);
    system.answer(endpoint);
    assert_eq!(system.current(), other.thread.tcb);
    assert!(system.machine().is_enabled(VIRTUAL_TIMER));
    system.kernel.enter_exception(SMC);
    system.done(other.thread.cptr, Label::TcbSuspend, &[], &[]);
    system.wait_at(endpoint);
    assert_eq!(system.current(), guest.thread.tcb);
    assert!(!system.machine().is_enabled(VIRTUAL_TIMER));
}

#[test]
fn the_end_of_an_injected_interrupt_asks_for_maintenance() {
    let (mut system, endpoint, guest) = running();
    let list = |system: &System, index: u8| system.machine().guest.vgic(VgicRegister::List(index));
    let inject = |system: &mut System, index: u64| {
        system.call(guest.vcpu, Label::VcpuInjectIrq, &[], &[index << 32 | 1 << 24 | 7 << 16 | 48])
    };
    // Pending, group 1, priority 7, EOI maintenance, INTID 48.
    const WORD: u64 = 1 << 62 | 1 << 60 | 7 << 48 | 1 << 41 | 48;
    assert_eq!(inject(&mut system, 2), ok());
    assert_eq!(list(&system, 2), WORD);
    // While it is pending it may be replaced; once taken it may not.
    assert_eq!(inject(&mut system, 2), ok());
    system.machine().guest.set_vgic(VgicRegister::List(2), WORD ^ 3 << 62);
    assert_eq!(inject(&mut system, 2), delete_first());
    system.machine().guest.set_vgic(VgicRegister::List(2), WORD | 3 << 62);
    assert_eq!(inject(&mut system, 2), delete_first());
    // It ends: the interface says so, and the kernel does not let it ask again.
    system.machine().guest.set_vgic(VgicRegister::List(2), WORD & !(3 << 62));
    system.machine().guest.set_vgic(VgicRegister::MaintenanceStatus, 1);
    system.machine().guest.set_vgic(VgicRegister::EndOfInterruptStatus, 0b100);
    system.interrupt(MAINTENANCE);
    assert_eq!(told(&system), (VGIC_MAINTENANCE, vec![2]));
    assert_eq!(list(&system, 2), WORD & !(3 << 62 | 1 << 41));
    assert_eq!(inject(&mut system, 2), ok());
    system.answer(endpoint);
    for (status, ended) in [(1, 0), (2, 0b100), (1, 1 << 4)] {
        system.machine().guest.set_vgic(VgicRegister::MaintenanceStatus, status);
        system.machine().guest.set_vgic(VgicRegister::EndOfInterruptStatus, ended);
        system.interrupt(MAINTENANCE);
        assert_eq!(told(&system), (VGIC_MAINTENANCE, vec![u64::MAX]), "{status} {ended:#b}");
        system.answer(endpoint);
    }
    // Not in guest mode: it will ask again.
    system.kernel.enter_exception(SMC);
    system.interrupt(MAINTENANCE);
    assert_eq!(told(&system), (VCPU_FAULT, vec![SMC]));
}

#[test]
fn interrupts_are_injected_wherever_the_list_registers_are() {
    let (mut system, endpoint, guest) = running();
    let other = system.make(ObjectType::Vcpu, 0);
    let inject =
        |system: &mut System, vcpu: u64, intid: u64| system.call(vcpu, Label::VcpuInjectIrq, &[], &[1 << 24 | intid]);
    assert_eq!(inject(&mut system, other, 33), ok());
    assert_eq!(system.machine().guest.vgic(VgicRegister::List(0)), 0, "not this guest's");
    system.kernel.enter_exception(SMC);
    // Left, and still in the hardware.
    assert_eq!(inject(&mut system, guest.vcpu, 34), ok());
    assert_eq!(system.machine().guest.vgic(VgicRegister::List(0)) & 0xffff_ffff, 34);
    let thread = system.thread(20);
    system.done(other, Label::VcpuSetTcb, &[thread.cptr], &[]);
    system.resume(thread);
    system.answer(endpoint);
    assert_eq!(system.current(), thread.tcb);
    assert_eq!(system.machine().guest.vgic(VgicRegister::List(0)) & 0xffff_ffff, 33);
}

#[test]
fn floating_point_that_is_forbidden_is_a_fault_of_the_same_kind() {
    const TRAP: u64 = 0x1fe0_0000;
    let (mut system, endpoint, guest) = running();
    system.kernel.enter_fpu_trap(TRAP);
    assert_eq!(system.current(), guest.thread.tcb, "guests use it as others do");
    system.kernel.enter_exception(SMC);
    assert_eq!(system.call(guest.thread.cptr, Label::TcbSetFlags, &[], &[0, 1]), ok_with(&[1]));
    system.answer(endpoint);
    system.kernel.enter_fpu_trap(TRAP);
    assert_eq!(told(&system), (VCPU_FAULT, vec![TRAP]));
}

#[test]
fn faults_of_el1_keep_its_pstate() {
    let (mut system, endpoint, guest) = running();
    let tcb = system.kernel.tcb(guest.thread.tcb);
    tcb.context.spsr.set(0x6000_03c5);
    tcb.context.x[7].set(77);
    system.kernel.enter_syscall();
    let (label, words) = told(&system);
    assert_eq!((label, words[8], words[11], words[12]), (2, PC - 4, 0x6000_03c5, 77), "an unknown call by HVC");
    let mut reply = words.clone();
    reply[8] = PC;
    reply[11] = 0x8000_03c4;
    let root = system.root;
    for (index, word) in reply.iter().enumerate().take(4) {
        system.kernel.tcb(root).context.x[2 + index].set(*word);
    }
    system.syscall(sluice_abi::Syscall::ReplyRecv, endpoint, 0, &[], &reply[..12]);
    let context = &system.kernel.tcb(guest.thread.tcb).context;
    assert_eq!((context.pc.get(), context.spsr.get()), (PC, 0x8000_03c4));
    assert_eq!(system.machine().guest.register(VcpuRegister::Sctlr), 0x34d5_8820);
}
