//! Instructions that cannot be carried out, and accesses to memory that is not there.

use sluice_abi::fault::FaultLabel;
use sluice_abi::{CapRights, Label, ObjectType, Register, Syscall, VmAttributes};

use super::{FLAGS, rig, status};
use crate::target::call::{Call, trap};
use crate::target::memory::{load, store};
use crate::target::puppet::{Act, Start};
use crate::target::world::{Outcome, READ_WRITE, World, page_map};

pub(super) fn user_exceptions(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    // ESR_EL2 (DDI 0487, D24.2.45): no class in 31:26, a 32-bit instruction in 25.
    let syndrome = 1 << 25;
    for act in [Act::Undefined, Act::Privileged, Act::HypervisorCall] {
        let start = Start::at(act.at()).with(Register::Spsr, FLAGS);
        let message = rig.fault(world, "an exception", start)?;
        world.equal(format_args!("label for {act:?}"), message.label(), FaultLabel::UserException as u64);
        let wanted = [act.at(), rig.sp(), status(world, FLAGS), syndrome, 0];
        world.equal(format_args!("words for {act:?}"), message.words(), &wanted[..]);
        // The answer moves the thread past its instruction, with other flags.
        let words = [act.at() + 4, rig.sp(), u64::MAX, 1, 2];
        world.that(format_args!("{act:?}: the answer resumes"), rig.answer(world, 0, &words));
        world.equal(format_args!("{act:?}: flags"), rig.puppet.reported_flags(), 0xf000_0000);
        for number in 0..31u8 {
            let found = rig.puppet.reported()[usize::from(number)];
            world.equal(format_args!("x{number} after {act:?}"), found, start.get(Register::X(number)));
        }
        rig.fault(world, "an exception to stop at", start)?;
        world.that("a label stops the thread", !rig.answer(world, 9, &words[..1]));
        let stopped = world.registers(rig.puppet.tcb);
        world.equal("where it stopped", stopped[0], act.at() + 4);
    }
    Ok(())
}

/// Exceptions with a class of their own are told as those of a virtual processor, which a thread need not have.
pub(super) fn other_exceptions(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    let odd = Act::Report.at() + 2;
    for (what, at, syndrome) in [
        ("a breakpoint", Act::Breakpoint.at(), 0x3c << 26 | 1 << 25 | 7),
        ("an odd address", odd, 0x22 << 26 | 1 << 25),
    ] {
        let message = rig.fault(world, what, Start::at(at))?;
        world.equal(format_args!("{what}: label"), message.label(), FaultLabel::Vcpu as u64);
        world.equal(format_args!("{what}: words"), message.words(), &[syndrome][..]);
        // The answer changes no register: the thread starts over at the same place.
        world.that(format_args!("{what}: it fails again"), !rig.answer(world, 0, &[Act::Report.at()]));
        let again = rig.take(world, what);
        world.equal(format_args!("{what}: words of the second"), again.words(), &[syndrome][..]);
        let stopped = world.registers(rig.puppet.tcb);
        world.equal(format_args!("{what}: where it is"), stopped[0], at);
        // The handler can move it with a call on the thread.
        world.that(format_args!("{what}: moved on"), world.run(rig.puppet, Start::at(Act::Report.at()))?);
    }
    Ok(())
}

/// Class, direction and fault status of a data abort (DDI 0487, D24.2.45: EC, WnR, DFSC).
fn abort(syndrome: u64) -> (u64, u64, u64) {
    (syndrome >> 26, syndrome >> 6 & 1, syndrome & 0x3f)
}

const TRANSLATION: u64 = 0b000100;

const PERMISSION: u64 = 0b001100;

const DATA_ABORT: u64 = 0x24;

const INSTRUCTION_ABORT: u64 = 0x20;

pub(super) fn data_faults(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    let frame = world.make(ObjectType::SmallPage, 0)?;
    let address = world.address();
    // By how far the walk comes, the level is told: the window has tables of all levels below the root.
    let places = [(address, 3), (address + (1 << 21), 2), (address + (1 << 30), 1), (1 << 43, 0)];
    for (at, level) in places {
        for (act, write) in [(Act::Load, 0), (Act::Store, 1)] {
            let message = rig.fault(world, "nothing mapped", Start::at(act.at()).with(Register::X(1), at + 8))?;
            world.equal(format_args!("label at {at:#x}"), message.label(), FaultLabel::Vm as u64);
            world.equal(format_args!("words at {at:#x}"), &message.words()[..3], &[act.at(), at + 8, 0][..]);
            world.equal("number of words", message.words().len(), 4);
            let told = abort(message.word(3));
            world.equal(format_args!("syndrome at {at:#x}"), told, (DATA_ABORT, write, TRANSLATION + level));
            world.equal("syndrome has 32 bits", message.word(3) >> 32, 0);
        }
    }
    // The handler maps what was missing; any answer makes the instruction start over.
    world.map(frame, address)?;
    store(address + 8, 0x600d);
    world.ok(&Call::of(frame, Label::PageUnmap))?;
    for label in [0, 5] {
        let load_from = Start::at(Act::Load.at()).with(Register::X(1), address + 8);
        rig.fault(world, "to be resolved", load_from)?;
        world.map(frame, address)?;
        world.that(format_args!("resumed with label {label}"), rig.answer(world, label, &[1, 2, 3, 4]));
        world.equal("what was loaded", rig.puppet.reported()[2], 0x600d);
        world.ok(&Call::of(frame, Label::PageUnmap))?;
    }
    // A write to what may only be read.
    world.ok(&page_map(frame, address, CapRights::READ, VmAttributes::DEFAULT))?;
    let write = Start::at(Act::Store.at()).with(Register::X(1), address + 8).with(Register::X(2), 0xbad);
    let message = rig.fault(world, "a write without the right", write)?;
    world.equal("words", &message.words()[..3], &[Act::Store.at(), address + 8, 0][..]);
    world.equal("syndrome", abort(message.word(3)), (DATA_ABORT, 1, PERMISSION + 3));
    world.equal("the memory is as it was", load(address + 8), 0x600d);
    world.ok(&page_map(frame, address, READ_WRITE, VmAttributes::DEFAULT))?;
    world.that("resumed with the right", rig.answer(world, 0, &[]));
    world.equal("what was stored", load(address + 8), 0xbad);
    Ok(())
}

pub(super) fn instruction_faults(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    let (frame, address) = world.page()?;
    // The page gets a branch to itself, so that a thread that runs there stays there.
    store(address, 0x1400_0000_1400_0000);
    world.ok(&Call::of(frame, Label::PageUnifyInstruction).words(&[0, 64]))?;
    world.ok(&page_map(frame, address, READ_WRITE, VmAttributes::DEFAULT | VmAttributes::EXECUTE_NEVER))?;
    for (what, at, status) in [
        ("a page that is never executed", address, PERMISSION + 3),
        ("an unmapped page", address + 0x1000, TRANSLATION + 3),
        ("an unmapped region", 1 << 43, TRANSLATION),
    ] {
        let message = rig.fault(world, what, Start::at(at))?;
        world.equal(format_args!("{what}: label"), message.label(), FaultLabel::Vm as u64);
        world.equal(format_args!("{what}: words"), &message.words()[..3], &[at, at, 1][..]);
        let (class, _, found) = abort(message.word(3));
        world.equal(format_args!("{what}: syndrome"), (class, found), (INSTRUCTION_ABORT, status));
    }
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbSuspend))?;
    let message = rig.fault(world, "a page that is never executed", Start::at(address))?;
    world.equal("address", message.word(1), address);
    world.ok(&page_map(frame, address, READ_WRITE, VmAttributes::DEFAULT))?;
    rig.answer(world, 0, &[]);
    let empty = trap(Syscall::NbRecv.word(), [rig.endpoint, 0, 0, 0, 0, 0])[0];
    world.equal("once it may execute it does not fault", empty, 0);
    // It spins there; its slice ends and it is stopped.
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbSuspend))?;
    world.equal("where it runs", world.registers(rig.puppet.tcb)[0], address);
    Ok(())
}
