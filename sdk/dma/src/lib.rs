//! Memory that devices reach: address spaces of devices, and memory with an address for the CPU and one for a device.
//!
//! | | |
//! |---|---|
//! | [`Space`] | the I/O address space of a device that the component manages; addresses lie within the device's width |
//! | [`Object`], [`Extent`] | memory of the component, mapped into one space or several without copying, in whole or page by page |
//! | [`Space::show`] | scattered pages at one row of addresses |
//! | [`Streaming`] | mappings for single transfers, taken away at once or, in batches, within a stated window |
//! | [`Pool`], [`Buffer`] | pieces of a region that component and device share for as long as both run |
//!
//! When a call that takes memory away returns, the device does not reach it any more; that is the kernel's promise, not
//! this crate's, and only [`Invalidation::Deferred`] waits with asking for it. CPU address and device address of the same
//! bytes are never computed from each other.
//!
//! What is decided here is decided without a system call: which addresses are free ([`ranges`]), what is mapped where
//! (behind [`Translation`]), when it must go. The accesses of [`sluice_rt::Registers`] carry the barriers that order memory
//! and doorbells; devices that snoop no caches need [`Space::sync_for_device`] and [`Space::sync_for_cpu`] too.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod arena;
mod error;
mod object;
mod pool;
pub mod ranges;
mod space;
pub mod stage1;
mod streaming;
#[cfg(test)]
mod testing;
mod translation;

pub use error::DmaError;
pub use object::{Extent, Object};
pub use pool::{Buffer, Pool};
pub use space::{DeviceSpace, Mapping, Space};
pub use streaming::{Exposure, Invalidation, Streaming, Window};
pub use translation::{Access, BLOCK_BITS, Managed, Translation};
