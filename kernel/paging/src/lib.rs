//! VMSAv8-64 translation tables: descriptors as values, and one walker over them.
//!
//! A VSpace of this kernel is a stage-2 table that the CPU and an SMMU may walk at the same time, so descriptors are
//! decided in one place and every user of a table reads it through the same code. What differs between the
//! configurations (CPU and SMMU stage 2; stage 1 that the kernel owns for an SMMU without stage 2) is a [`Format`],
//! not another walker.
//!
//! Principles:
//! - A descriptor is built whole from a [`Leaf`] and never modified in place. [`Format::decode`] accepts exactly the
//!   words that the encoders produce; any other word is [`Entry::Invalid`], so that no walk follows a word the kernel
//!   did not mean.
//! - Nothing here panics on the content of a table.
//!
//! What is *not* here: the order of publication (break-before-make, barriers, cache cleaning, TLB invalidation), which
//! needs to know every walker of the table, and the memory of the tables, which belongs to capabilities.
//!
//! Sections are those of the Arm Architecture Reference Manual for A-profile, DDI 0487.
#![no_std]
#![forbid(unsafe_code)]

mod descriptor;
mod entry;
mod format;
mod mappings;
mod memory;
mod walk;

pub use entry::{Access, Entry, Leaf, MemoryType};
pub use format::{Format, STAGE1_MAIR, STAGE2_SL0, T0SZ};
pub use mappings::{Mapping, Valid, ValidWords, mappings, valid};
pub use memory::TableMemory;
pub use walk::{Found, lookup, translate};
