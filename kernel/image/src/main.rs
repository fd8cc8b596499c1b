//! The bootable kernel: everything that touches the machine, and no decisions.
//!
//! Entry and exceptions, the kernel's own address space at EL2, the interrupt controller, timer and console, and the
//! memory behind kernel objects. It implements [`sluice_core::Hal`]; what happens is decided there.
//!
//! All unsafe code of the kernel is in this crate. Its arguments rest on three facts: EL2 runs with interrupts masked on
//! one core, so nothing here is entered twice; all RAM is mapped at [`phys::WINDOW`]; and the capability state guarantees
//! that a handle names a live object (`sluice_core::store`).
#![no_std]
#![no_main]

mod boot;
mod console;
mod cpu;
mod el3;
mod fpu;
mod gic;
mod guest;
mod layout;
mod machine;
mod mmu;
mod monitors;
mod panic;
mod phys;
mod psci;
mod routines;
mod semihosting;
mod start;
mod timer;
mod vectors;
