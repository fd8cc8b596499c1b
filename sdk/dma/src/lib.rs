//! Memory that devices reach: address spaces of devices, pools, and pieces of memory with both addresses.
//!
//! A [`Space`] is the I/O address space of a device that the component manages: frames are mapped in it at addresses
//! within the device's width, and unmapped. When an unmap returns, the device does not reach the frame any more; that
//! is the kernel's promise, not this crate's. A [`Pool`] gives out [`Buffer`]s of a region that component and device
//! share: a view for the CPU and the address for the device, so that neither is ever computed from the other.
//!
//! Which addresses are free is decided in [`ranges`], which makes no system call.
//!
//! Not here yet: sharing of one object between spaces, streaming use with deferred invalidation, scatter/gather.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod pool;
pub mod ranges;
mod space;

pub use pool::{Buffer, Pool};
pub use space::{Access, DmaError, Space};
