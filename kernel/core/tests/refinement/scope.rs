//! Small worlds: what is there at the start, and what is tried in every state.

mod capabilities;
mod devices;
mod exits;
mod forwarded;
mod guests;
mod ipc;
mod memory;
mod single;
mod stage1;
mod streams;
mod threads;

use sluice_abi::ObjectType;
use sluice_abi::PhysAddr;
use sluice_abstract::{Invocation, Object, Slot, State};
use sluice_smmu_model::Identity;

use crate::boot::FREE_SLOT;
use crate::input::Act;
use crate::system::System;

pub(crate) use capabilities::CAPABILITIES;
pub(crate) use devices::DEVICES;
pub(crate) use exits::EXITS;
pub(crate) use forwarded::{FORWARDED, acknowledged_early};
pub(crate) use guests::GUESTS;
pub(crate) use ipc::IPC;
pub(crate) use memory::MEMORY;
pub(crate) use single::SINGLE;
pub(crate) use stage1::{NO_STAGE1, STAGE1};
pub(crate) use streams::STREAMS;
pub(crate) use threads::THREADS;

/// A small world.
pub(crate) struct Scope {
    pub(crate) name: &'static str,
    /// What its SMMU is.
    pub(crate) identity: Identity,
    /// Makes what is there at the start.
    pub(crate) prepare: fn(&mut System),
    /// What is tried in a state.
    pub(crate) alphabet: fn(&System) -> Vec<Act>,
}

/// The `index`-th slot of a node that is free at the start.
pub(crate) fn free(node: PhysAddr, index: u64) -> Slot {
    Slot::Node { node, index: FREE_SLOT + index }
}

pub(crate) fn retype(untyped: Slot, kind: ObjectType, bits: u32, dest: Slot) -> Invocation {
    let Slot::Node { node, index: offset } = dest else { unreachable!("objects go to CNodes") };
    Invocation::Retype { untyped, kind, bits, node, offset, count: 1 }
}

/// CNodes other than the root's.
fn inner_nodes(root: PhysAddr, state: &State) -> Vec<PhysAddr> {
    let nodes = state.objects.iter().filter(|(_, object)| matches!(object, Object::CNode { .. }));
    nodes.map(|(at, _)| *at).filter(|at| *at != root).collect()
}

fn acts(invocations: Vec<Invocation>) -> Vec<Act> {
    invocations.into_iter().map(Act::Invoke).collect()
}

impl Scope {
    /// The world at its start; `looking` at every step, or quickly.
    pub(crate) fn start(&self, looking: bool) -> System {
        let mut system = System::boot(self.identity);
        system.looking = looking;
        (self.prepare)(&mut system);
        system.looking = true;
        system
    }
}
