//! Virtual processors as objects: what they are told, whom they belong to, and what they remember.

use sluice_abi::bootinfo::slot::{INIT_CNODE, INIT_TCB};
use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{Label, ObjectType};
use sluice_core::cap::Cap;
use sluice_core::object::Vcpu;

use crate::user::*;

/// Registers of seL4's interface, whatever `VcpuRegister` says.
const SCTLR: u64 = 0;
const TTBR0: u64 = 2;
const CNTKCTL: u64 = 23;

fn read(system: &mut System, vcpu: u64, field: u64) -> u64 {
    let Reply { label: 0, words } = system.call(vcpu, Label::VcpuReadReg, &[], &[field]) else { panic!("refused") };
    assert_eq!(words.len(), 1);
    words[0]
}

fn write(system: &mut System, vcpu: u64, field: u64, value: u64) {
    system.done(vcpu, Label::VcpuWriteReg, &[], &[field, value]);
}

#[test]
fn a_new_processor_is_as_the_interface_says() {
    let mut system = System::boot();
    let vcpu = system.make(ObjectType::Vcpu, 0);
    for field in 0..24 {
        assert_eq!(read(&mut system, vcpu, field), if field == SCTLR { 0x34d5_8820 } else { 0 }, "field {field}");
    }
    for field in 0..24 {
        write(&mut system, vcpu, field, 0x1000 + field);
    }
    for field in 0..24 {
        assert_eq!(read(&mut system, vcpu, field), 0x1000 + field);
    }
}

#[test]
fn requests_that_cannot_be_met_are_refused() {
    let mut system = System::boot();
    let vcpu = system.make(ObjectType::Vcpu, 0);
    let mut call = |label, caps: &[u64], words: &[u64]| system.call(vcpu, label, caps, words);
    assert_eq!(call(Label::VcpuSetTcb, &[], &[]), truncated());
    assert_eq!(call(Label::VcpuSetTcb, &[INIT_CNODE], &[]), illegal());
    assert_eq!(call(Label::VcpuSetTcb, &[vcpu], &[]), illegal());
    assert_eq!(call(Label::VcpuReadReg, &[], &[]), truncated());
    assert_eq!(call(Label::VcpuReadReg, &[], &[24]), invalid_argument(1));
    assert_eq!(call(Label::VcpuReadReg, &[], &[1 << 32]), invalid_argument(1));
    assert_eq!(call(Label::VcpuWriteReg, &[], &[0]), truncated());
    assert_eq!(call(Label::VcpuWriteReg, &[], &[24, 0]), invalid_argument(1));
    assert_eq!(call(Label::VcpuAckVppi, &[], &[]), truncated());
    assert_eq!(call(Label::VcpuAckVppi, &[], &[u64::from(INTIDS)]), range(0, u64::from(INTIDS) - 1));
    assert_eq!(call(Label::VcpuAckVppi, &[], &[1 << 32 | 27]), range(0, u64::from(INTIDS) - 1));
    assert_eq!(call(Label::VcpuAckVppi, &[], &[26]), invalid_argument(0));
    assert_eq!(call(Label::VcpuAckVppi, &[], &[27]), ok());
    assert_eq!(call(Label::VcpuInjectIrq, &[], &[]), truncated());
    // The least that is too much of each, then of all: the first in the order of the interface counts.
    assert_eq!(call(Label::VcpuInjectIrq, &[], &[1024]), range(0, 1023));
    assert_eq!(call(Label::VcpuInjectIrq, &[], &[32 << 16]), range(0, 31));
    assert_eq!(call(Label::VcpuInjectIrq, &[], &[2 << 24]), range(0, 1));
    assert_eq!(call(Label::VcpuInjectIrq, &[], &[4 << 32]), range(0, 3));
    assert_eq!(call(Label::VcpuInjectIrq, &[], &[u64::MAX]), range(0, 1023));
    assert_eq!(call(Label::VcpuInjectIrq, &[], &[u64::MAX << 16 | 1]), range(0, 31));
    assert_eq!(call(Label::VcpuInjectIrq, &[], &[0xff_ff00_03ff]), range(0, 1));
    assert_eq!(call(Label::VcpuInjectIrq, &[], &[3 << 32 | 1 << 24 | 31 << 16 | 1023]), ok());
    // Bits above the index mean nothing.
    assert_eq!(call(Label::VcpuInjectIrq, &[], &[0xff << 40]), ok());
    for label in [Label::InvalidInvocation, Label::TcbResume, Label::IrqControlIssueSgiSignal] {
        assert_eq!(call(label, &[INIT_TCB], &[0; 4]), illegal());
    }
}

#[test]
fn thread_and_processor_have_one_another() {
    let mut system = System::boot();
    let (a, b) = (system.thread(10), system.thread(10));
    let (p, q) = (system.make(ObjectType::Vcpu, 0), system.make(ObjectType::Vcpu, 0));
    let pairs = |system: &System| [a, b].map(|thread| system.kernel.tcb(thread.tcb).vcpu.get());
    let (at_p, at_q) = (system.processor(p), system.processor(q));
    let set = |system: &mut System, vcpu: u64, thread: Thread| {
        system.done(vcpu, Label::VcpuSetTcb, &[thread.cptr], &[]);
        pairs(system)
    };
    assert_eq!(set(&mut system, p, a), [Some(at_p), None]);
    assert_eq!(set(&mut system, p, a), [Some(at_p), None]);
    assert_eq!(set(&mut system, p, b), [None, Some(at_p)]);
    assert_eq!(set(&mut system, q, a), [Some(at_q), Some(at_p)]);
    assert_eq!(set(&mut system, q, b), [None, Some(at_q)]);
    assert_eq!(system.machine().objects.get::<Vcpu>(at_p).thread.get(), None);
}

#[test]
fn either_may_go_first() {
    let mut system = System::boot();
    let thread = system.thread(10);
    let parent = system.make(ObjectType::Untyped, 14);
    let vcpu = system.make_from(parent, ObjectType::Vcpu, 0);
    system.done(vcpu, Label::VcpuSetTcb, &[thread.cptr], &[]);
    let at = system.processor(vcpu);
    // A copy keeps it alive; the last to go ends it.
    let copy = system.copied(vcpu);
    assert_eq!(system.delete(vcpu), ok());
    assert_eq!(system.kernel.tcb(thread.tcb).vcpu.get(), Some(at));
    assert_eq!(system.cap(copy), Cap::Vcpu(at));
    assert_eq!(system.revoke(parent), ok());
    assert_eq!(system.cap(copy), Cap::Null);
    assert_eq!(system.kernel.tcb(thread.tcb).vcpu.get(), None);
    let vcpu = system.make_from(parent, ObjectType::Vcpu, 0);
    system.done(vcpu, Label::VcpuSetTcb, &[thread.cptr], &[]);
    assert_eq!(system.delete(thread.cptr), ok());
    assert_eq!(system.machine().objects.get(system.processor(vcpu)).thread.get(), None);
    assert_eq!(system.delete(vcpu), ok());
}

/// The mode that a thread's PSTATE ends in when `spsr` is written.
fn written(system: &mut System, thread: Thread, spsr: u64) -> u64 {
    system.done(thread.cptr, Label::TcbWriteRegisters, &[], &[0, 3, 0x1000, 0x2000, spsr]);
    system.kernel.tcb(thread.tcb).context.spsr.get()
}

#[test]
fn only_guests_choose_their_exception_level() {
    const USER: u64 = if cfg!(debug_assertions) { 0x40 } else { 0x140 };
    let mut system = System::boot();
    let thread = system.thread(10);
    for spsr in [0x5, 0x3c5, 0x4, 0x9, 0x10] {
        assert_eq!(written(&mut system, thread, spsr | 0xa000_0000), USER | 0xa000_0000, "{spsr:#x} without");
    }
    let vcpu = system.make(ObjectType::Vcpu, 0);
    system.done(vcpu, Label::VcpuSetTcb, &[thread.cptr], &[]);
    for spsr in [0x0, 0x5, 0x3c5, 0x4, 0x6000_03c4] {
        assert_eq!(written(&mut system, thread, spsr), spsr, "{spsr:#x} with");
    }
    // EL2, EL3, AArch32 and what is no mode.
    for spsr in [0x8, 0x9, 0xc, 0xd, 0x10, 0x13, 0x1f, 0x15, 0x14, 0x1, 0x7] {
        assert_eq!(written(&mut system, thread, spsr), USER, "{spsr:#x} with");
    }
    assert_eq!(written(&mut system, thread, 0x6000_03c5), 0x6000_03c5);
    assert_eq!(system.delete(vcpu), ok());
    assert_eq!(system.kernel.tcb(thread.tcb).context.spsr.get(), USER | 0x6000_0000);
}

#[test]
fn registers_are_read_and_written_wherever_they_are() {
    let mut system = System::boot();
    let endpoint = system.make(ObjectType::Endpoint, 0);
    let guest = system.guest(10, endpoint);
    system.resume(guest.thread);
    write(&mut system, guest.vcpu, TTBR0, 0x10);
    write(&mut system, guest.vcpu, CNTKCTL, 0x20);
    system.wait_at(endpoint);
    assert_eq!(system.machine().guest.register(VcpuRegister::Ttbr0), 0x10);
    assert_eq!(system.machine().guest.register(VcpuRegister::CntkctlEl1), 0x20);
    // The guest asks for its own: they are in the hardware.
    system.machine().guest.write(VcpuRegister::Ttbr0, 0x11);
    system.machine().guest.write(VcpuRegister::CntkctlEl1, 0x21);
    assert_eq!(read(&mut system, guest.vcpu, TTBR0), 0x11);
    assert_eq!(read(&mut system, guest.vcpu, CNTKCTL), 0x21);
    write(&mut system, guest.vcpu, TTBR0, 0x12);
    write(&mut system, guest.vcpu, CNTKCTL, 0x22);
    assert_eq!(system.machine().guest.register(VcpuRegister::Ttbr0), 0x12);
    assert_eq!(system.machine().guest.register(VcpuRegister::CntkctlEl1), 0x22);
    // Its monitor asks: one is in the hardware still, the other in memory.
    system.kernel.enter_exception(0x5e00_0000);
    assert_eq!(system.machine().guest.register(VcpuRegister::CntkctlEl1), 0x203, "not the guest's any more");
    assert_eq!(read(&mut system, guest.vcpu, TTBR0), 0x12);
    assert_eq!(read(&mut system, guest.vcpu, CNTKCTL), 0x22);
    write(&mut system, guest.vcpu, TTBR0, 0x13);
    write(&mut system, guest.vcpu, CNTKCTL, 0x23);
    system.answer(endpoint);
    assert_eq!(system.machine().guest.register(VcpuRegister::Ttbr0), 0x13);
    assert_eq!(system.machine().guest.register(VcpuRegister::CntkctlEl1), 0x23);
}
