//! How guests leave guest mode, and what their monitor is told.

use sluice_abi::fault::FaultLabel;
use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{CapRights, Label, ObjectType, Register, Syscall, VmAttributes};
use sluice_conformance_task::Refusal;

use super::forwarded::forwarded_interrupts;
use super::{Entry, Topic};
use crate::target::call::{Call, Reply, trap};
use crate::target::guest::{ALIAS, Code, EL1H, Guest, NOWHERE};
use crate::target::memory::{load, store};
use crate::target::puppet::{Start, pattern};
use crate::target::world::{Outcome, WINDOW, World, page_map};

pub(crate) const TOPIC: Topic = Topic {
    name: "guest",
    checks: &[
        Entry::new("hypervisor-calls", hypervisor_calls),
        Entry::new("traps", traps),
        Entry::new("stage-2-faults", stage_2_faults),
        Entry::new("faults-below-its-own-translation", faults_below_its_own_translation),
        Entry::new("virtual-interrupts", virtual_interrupts),
        Entry::new("virtual-timer", virtual_timer),
        Entry::new("forwarded-interrupts", forwarded_interrupts),
    ],
};

pub(super) fn label(reply: &Reply) -> u64 {
    reply.label()
}

fn hypervisor_calls(world: &mut World) -> Outcome {
    let guest = world.guest()?;
    let fault = world.enter(guest, Code::HVC, &[])?;
    let mut wanted = [0; 13];
    for (number, word) in (0..8).zip(&mut wanted) {
        *word = pattern(number);
    }
    let stack = Start(world.registers(guest.puppet.tcb)).get(Register::Sp);
    wanted[8..].copy_from_slice(&[Code::HVC.at(), stack, Code::HVC.at() + 4, EL1H, pattern(7)]);
    world.equal("an unknown call", (label(&fault), fault.words()), (FaultLabel::UnknownSyscall as u64, &wanted[..]));
    // It goes on where the answer says.
    let mut words = [0; 12];
    words.copy_from_slice(&fault.words()[..12]);
    words[0] = 0x1234;
    words[8] = Code::SMC.at();
    let fault = world.resume(guest, &words);
    world.equal("sent elsewhere", label(&fault), FaultLabel::Vcpu as u64);
    let found = Start(world.registers(guest.puppet.tcb)).get(Register::X(0));
    world.equal("x0 as answered", found, 0x1234);
    // The system calls are those of native threads.
    let notification = world.make(ObjectType::Notification, 0)?;
    let badged = world.mint(notification, CapRights::all(), 0x55)?;
    let start = Start::at(Code::HVC.at()).with(Register::Spsr, EL1H);
    let signal = start.with(Register::X(0), badged).with(Register::X(1), 0).with(Register::X(7), Syscall::Send.word());
    let idle = world.puppet()?;
    world.start(guest.puppet, signal)?;
    let [badge, ..] = trap(Syscall::Recv.word(), [notification, 0, 0, 0, 0, 0]);
    world.equal("a guest's signal", badge, 0x55);
    world.ok(&Call::of(guest.puppet.tcb, Label::TcbSuspend))?;
    world.ok(&Call::of(idle.tcb, Label::TcbSuspend))?;
    Ok(())
}

/// The class of ESR_EL2 (DDI 0487, D24.2.40).
fn class(syndrome: u64) -> u64 {
    syndrome >> 26 & 0x3f
}

fn traps(world: &mut World) -> Outcome {
    const WAITING: u64 = 0x01;
    const SMC: u64 = 0x17;
    const REGISTER: u64 = 0x18;
    let guest = world.guest()?;
    for (what, code, wanted) in [
        ("SMC", Code::SMC, SMC),
        ("WFI", Code::WFI, WAITING),
        ("a debug register", Code::DEBUG, REGISTER),
        ("the physical timer", Code::PHYSICAL_TIMER, REGISTER),
        ("a software-generated interrupt", Code::SIGNAL, REGISTER),
    ] {
        let fault = world.enter(guest, code, &[])?;
        world.equal(what, (label(&fault), fault.words().len()), (FaultLabel::Vcpu as u64, 1));
        world.equal(format_args!("class of {what}"), class(fault.word(0)), wanted);
        world.equal(format_args!("upper half of the syndrome of {what}"), fault.word(0) >> 32, 0);
        let pc = world.registers(guest.puppet.tcb)[0];
        world.equal(format_args!("where {what} is tried again"), pc, code.at());
        // Answered as it is, the instruction traps again; stepped over, the guest goes on.
        let again = world.resume(guest, &[]);
        world.equal(format_args!("{what} again"), (label(&again), again.word(0)), (label(&fault), fault.word(0)));
        world.ok(&Call::of(guest.puppet.tcb, Label::TcbWriteRegisters).words(&[0, 1, code.at() + 4]))?;
        let next = world.resume(guest, &[]);
        world.equal(format_args!("behind {what}"), label(&next), FaultLabel::UnknownSyscall as u64);
        world.equal(format_args!("x1 behind {what}"), next.word(1), pattern(1));
    }
    Ok(())
}

/// A VM fault's address, whether it was a fetch, and the class and reason in its syndrome.
fn observe_fault(world: &mut World, what: &str, fault: &Reply, code: u64, address: u64, fetch: bool, reason: u64) {
    world.equal(what, (label(fault), fault.words().len()), (FaultLabel::Vm as u64, 4));
    world.equal(format_args!("{what}: where"), fault.word(0), code);
    world.equal(format_args!("{what}: address"), fault.word(1), address);
    world.equal(format_args!("{what}: fetch"), fault.word(2), u64::from(fetch));
    world.equal(format_args!("{what}: class"), class(fault.word(3)), if fetch { 0x20 } else { 0x24 });
    // Fault status without the level.
    world.equal(format_args!("{what}: reason"), fault.word(3) & 0x3c, reason);
}

const TRANSLATION: u64 = 0x4;
const PERMISSION: u64 = 0xc;

fn stage_2_faults(world: &mut World) -> Outcome {
    let guest = world.guest()?;
    let fault = world.enter(guest, Code::LOAD, &[0, NOWHERE])?;
    observe_fault(world, "a load from nowhere", &fault, Code::LOAD.at(), NOWHERE, false, TRANSLATION);
    let fault = world.enter(guest, Code::STORE, &[1, NOWHERE])?;
    observe_fault(world, "a store to nowhere", &fault, Code::STORE.at(), NOWHERE, false, TRANSLATION);
    world.equal("a store's syndrome says so", fault.word(3) >> 6 & 1, 1);
    let target = NOWHERE & !0xfff;
    let fault = world.enter(guest, Code::JUMP, &[0, target])?;
    observe_fault(world, "a jump to nowhere", &fault, target, target, true, TRANSLATION);
    // Mapped meanwhile, the access is made when the fault is answered.
    let frame = world.make(ObjectType::SmallPage, 0)?;
    let address = world.address();
    let fault = world.enter(guest, Code::STORE, &[0x600d, address + 8])?;
    observe_fault(world, "a store to a page to be", &fault, Code::STORE.at(), address + 8, false, TRANSLATION);
    world.map(frame, address)?;
    let fault = world.resume(guest, &[]);
    world.equal("after the store", label(&fault), FaultLabel::UnknownSyscall as u64);
    world.equal("what it stored", load(address + 8), 0x600d);
    world.ok(&page_map(frame, address, CapRights::READ, VmAttributes::DEFAULT))?;
    let fault = world.enter(guest, Code::STORE, &[0xbad, address + 8])?;
    observe_fault(world, "a store to a page to read", &fault, Code::STORE.at(), address + 8, false, PERMISSION);
    world.equal("what the page holds", load(address + 8), 0x600d);
    let fault = world.enter(guest, Code::LOAD, &[0, address + 8])?;
    world.equal("a load from it", (label(&fault), fault.word(0)), (FaultLabel::UnknownSyscall as u64, 0x600d));
    Ok(())
}

/// With its own translation on, a guest's faults name what that made of its addresses.
fn faults_below_its_own_translation(world: &mut World) -> Outcome {
    let guest = world.guest()?;
    world.translate(guest)?;
    let alias = |address: u64| address - WINDOW + ALIAS;
    let (frame, address) = world.page()?;
    store(address + 0x28, 0x1dea);
    let fault = world.enter(guest, Code::LOAD, &[0, alias(address + 0x28)])?;
    world.equal("a load", (label(&fault), fault.word(0)), (FaultLabel::UnknownSyscall as u64, 0x1dea));
    let fault = world.enter(guest, Code::LOAD, &[0, alias(NOWHERE)])?;
    observe_fault(world, "a load from nowhere", &fault, Code::LOAD.at(), NOWHERE, false, TRANSLATION);
    world.write(guest, VcpuRegister::Par, 0x1_2345_6000)?;
    world.ok(&page_map(frame, address, CapRights::READ, VmAttributes::DEFAULT))?;
    let fault = world.enter(guest, Code::STORE, &[0xbad, alias(address + 0x28)])?;
    observe_fault(world, "a store to a page to read", &fault, Code::STORE.at(), address + 0x28, false, PERMISSION);
    let found = world.read(guest, VcpuRegister::Par)?;
    world.equal("PAR, which the kernel used in between", found, 0x1_2345_6000);
    let target = NOWHERE & !0xfff;
    let fault = world.enter(guest, Code::JUMP, &[0, alias(target)])?;
    observe_fault(world, "a jump to nowhere", &fault, alias(target), target, true, TRANSLATION);
    Ok(())
}

pub(super) fn inject(guest: Guest, index: u64, intid: u64) -> Call {
    Call::of(guest.vcpu, Label::VcpuInjectIrq).words(&[index << 32 | 1 << 24 | intid])
}

/// The guest takes `intid` from list register `index`, ends it, and goes on; the monitor hears of each.
pub(super) fn take(world: &mut World, guest: Guest, taken: &Reply, index: u64, intid: u64) -> Outcome {
    world.equal("the interrupt taken", (label(taken), taken.word(0)), (FaultLabel::UnknownSyscall as u64, intid));
    world.refused("a list register in use", &inject(guest, index, 99), Refusal::DeleteFirst);
    let ended = world.step_over(guest, taken)?;
    let wanted = (FaultLabel::VgicMaintenance as u64, &[index][..]);
    world.equal("the end of the interrupt", (label(&ended), ended.words()), wanted);
    let next = world.resume(guest, &[]);
    world.equal("behind the end", (label(&next), next.word(1)), (FaultLabel::UnknownSyscall as u64, 0x77));
    Ok(())
}

fn virtual_interrupts(world: &mut World) -> Outcome {
    let guest = world.guest()?;
    world.ok(&inject(guest, 1, 40))?;
    // Pending is not taken yet, and gives way.
    world.ok(&inject(guest, 1, 41))?;
    let taken = world.enter(guest, Code::WAIT, &[])?;
    take(world, guest, &taken, 1, 41)?;
    // The list register is free; injected while the guest is stopped, and its registers still in the hardware.
    world.ok(&inject(guest, 1, 1019))?;
    let taken = world.enter(guest, Code::WAIT, &[])?;
    take(world, guest, &taken, 1, 1019)?;
    // Active in one guest is not active in another, and survives its turn.
    let other = world.guest()?;
    world.ok(&inject(guest, 0, 50))?;
    let taken = world.enter(guest, Code::WAIT, &[])?;
    world.ok(&inject(other, 0, 60))?;
    let others = world.enter(other, Code::WAIT, &[])?;
    world.refused("the first guest's list register", &inject(guest, 0, 51), Refusal::DeleteFirst);
    take(world, other, &others, 0, 60)?;
    take(world, guest, &taken, 0, 50)?;
    Ok(())
}

fn virtual_timer(world: &mut World) -> Outcome {
    const TIMER: u64 = 27;
    let guest = world.guest()?;
    for round in 0..3 {
        let event = world.enter(guest, Code::TIMER, &[1000])?;
        let wanted = (FaultLabel::VppiEvent as u64, &[TIMER][..]);
        world.equal(format_args!("event {round}"), (label(&event), event.words()), wanted);
        let control = world.read(guest, VcpuRegister::CntvCtl)?;
        world.equal("the timer is on and has fired", control, 5);
        // Not acknowledged, it may run and is not told again.
        let quiet = world.enter(guest, Code::HVC, &[])?;
        world.equal("masked", label(&quiet), FaultLabel::UnknownSyscall as u64);
        world.ok(&inject(guest, 0, TIMER))?;
        let taken = world.enter(guest, Code::WAIT, &[])?;
        take(world, guest, &taken, 0, TIMER)?;
        world.ok(&Call::of(guest.vcpu, Label::VcpuAckVppi).words(&[TIMER]))?;
        // Acknowledged and still asserted: told again.
        let again = world.enter(guest, Code::HVC, &[])?;
        world.equal("still asserted", (label(&again), again.words()), wanted);
        world.write(guest, VcpuRegister::CntvCtl, 0)?;
        world.ok(&Call::of(guest.vcpu, Label::VcpuAckVppi).words(&[TIMER]))?;
        let quiet = world.enter(guest, Code::HVC, &[])?;
        world.equal("off", label(&quiet), FaultLabel::UnknownSyscall as u64);
    }
    Ok(())
}
