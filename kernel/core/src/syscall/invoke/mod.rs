//! Carrying out invocations that passed decoding, by kind of object.

mod cnode;
mod domain;
mod interrupt;
mod memory;
mod smmu;
mod tcb;
mod vcpu;
