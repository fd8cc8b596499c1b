//! A machine described from a device tree.
//!
//! The kernel learns at boot where its memory, interrupt controller, timers, console and SMMUs are; the root task and
//! the generator derive streams, interrupts and registers from the same tree with the same code, so that a number can
//! only differ when the trees differ. No address of any board is written down here.
//!
//! Principles:
//! - Bytes first, meaning second: [`validate`] checks the form of the whole blob, [`Machine::from_blob`] what it says.
//!   The `fdt` crate, which panics on malformed blobs, sees only bytes that passed.
//! - A tree that cannot be worked with is refused with one line that names the node and the property.
//! - Nothing is allocated: lists have a capacity, and what does not fit is refused, never dropped.
//! - What only some users need (interrupts of a PCI function, registers of any node) is read when they ask, so that a
//!   node nobody uses cannot stop the boot.
//!
//! What is *not* here: register accesses of any kind, PCI enumeration, and ACPI.
#![no_std]
#![forbid(unsafe_code)]

pub mod blob;
mod bootargs;
mod console;
mod device;
mod error;
mod gic;
mod interrupt;
mod list;
mod machine;
mod masters;
mod memory;
mod pci;
mod psci;
mod region;
mod registers;
mod smmu;
mod specifier;
mod streams;
mod timer;
mod tree;

pub use blob::{BlobError, ValidBlob, cut_slack, remove_nops, validate};
pub use bootargs::option;
pub use console::Console;
pub use device::Device;
pub use error::{MachineError, Problem};
pub use gic::{Gic, MAX_ITS, MAX_REDISTRIBUTOR_REGIONS};
pub use interrupt::{Interrupt, Interrupts, MAX_INTERRUPTS, Trigger};
pub use list::{Full, List};
pub use machine::{Machine, Smmus};
pub use memory::{MAX_MEMORY, MAX_RESERVED, Reserved};
pub use pci::{MAX_PCI_HOSTS, MAX_WINDOWS, PciAddress, PciHost, Pin, Space, Window};
pub use psci::Conduit;
pub use region::Region;
pub use registers::{MAX_REGISTERS, Registers};
pub use smmu::{Smmu, SmmuInterrupts};
pub use specifier::Specifier;
pub use streams::{MAX_STREAMS, Streams};
pub use timer::Timer;
pub use tree::{Node, NodePath, Tree};
