//! The checks, by what they are about.

mod asid;
mod boot;
mod cnode;
pub(crate) mod debug;
mod domain;
mod exits;
mod fault;
mod forwarded;
mod interrupt;
mod ipc;
mod memory;
mod revocation;
mod rights;
mod schedule;
mod smc;
mod smmu;
mod syscall;
mod tcb;
mod untyped;
mod vcpu;

use super::world::{Outcome, World};

/// A check.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut World) -> Outcome,
    /// Whether it uses the debug system calls.
    pub(crate) needs_debug: bool,
}

impl Entry {
    /// A check for every kernel.
    pub(crate) const fn new(name: &'static str, run: fn(&mut World) -> Outcome) -> Self {
        Self { name, run, needs_debug: false }
    }

    /// A check for debug kernels.
    pub(crate) const fn debug(name: &'static str, run: fn(&mut World) -> Outcome) -> Self {
        Self { name, run, needs_debug: true }
    }
}

/// Checks of one thing.
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    pub(crate) checks: &'static [Entry],
}

/// Every check there is, in the order they are made.
pub(crate) const ALL: &[Topic] = &[
    boot::TOPIC,
    debug::TOPIC,
    syscall::TOPIC,
    ipc::TOPIC,
    untyped::TOPIC,
    cnode::TOPIC,
    tcb::TOPIC,
    fault::TOPIC,
    memory::TOPIC,
    asid::TOPIC,
    interrupt::TOPIC,
    schedule::TOPIC,
    revocation::TOPIC,
    rights::TOPIC,
    smmu::TOPIC,
    smc::TOPIC,
    domain::TOPIC,
    vcpu::TOPIC,
    exits::TOPIC,
];
