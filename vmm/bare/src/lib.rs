//! What the project's own guests begin with, and need of the machine that a VMM shows them: header and entry, single loads and stores,
//! time, firmware, console, PCI functions.
//!
//! It knows what `docs/guests.md` says and no more, and decides nothing. A guest names `guest_build.rs` as its build script and
//! its main function with [`entry!`]. Stage 1 and vectors are a guest's own, where it has any.
#![no_std]

#[cfg(target_os = "none")]
pub mod console;
#[cfg(target_os = "none")]
pub mod firmware;
#[cfg(target_os = "none")]
pub mod machine;
#[cfg(target_os = "none")]
pub mod pci;
pub mod place;
#[cfg(target_os = "none")]
mod start;

#[cfg(target_os = "none")]
pub use start::Given;
