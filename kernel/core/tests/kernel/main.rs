//! The kernel, driven through its entry points on a machine of the host.

mod boot;
mod cnode;
mod common;
mod deletion;
mod derivation;
mod domain;
mod exits;
mod faults;
mod fpu;
mod fuzz;
mod guests;
mod interrupts;
mod invariants;
mod ipc;
mod machine;
mod properties;
mod scheduling;
mod sgi;
mod signals;
mod smmu;
mod snapshot;
mod tcb;
mod untyped;
mod user;
mod vcpu;
mod vspace;
