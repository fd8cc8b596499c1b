//! A software SMMUv3 that reads the bytes the driver wrote, with caches that keep what nobody invalidated.
//!
//! It exists to make two kinds of mistakes visible that ordinary hardware hides: a missing invalidation, and a state
//! between two stores that lets a transaction through. Hence it is as unhelpful as the architecture permits:
//!
//! - CFGI and TLBI commands take effect only at the SYNC behind them, and forget no more than they must.
//! - Everything that may be cached is: stream table entries, context descriptors, leaves and tables of both stages, and
//!   what both stages give together.
//! - [`Model::reach`] counts every entry that a fetch may have seen since the last invalidation, words of different
//!   moments joined (IHI 0070, 3.21.3: the words of an entry are read in any order, at any time).
//! - With [`Model::speculate`] the caches fill with everything that can be reached now, as a prefetching SMMU's may.
//! - [`Model::permitted`] gives all outcomes that a transaction may have, so that another SMMU can be compared.
//!
//! It shares field positions with the driver (`sluice_smmu::regs`), never its encoders, and has a walker of its own.
//!
//! | To read | What it says | IHI 0070 |
//! |---|---|---|
//! | `registers`, `identity` | registers and what they identify | chapter 6 |
//! | `stream_table`, `ste`, `cd` | configuration, and when it is illegal | 3.3, chapter 5 |
//! | `regime`, `descriptor`, `walk`, `translate` | translation | 3.4; DDI 0487, D8 |
//! | `access`, `stall`, `events` | a transaction and its faults | 3.12, chapter 7 |
//! | `tlb`, `commands`, `invalidate` | caches and what ends them | 3.17, chapter 4 |
//! | `sweep`, `reach` | what all transactions together could reach | |
//!
//! What is *not* here: Secure and EL2 streams, AArch32 and big-endian tables, 52-bit addresses, updates of access flag
//! and dirty state, memory attributes other than "Device", ATS and PRI, VMS, interrupts.
#![forbid(unsafe_code)]

mod access;
mod bus;
mod cd;
mod commands;
mod descriptor;
mod events;
mod identity;
mod invalidate;
mod memory;
mod reach;
mod regime;
mod registers;
mod stall;
mod state;
mod ste;
mod stream_table;
mod sweep;
mod tlb;
mod translate;
mod walk;

pub use access::{Abort, Outcome, Transaction};
pub use identity::Identity;
pub use reach::{Page, Reach};
pub use state::{Faults, Model};
