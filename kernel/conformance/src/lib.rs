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
//!   capabilities alone; decoding of messages is written once more.
//! - What the abstract machine has no step for is counted and listed. Where such a call changes what the machine does
//!   speak of, its effect is applied ([`demand::Effect`]), and where that is not possible the replay stops.
//!
//! What is left unchecked: a preempted call (`p`) leaves the abstract state as it is, and the completed call that
//! follows is the step, so states in the middle of a long deletion are not compared with anything; a thread made to
//! run by an answer to its fault is not in the log; which thread sent a capability along a message is not in the log
//! either; a notification whose last capability is the hidden one of an interrupt, or on which a thread waits when it
//! is to be bound, is not modelled; of a refusal the error's number is compared and not its details.
#![forbid(unsafe_code)]

pub mod demand;
mod event;
mod initial;
pub mod log;
mod place;
mod replay;
mod summary;

pub use replay::{Disagreement, replay};
pub use summary::Summary;
