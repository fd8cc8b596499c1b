//! A software SMMUv3 that reads the bytes the driver wrote, with caches that keep what nobody invalidated.
//!
//! It exists to make two kinds of mistakes visible that ordinary hardware hides: a missing invalidation, and a state
//! between two stores that lets a transaction through. Hence it is as unhelpful as the architecture permits:
//!
//! - CFGI and TLBI commands take effect only at the SYNC behind them.
//! - [`Model::reach`] counts every entry that a fetch may have seen since the last invalidation, words of different
//!   moments joined (IHI 0070, 3.21.3: the words of an entry are read in any order, at any time).
//! - With [`Model::speculate`] the TLB fills with everything that can be reached now, as a prefetching SMMU's may.
//!
//! It shares field positions with the driver (`sluice_smmu::regs`), never its encoders, and has a stage-2 walker of its
//! own. What is *not* here: stage 1, stalls, ATS and PRI.
#![forbid(unsafe_code)]

mod access;
mod bus;
mod commands;
mod events;
mod reach;
mod registers;
mod state;
mod walk;

pub use access::Abort;
pub use reach::{Page, Reach};
pub use registers::Identity;
pub use state::{Faults, Model};
