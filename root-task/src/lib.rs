//! The root task: makes what a system spec asks for out of what the kernel hands it, and stays as supervisor.
//!
//! Everything the machine can contradict is compared with the spec before the first component exists, and everything
//! a component will hold is decided (slot, address, right) before the first capability is made. What is left for the
//! binary is to do it in order and to stop with one line when the kernel refuses.
//!
//! A device may master memory only once its stream is bound to its own translation; until then its function has bus
//! mastering off and its stream aborts.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod boot;
pub mod elf;
mod error;
pub mod kernel;
pub mod live;
pub mod memory;
pub mod pace;
pub mod pci;
pub mod plan;
pub mod provoke;
pub mod supervisor;
pub mod syndrome;
pub mod tables;
pub mod waiting;

pub use error::{Mismatch, Stop};
