//! Replays what a running kernel logged against the abstract machine, and stops at the first disagreement.
//!
//! A debug kernel booted with `sluice.trace=semihosting` writes a line for every invocation of a kernel object, for
//! every capability passed along a message, for faults and for the events of an SMMU (`kernel/core/src/trace.rs`). The
//! log begins with the initial capabilities. From those this crate builds the first abstract state; then it reads each
//! call as the interface defines it, looks up the slots it names in the *abstract* CNodes, and demands that the
//! abstract machine answers what the kernel answered. Whatever the kernel did wrongly is missing in the abstract
//! state, or is there too much, and a later call shows it.
//!
//! Principles:
//! - Nothing is taken from the kernel but the log. `sluice-core` is here for the packed form of the initial
//!   capabilities alone.
//! - Errors are compared with their words, and the words of results too.
//!
//! What is left unchecked: a preempted call (`p`) leaves the abstract state as it is, and the completed call that
//! follows is the step, so states in the middle of a long deletion are not compared with anything; messages are not in
//! the log but for the capabilities they carry and the replies they owe, so that a thread that waits for one seems to
//! run, its registers are not known, and a notification on which a thread waits when it is to be bound seems idle;
//! interrupts are not in the log, nor is what guests do: their registers are not compared, an interrupt injected into one is
//! taken by it as soon as the kernel says so, and one that is forwarded has come, and been taken, when the kernel says so as it is
//! taken back.
#![forbid(unsafe_code)]

mod capability;
mod event;
mod initial;
pub mod log;
mod place;
mod replay;
mod summary;

pub use capability::capability;
pub use replay::{Disagreement, replay};
pub use summary::Summary;
