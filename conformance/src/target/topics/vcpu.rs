//! Virtual processors as objects.

use sluice_abi::bootinfo::slot;
use sluice_abi::fault::FaultLabel;
use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{Label, ObjectType, Register};
use sluice_conformance_task::Refusal;

use super::{Entry, Topic};
use crate::target::call::Call;
use crate::target::guest::{Code, EL1H, Guest, counter, maintain_cache, set_tcb};
use crate::target::puppet::Start;
use crate::target::world::{Outcome, World};

pub(crate) const TOPIC: Topic = Topic {
    name: "vcpu",
    checks: &[
        Entry::new("registers", registers),
        Entry::new("refusals", refusals),
        Entry::new("association", association),
        Entry::new("exception-levels", exception_levels),
        Entry::new("state-is-its-own", state_is_its_own),
        Entry::new("native-threads-are-untouched", native_threads_are_untouched),
        Entry::new("virtual-counter", virtual_counter),
    ],
};

fn inject(vcpu: u64, index: u64, group: u64, priority: u64, intid: u64) -> Call {
    Call::of(vcpu, Label::VcpuInjectIrq).words(&[intid | priority << 16 | group << 24 | index << 32])
}

fn registers(world: &mut World) -> Outcome {
    let guest = world.guest()?;
    for register in VcpuRegister::ALL {
        let wanted = if register == VcpuRegister::Sctlr { 0x34d5_8820 } else { 0 };
        let found = world.read(guest, register)?;
        world.equal(format_args!("{register:?} of a new processor"), found, wanted);
    }
    for (value, register) in (0x1000..).zip(VcpuRegister::ALL) {
        world.write(guest, register, value)?;
    }
    for (value, register) in (0x1000..).zip(VcpuRegister::ALL) {
        let found = world.read(guest, register)?;
        world.equal(format_args!("{register:?} after it was written"), found, value);
    }
    Ok(())
}

fn refusals(world: &mut World) -> Outcome {
    let vcpu = world.make(ObjectType::Vcpu, 0)?;
    let frame = world.make(ObjectType::SmallPage, 0)?;
    let call = |label| Call::of(vcpu, label);
    world.refused("no thread", &call(Label::VcpuSetTcb), Refusal::Truncated);
    world.refused("a frame for a thread", &set_tcb(vcpu, frame), Refusal::IllegalOperation);
    world.refused("an empty slot for a thread", &set_tcb(vcpu, 7), Refusal::IllegalOperation);
    world.refused("no interrupt", &call(Label::VcpuInjectIrq), Refusal::Truncated);
    world.refused("interrupt 1024", &inject(vcpu, 0, 0, 0, 1024), Refusal::Range(0, 1023));
    world.refused("priority 32", &inject(vcpu, 0, 0, 32, 0), Refusal::Range(0, 31));
    world.refused("group 2", &inject(vcpu, 0, 2, 0, 0), Refusal::Range(0, 1));
    world.refused("all of them", &inject(vcpu, 255, 255, 255, 0xffff), Refusal::Range(0, 1023));
    let last = world.call(&inject(vcpu, 255, 0, 0, 0)).word(1);
    world.that("a GIC has up to 16 list registers", last < 16);
    world.refused("list register 255", &inject(vcpu, 255, 0, 0, 0), Refusal::Range(0, last));
    world.refused("one list register too many", &inject(vcpu, last + 1, 0, 0, 0), Refusal::Range(0, last));
    world.ok(&inject(vcpu, last, 1, 31, 1023))?;
    world.ok(&inject(vcpu, last, 1, 31, 1023))?;
    world.refused("no register", &call(Label::VcpuReadReg), Refusal::Truncated);
    world.refused("reading register 24", &call(Label::VcpuReadReg).words(&[24]), Refusal::InvalidArgument(1));
    world.refused("no value", &call(Label::VcpuWriteReg).words(&[0]), Refusal::Truncated);
    world.refused("writing register 24", &call(Label::VcpuWriteReg).words(&[24, 0]), Refusal::InvalidArgument(1));
    world.refused("no event", &call(Label::VcpuAckVppi), Refusal::Truncated);
    world.refused("an interrupt without events", &call(Label::VcpuAckVppi).words(&[26]), Refusal::InvalidArgument(0));
    let last = world.call(&call(Label::VcpuAckVppi).words(&[u64::MAX])).word(1);
    world.refused("no such interrupt", &call(Label::VcpuAckVppi).words(&[last + 1]), Refusal::Range(0, last));
    world.ok(&call(Label::VcpuAckVppi).words(&[27]))?;
    world.refused("another object's label", &call(Label::TcbResume), Refusal::IllegalOperation);
    // The interrupts that guests' events are made of are the kernel's.
    for intid in [25, 27] {
        let dest = world.slot();
        let get = Call::of(slot::IRQ_CONTROL, Label::IrqControlGet).words(&[intid, dest, 64]).caps(&[slot::INIT_CNODE]);
        world.refused("a handler for a guest's interrupt", &get, Refusal::RevokeFirst);
    }
    Ok(())
}

/// The exception level that code at `puppet`'s start reads, or `None` when it may not.
fn level(world: &World, guest: Guest) -> Outcome<Option<u64>> {
    let fault = world.enter(guest, Code::LEVEL, &[])?;
    Ok((fault.label() == FaultLabel::UnknownSyscall as u64).then(|| fault.word(0) >> 2))
}

/// A processor serves one thread, and the last who is given one has it.
fn association(world: &mut World) -> Outcome {
    let (a, b) = (world.guest()?, world.guest()?);
    let found = level(world, a)?;
    world.equal("level of a guest", found, Some(1));
    world.ok(&set_tcb(a.vcpu, b.puppet.tcb))?;
    let found = level(world, a)?;
    world.equal("level after its processor went to another", found, None);
    let found = level(world, b)?;
    world.equal("level of the other", found, Some(1));
    world.ok(&set_tcb(b.vcpu, a.puppet.tcb))?;
    let found = level(world, a)?;
    world.equal("level with the other's processor", found, Some(1));
    world.delete(a.vcpu)?;
    let found = level(world, b)?;
    world.equal("level after its processor was deleted", found, None);
    world.delete(a.puppet.tcb)?;
    world.ok(&set_tcb(b.vcpu, b.puppet.tcb))?;
    let found = level(world, b)?;
    world.equal("level with a processor whose thread was deleted", found, Some(1));
    Ok(())
}

fn exception_levels(world: &mut World) -> Outcome {
    let guest = world.guest()?;
    let plain = world.puppet()?;
    // What a thread cannot be is EL0 with the flags it asked for.
    let user = if world.debug { 0x40 } else { 0x140 };
    for (spsr, with, without) in [
        (0x0000_0000, 0x0000_0000, user),
        (EL1H, EL1H, user),
        (0x6000_0004, 0x6000_0004, 0x6000_0000 | user),
        (0x8000_0009, 0x8000_0000 | user, 0x8000_0000 | user),
        (0x0000_000d, user, user),
        (0x3000_0010, 0x3000_0000 | user, 0x3000_0000 | user),
        (0x0000_001f, user, user),
    ] {
        for (tcb, wanted) in [(guest.puppet.tcb, with), (plain.tcb, without)] {
            let mut words = [0; 5];
            words[1..].copy_from_slice(&[3, Code::HVC.at(), 0, spsr]);
            world.ok(&Call::of(tcb, Label::TcbWriteRegisters).words(&words))?;
            let found = world.registers(tcb)[2];
            world.equal(format_args!("PSTATE {spsr:#x}"), found, wanted);
        }
    }
    world.ok(&Call::of(guest.puppet.tcb, Label::TcbWriteRegisters).words(&[0, 3, 0, 0, EL1H]))?;
    world.delete(guest.vcpu)?;
    let found = world.registers(guest.puppet.tcb)[2];
    world.equal("PSTATE without the processor", found, user);
    Ok(())
}

/// Registers that `Code::SET` sets and `Code::GET` gets, in `x8` and up.
const SHOWN: usize = 18;

fn shown(world: &World, guest: Guest) -> Outcome<[u64; SHOWN]> {
    world.enter(guest, Code::GET, &[])?;
    let all = world.registers(guest.puppet.tcb);
    let get = |number: u8| Start(all).get(Register::X(number));
    Ok(core::array::from_fn(|index| get(8 + index as u8)))
}

/// What a guest with this number leaves in its registers.
fn own(number: u64) -> [u64; SHOWN] {
    let mut own: [u64; SHOWN] = core::array::from_fn(|index| number << 24 | (index as u64) << 12);
    let cache = 2 * (number & 1);
    own[12..].copy_from_slice(&[cache, number << 4, number & 3, 3 << 20, number << 16, 1 << 31 | number]);
    own
}

fn state_is_its_own(world: &mut World) -> Outcome {
    let guests = [world.guest()?, world.guest()?];
    world.translate(guests[1])?;
    for (number, guest) in (5..).zip(guests) {
        world.write(guest, VcpuRegister::SpEl1, number << 16)?;
        world.write(guest, VcpuRegister::VmpidrEl2, 1 << 31 | number)?;
    }
    // What a new one finds is not what the other left.
    let fresh = shown(world, guests[1])?;
    let set = |world: &World, number: u64, guest: Guest| {
        let [.., cache, mask, timer, floats, _, _] = own(number);
        world.enter(guest, Code::SET, &[number << 24, 1 << 12, cache, mask, timer, floats]).map(drop)
    };
    set(world, 5, guests[0])?;
    let mut found = shown(world, guests[1])?;
    // The thread's own, which every start writes.
    found[10..12].copy_from_slice(&fresh[10..12]);
    world.equal("what a guest finds after another ran", found, fresh);
    set(world, 6, guests[1])?;
    for round in 0..4 {
        for (number, guest) in (5..).zip(guests) {
            let mut wanted = own(number);
            wanted[10..12].copy_from_slice(&[0x7d1, 0]);
            let found = shown(world, guest)?;
            world.equal(format_args!("what guest {number} finds in round {round}"), found, wanted);
        }
    }
    for (number, guest) in (5..).zip(guests) {
        for (register, index) in [
            (VcpuRegister::Cidr, 1),
            (VcpuRegister::Far, 3),
            (VcpuRegister::Vbar, 5),
            (VcpuRegister::CntvCval, 9),
            (VcpuRegister::CntkctlEl1, 14),
            (VcpuRegister::Cpacr, 15),
            (VcpuRegister::SpEl1, 16),
        ] {
            let found = world.read(guest, register)?;
            world.equal(format_args!("{register:?} of guest {number}"), found, own(number)[index]);
        }
    }
    Ok(())
}

/// EL0 without a processor keeps what EL1 could take from it.
fn native_threads_are_untouched(world: &mut World) -> Outcome {
    let (_, page) = world.page()?;
    let features = maintain_cache(page);
    let guest = world.guest()?;
    world.write(guest, VcpuRegister::CntvOff, 1 << 60)?;
    // No cache maintenance, no counter, no floating point at EL0.
    let reset = world.read(guest, VcpuRegister::Sctlr)?;
    world.write(guest, VcpuRegister::Sctlr, reset & !(1 << 26 | 1 << 15))?;
    let before = counter();
    world.enter(guest, Code::SET, &[1 << 24, 1 << 12, 0, 0, 0, 0])?;
    let after = counter();
    world.that("the counter goes on as if no guest had run", before <= after && after - before < 1 << 40);
    world.equal("what the cache is like", maintain_cache(page), features);
    // Its own registers are what it was given, still.
    let found = world.read(guest, VcpuRegister::Sctlr)?;
    world.equal("SCTLR", found, reset & !(1 << 26 | 1 << 15));
    let found = world.read(guest, VcpuRegister::Cpacr)?;
    world.equal("CPACR", found, 0);
    Ok(())
}

fn virtual_counter(world: &mut World) -> Outcome {
    const OFFSET: u64 = 1 << 33;
    let guest = world.guest()?;
    world.write(guest, VcpuRegister::CntvOff, OFFSET)?;
    let before = counter();
    let seen = world.enter(guest, Code::COUNT, &[])?.word(0);
    let after = counter();
    let shifted = seen.wrapping_add(OFFSET);
    world.that("the guest's time is the root thread's, less the offset", before <= shifted && shifted <= after);
    Ok(())
}
