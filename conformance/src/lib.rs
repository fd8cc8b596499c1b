//! What the conformance root task decides, apart from the system calls it makes: what a refusal looks like in a reply,
//! what a check has seen, and how it is told.
//!
//! Why it exists: the kernel's interface is a promise to programs that nobody here wrote. The root task in this package
//! is such a program: it knows the boot information, the initial capabilities and the system calls, and nothing else. It
//! runs on the kernel as it is booted, so what it tests includes exception entry, page tables and the interrupt
//! controller, which no host test reaches.
//!
//! Principles:
//! - A check observes effects. An invocation that answers "done" has shown nothing yet.
//! - A refused call is compared whole: label, number of words, every word, and what the caller can see of the system
//!   before and after.
//! - One line a check, one count at the end, in the form that the scripts judge (`scripts/host`).
//!
//! What is *not* here: knowledge of the kernel's own structures. Where a number is shared it comes from `sluice-abi`.
#![no_std]
#![forbid(unsafe_code)]

mod check;
mod hash;
mod refusal;
mod text;

pub use check::{Check, Verdict};
pub use hash::Hash;
pub use refusal::Refusal;
pub use text::Text;
