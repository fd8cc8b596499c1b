//! The machine a guest sees.
//!
//! A guest is an unmodified kernel at EL1. Its processor, its memory, and its devices' registers and DMA are real, under
//! the stage-2 translation that the VMM configures. This crate is the rest: the devices that are emulated, and the
//! decisions about those that are passed through.
//!
//! Principles:
//!
//! * **Everything a guest says is hostile.** Registers, memory and messages hold what the guest likes, and change when it
//!   likes. Each word is read once, checked, then used. No input panics, loops without bound, or makes the VMM allocate
//!   without bound; where the architecture leaves a choice, reads give zero and writes are ignored.
//! * **Pure.** No system call is made here: devices take accesses and return values, and name what is to be done to the
//!   real machine as data, or ask for it through a trait that tests implement.
//! * **As the architecture says**, so far as the guest can tell: what is not offered is absent from the ID registers.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod alarm;
mod devices;
pub mod exit;
pub mod fdt;
pub mod gic;
pub mod image;
pub mod keyboard;
pub mod layout;
pub mod machine;
pub mod marker;
pub mod memory;
pub mod mmio;
pub mod pci;
pub mod pl011;
pub mod processor;
pub mod psci;
pub mod smccc;
pub mod smmu;
pub mod timer;
pub mod world;
