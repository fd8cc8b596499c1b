//! The driver of an Arm SMMUv3: what a stream may reach, put into the hardware and taken out again.
//!
//! The crate owns every order that isolation depends on: how a stream table entry is published, which invalidation
//! follows which store, and what happens when the SMMU stops answering. The kernel above decides *who* may reach
//! *what*; it never touches a register or an entry itself.
//!
//! Principles:
//! - **Default is abort.** From the first register write on, no state between two stores lets a stream through that
//!   nobody bound.
//! - **Gone means gone.** A call that takes reach away returns after the `CMD_SYNC` behind its invalidations, or after
//!   the SMMU was taken down to abort. Both outcomes leave no reach.
//! - **Every wait is bounded**, and the list of [`Failure`]s is closed.
//! - Structures are values ([`Ste`], [`Command`], [`Event`]) built whole; nothing modifies a live one in place.
//!
//! All access goes through [`Bus`], so that tests can look at the world after each single store. What is *not* here:
//! capabilities, contexts and their reference counts, interrupts, and the translation tables themselves.
//!
//! Sections are those of the Arm SMMU architecture specification, IHI 0070.
#![no_std]
#![forbid(unsafe_code)]

mod bus;
mod cd;
mod cd_table;
mod command;
mod command_queue;
mod driver;
mod error;
mod event;
mod event_queue;
mod features;
mod layout;
mod queue;
pub mod regs;
mod secure;
mod stage1;
mod ste;
mod translation;

pub use bus::Bus;
pub use cd::{CD_BYTES, Cd};
pub use cd_table::{CdTableRefusal, check_cd_table};
pub use command::Command;
pub use command_queue::{Issued, Rejected};
pub use driver::{Entry, Mode, Ruling, Smmu, StreamTable};
pub use error::{CommandError, Failure, GlobalErrors, Unsupported};
pub use event::{Class, Event};
pub use features::{Features, StallModel};
pub use layout::{Memory, Needs, StreamTableFormat, memory_needed};
pub use secure::{SecureBus, Unacknowledged, shut_secure_side};
pub use stage1::Stage1Command;
pub use ste::Ste;
pub use translation::Translation;
