//! The kernel: capabilities, objects, IPC, scheduling, address spaces for CPU and devices.
//!
//! Everything the kernel decides is decided here, in safe code that runs on the host as well as on the machine. What it
//! needs of the machine is the trait [`Hal`]; the bootable image implements it, and so do tests, on a model that can
//! look after every single store.
//!
//! Principles: an invocation is decoded without changing anything and then carried out, so a refused one leaves no
//! trace; the kernel allocates nothing, every object lies in memory its creator supplied; long operations stop at bounded
//! steps when an interrupt waits, and start over; whoever takes authority away has taken it from the hardware too when
//! the call returns.
//!
//! What is *not* here: encodings of registers and descriptors (`sluice-paging`, `sluice-smmu`), numbers of the interface
//! (`sluice-abi`), and anything unsafe (`kernel/image`).
#![no_std]
#![forbid(unsafe_code)]

pub mod boot;
pub mod cap;
mod census;
mod cspace;
pub mod debug;
mod delete;
mod derivation;
mod domain;
mod error;
mod fpu;
mod hal;
mod interrupt;
mod invariant;
mod iommu;
mod ipc;
mod kernel;
pub mod object;
mod sched;
pub mod secure;
mod store;
mod syscall;
pub mod trace;
mod untyped;
mod vcpu;
mod vspace;

pub use error::{Preempted, SyscallError};
pub use hal::{CacheOp, Hal};
pub use interrupt::InterruptUse;
pub use iommu::{
    RECORDS_PER_STREAM, RECORDS_PER_TICK, SmmuAtBoot, UNCLAIMED, context_bytes, descriptor_bytes, table_directory_bytes,
};
pub use kernel::{Kernel, KernelMemory};
pub use sched::Ready;
pub use store::{Handle, Object, SlotRef, Store};
pub use vcpu::{GuestMachine, VgicRegister};
