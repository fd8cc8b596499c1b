//! Debug system calls: there on debug kernels, faults on release kernels.

use sluice_abi::bootinfo::slot;
use sluice_abi::cap::CapTag;
use sluice_abi::{ObjectType, Syscall};

use super::{Entry, Topic};
use crate::target::call::number;
use crate::target::puppet::Start;
use crate::target::world::{Outcome, World};

pub(crate) const TOPIC: Topic = Topic {
    name: "debug",
    checks: &[Entry::debug("cap-identify", cap_identify), Entry::debug("calls-come-back", calls_come_back)],
};

/// Finds out whether the kernel has the debug system calls: has a thread make one that faults where it does not.
pub(crate) fn find_build(world: &mut World) -> Outcome {
    let puppet = world.puppet()?;
    let start = Start::syscall(number::DEBUG_CAP_IDENTIFY, [slot::INIT_TCB, 0, 0, 0, 0, 0]);
    world.debug = world.run(puppet, start)?;
    world.reset();
    Ok(())
}

fn cap_identify(world: &mut World) -> Outcome {
    for (object, bits, tag) in [
        (ObjectType::Untyped, 12, CapTag::Untyped),
        (ObjectType::Tcb, 0, CapTag::Thread),
        (ObjectType::Endpoint, 0, CapTag::Endpoint),
        (ObjectType::Notification, 0, CapTag::Notification),
        (ObjectType::CNode, 4, CapTag::CNode),
        (ObjectType::VSpace, 0, CapTag::VSpace),
        (ObjectType::SmallPage, 0, CapTag::Frame),
        (ObjectType::LargePage, 0, CapTag::Frame),
        (ObjectType::PageTable, 0, CapTag::PageTable),
        (ObjectType::Vcpu, 0, CapTag::Vcpu),
    ] {
        let cap = world.make(object, bits)?;
        world.equal(format_args!("{object:?}"), world.identify(cap), tag as u64);
    }
    let empty = world.slot();
    world.equal("an empty slot", world.identify(empty), 0);
    world.equal("a pointer that leads nowhere", world.identify(1 << 40), 0);
    Ok(())
}

/// Calls that print, or change what is printed, and touch nothing else.
fn calls_come_back(world: &mut World) -> Outcome {
    let puppet = world.puppet()?;
    for call in [Syscall::DebugDumpScheduler, Syscall::DebugSnapshot, Syscall::DebugNameThread] {
        let start = Start::syscall(call.word(), [puppet.tcb, 0, 0, 0, 0, 0]);
        world.that(format_args!("{call:?} comes back"), world.run(puppet, start)?);
        let registers = puppet.reported();
        for number in 0..31 {
            let wanted = start.get(sluice_abi::Register::X(number));
            world.equal(format_args!("x{number} after {call:?}"), registers[usize::from(number)], wanted);
        }
    }
    Ok(())
}
