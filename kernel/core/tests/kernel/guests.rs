//! Guests running: what is exchanged when, and that nobody sees another's.

use sluice_abi::bootinfo::slot::INIT_TCB;
use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{Label, ObjectType, Syscall};
use sluice_core::VgicRegister;

use crate::machine::Effect;
use crate::user::*;

/// Two guests of one priority below the root thread's, ready to run once that waits at the endpoint.
fn two_guests() -> (System, u64, [Guest; 2]) {
    let mut system = System::boot();
    let endpoint = system.make(ObjectType::Endpoint, 0);
    let guests = [(); 2].map(|()| system.guest(10, endpoint));
    for guest in guests {
        system.resume(guest.thread);
    }
    (system, endpoint, guests)
}

/// Everything a guest can write, written with numbers from `base`; returns what was there before.
fn exchange(system: &System, base: u64) -> Vec<u64> {
    let guest = &system.machine().guest;
    let mut before = Vec::new();
    for register in VcpuRegister::ALL {
        // EL1 has no access to these two.
        if !matches!(register, VcpuRegister::CntvOff | VcpuRegister::VmpidrEl2) {
            before.push(guest.register(register));
            guest.write(register, base + register as u64);
        }
    }
    before.push(guest.select_cache(base));
    let lists = (0..4).map(VgicRegister::List);
    let others = [
        VgicRegister::Machine,
        VgicRegister::Control,
        VgicRegister::SystemRegisters,
        VgicRegister::ActiveGroup0(0),
        VgicRegister::ActiveGroup1(0),
    ];
    for (index, register) in lists.chain(others).enumerate() {
        before.push(guest.vgic(register));
        guest.set_vgic(register, base + 0x100 + index as u64);
    }
    before
}

#[test]
fn guests_do_not_see_each_other() {
    // Who was resumed last runs first.
    let (mut system, endpoint, [b, a]) = two_guests();
    for (guest, number) in [(a, 0xa), (b, 0xb)] {
        system.done(guest.vcpu, Label::VcpuWriteReg, &[], &[VcpuRegister::VmpidrEl2 as u64, number]);
        system.done(guest.vcpu, Label::VcpuWriteReg, &[], &[VcpuRegister::CntvOff as u64, number << 32]);
    }
    system.wait_at(endpoint);
    assert_eq!(system.current(), a.thread.tcb);
    let fresh = exchange(&system, 0x1_0000);
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    assert_eq!(system.current(), b.thread.tcb);
    assert_eq!(exchange(&system, 0x2_0000), fresh, "the second guest sees the first's");
    assert_eq!(system.machine().guest.register(VcpuRegister::VmpidrEl2), 0xb);
    assert_eq!(system.machine().guest.register(VcpuRegister::CntvOff), 0xb << 32);
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    let firsts = exchange(&system, 0x3_0000);
    assert!(firsts.iter().all(|value| value >> 16 == 1), "the first guest lost something: {firsts:x?}");
    assert_eq!(system.machine().guest.register(VcpuRegister::VmpidrEl2), 0xa);
    // Through a native thread, too.
    system.kernel.enter_exception(0x5e00_0000);
    assert_eq!(system.current(), system.root);
    system.answer(endpoint);
    assert_eq!(system.current(), a.thread.tcb);
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    assert_eq!(system.current(), b.thread.tcb);
    let seconds = exchange(&system, 0x4_0000);
    assert!(seconds.iter().all(|value| value >> 16 == 2), "the second guest lost something: {seconds:x?}");
}

#[test]
fn guest_mode_is_left_before_the_address_space_changes() {
    let (mut system, endpoint, _) = two_guests();
    system.machine().take_log();
    system.wait_at(endpoint);
    let log = system.machine().take_log();
    let position = |log: &[Effect], what: &dyn Fn(&Effect) -> bool| log.iter().position(what).expect("in the log");
    let loads = |effect: &Effect| matches!(effect, Effect::LoadVspace { .. });
    assert!(position(&log, &loads) < position(&log, &|effect| *effect == Effect::GuestMode(true)));
    system.kernel.enter_exception(0x5e00_0000);
    let log = system.machine().take_log();
    let left = position(&log, &|effect| *effect == Effect::GuestMode(false));
    assert!(left < position(&log, &loads));
    // The timer is off before its offset goes, so that it does not fire.
    let register =
        |which| move |effect: &Effect| matches!(effect, Effect::Register { register, .. } if *register == which);
    let (off, gone) = (register(VcpuRegister::CntvCtl), register(VcpuRegister::CntvOff));
    assert!(position(&log, &off) < position(&log, &gone));
    system.answer(endpoint);
    // To another guest: out of guest mode, into the address space, into guest mode.
    let log = system.machine().take_log();
    assert!(position(&log, &gone) < position(&log, &off), "the timer starts when its offset is there");
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    let log = system.machine().take_log();
    let modes: Vec<_> = log.iter().filter(|effect| matches!(effect, Effect::GuestMode(_)) || loads(effect)).collect();
    let [Effect::GuestMode(false), Effect::LoadVspace { .. }, Effect::GuestMode(true)] = modes[..] else {
        panic!("{modes:?}")
    };
}

/// A register that only guests have stays where it is while native threads run.
#[test]
fn most_registers_stay_for_a_native_thread() {
    let mut system = System::boot();
    let endpoint = system.make(ObjectType::Endpoint, 0);
    let guest = system.guest(10, endpoint);
    system.resume(guest.thread);
    system.wait_at(endpoint);
    system.machine().take_log();
    system.kernel.enter_exception(0x5e00_0000);
    system.answer(endpoint);
    assert_eq!(system.current(), guest.thread.tcb);
    let log = system.machine().take_log();
    let registers = log.iter().filter(|effect| matches!(effect, Effect::Register { .. } | Effect::Vgic { .. }));
    assert_eq!(registers.count(), 12, "SCTLR, CPACR, CNTKCTL, CNTV_CTL, CNTVOFF, ICH_HCR: out and in");
    // An interrupt that changes nothing exchanges nothing.
    system.interrupt(TIMER);
    assert_eq!(system.machine().take_log(), [Effect::RearmTimer, Effect::Acknowledge(TIMER)]);
}

#[test]
fn who_gets_a_processor_while_it_runs_is_a_guest_at_once() {
    let mut system = System::boot();
    let vcpu = system.make(ObjectType::Vcpu, 0);
    assert!(!system.machine().guest.mode());
    system.done(vcpu, Label::VcpuSetTcb, &[INIT_TCB], &[]);
    assert!(system.machine().guest.mode());
    system.machine().guest.write(VcpuRegister::Vbar, 0x77);
    system.machine().guest.write(VcpuRegister::Cpacr, 0x88);
    // It gives it away, with everything in it.
    let other = system.thread(10);
    system.done(vcpu, Label::VcpuSetTcb, &[other.cptr], &[]);
    assert!(!system.machine().guest.mode());
    let read =
        |system: &mut System, register: VcpuRegister| system.call(vcpu, Label::VcpuReadReg, &[], &[register as u64]);
    assert_eq!(read(&mut system, VcpuRegister::Vbar), ok_with(&[0x77]));
    assert_eq!(read(&mut system, VcpuRegister::Cpacr), ok_with(&[0x88]));
    system.done(vcpu, Label::VcpuSetTcb, &[INIT_TCB], &[]);
    assert_eq!(system.delete(vcpu), ok());
    assert!(!system.machine().guest.mode());
}

#[test]
fn an_idle_core_is_in_nobodys_mode() {
    let mut system = System::boot();
    let endpoint = system.make(ObjectType::Endpoint, 0);
    let guest = system.guest(10, endpoint);
    system.done(guest.vcpu, Label::VcpuWriteReg, &[], &[VcpuRegister::CntvCtl as u64, 1]);
    system.resume(guest.thread);
    system.wait_at(endpoint);
    assert_eq!(system.machine().guest.register(VcpuRegister::CntvCtl), 1);
    system.syscall(Syscall::Call, guest.thread.cptr, Label::TcbSuspend as u64, &[], &[]);
    assert_eq!(system.kernel.current(), None);
    assert!(!system.machine().guest.mode());
    assert_eq!(system.machine().guest.register(VcpuRegister::CntvCtl), 0);
}

/// Two processors of one address space need not mean the same by an address.
#[test]
fn translations_of_one_processor_are_not_anothers() {
    let (mut system, endpoint, [b, a]) = two_guests();
    system.machine().take_log();
    system.wait_at(endpoint);
    let forgotten = |system: &System| {
        let log = system.machine().take_log();
        log.iter().filter(|effect| matches!(effect, Effect::InvalidateVmid(_))).count()
    };
    assert_eq!((system.current(), forgotten(&system)), (a.thread.tcb, 0), "nobody ran before");
    system.kernel.enter_exception(0x5e00_0000);
    system.answer(endpoint);
    assert_eq!((system.current(), forgotten(&system)), (a.thread.tcb, 0), "nobody else ran in between");
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    let log = system.machine().take_log();
    let position = |what: &dyn Fn(&Effect) -> bool| log.iter().position(what).expect("in the log");
    let invalidated = position(&|effect| matches!(effect, Effect::InvalidateVmid(_)));
    assert!(position(&|effect| matches!(effect, Effect::LoadVspace { .. })) < invalidated);
    assert!(invalidated < position(&|effect| *effect == Effect::GuestMode(true)));
    assert_eq!(system.current(), b.thread.tcb);
    system.kernel.enter_exception(0x5e00_0000);
    assert_eq!(system.current(), system.root);
    system.machine().take_log();
    assert_eq!(system.delete(b.vcpu), ok());
    assert_eq!(forgotten(&system), 1, "another may be made where it was");
    assert_eq!(system.delete(a.vcpu), ok());
    assert_eq!(forgotten(&system), 0, "its own are gone for long");
}
