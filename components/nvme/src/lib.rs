//! A driver for one NVM Express controller, as a library that never touches hardware itself.
//!
//! [`Controller`] brings a controller up and keeps one pair of I/O queues busy; [`stream`] reads or writes a whole
//! range with many commands in flight. Registers and DMA memory are reached through the traits in [`hardware`], so the
//! same code drives a real function from a component and a simulated one from the tests.
//!
//! * The controller is not trusted. Each word it wrote is loaded once, checked, and only then used; what it says can
//!   end a command or the driver with an [`Error`], never index memory or overflow an integer.
//! * Memory the controller writes is never a Rust reference.
//! * Every wait is bounded by the [`hardware::Clock`] the caller brings.
//!
//! Section numbers are those of the NVM Express Base Specification, revision 1.4. Not here: more than one I/O queue
//! pair, scatter-gather lists, metadata, fused commands, and namespaces other than the first.
#![no_std]
#![forbid(unsafe_code)]

mod admin;
pub mod command;
pub mod completion;
pub mod controller;
pub mod error;
pub mod hardware;
pub mod identify;
pub mod ids;
pub mod job;
pub mod layout;
#[cfg(target_os = "none")]
pub mod machine;
pub mod pattern;
pub mod prp;
pub mod queue;
pub mod registers;
mod reset;
pub mod ring;
pub mod share;
pub mod status;
pub mod stream;

pub use controller::{Controller, Data, Done, Operation};
pub use error::{Error, Violation};
pub use status::Status;
