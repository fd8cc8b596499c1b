//! Calls of the firmware: there is no capability for them, and no other takes their label.

use sluice_abi::bootinfo::slot;
use sluice_abi::{Label, ObjectType};
use sluice_conformance_task::Refusal;

use super::{Entry, Topic};
use crate::target::call::Call;
use crate::target::world::{Outcome, World};

pub(crate) const TOPIC: Topic = Topic { name: "smc", checks: &[Entry::new("is-not-there", is_not_there)] };

/// Where a kernel that gives it out has the capability (`seL4_CapSMC`).
const SMC: u64 = 15;
/// PSCI's SYSTEM_OFF (DEN0022, 5.1): a kernel that took the call would not come back.
const SYSTEM_OFF: u64 = 0x8400_0008;

fn is_not_there(world: &mut World) -> Outcome {
    let call = |service| Call::of(service, Label::SmcCall).words(&[SYSTEM_OFF, 0, 0, 0, 0, 0, 0, 0]);
    world.refused("the slot of the capability", &call(SMC), Refusal::InvalidCapability(0));
    for service in [
        slot::INIT_TCB,
        slot::INIT_CNODE,
        slot::INIT_VSPACE,
        slot::IRQ_CONTROL,
        slot::ASID_CONTROL,
        slot::INIT_ASID_POOL,
        slot::BOOT_INFO_FRAME,
        slot::INIT_IPC_BUFFER,
        slot::DOMAIN,
        slot::SID_CONTROL,
        slot::CB_CONTROL,
        world.arena,
    ] {
        world.refused("an initial capability", &call(service), Refusal::IllegalOperation);
    }
    for object in [ObjectType::PageTable, ObjectType::Vcpu, ObjectType::StreamTable] {
        let made = world.make(object, 0)?;
        for words in [0, 1, 8] {
            world.refused("an object", &call(made).length(words), Refusal::IllegalOperation);
        }
    }
    Ok(())
}
