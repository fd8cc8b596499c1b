//! Random system calls for a thread whose CSpace is random too.
//!
//! A [`Generator`] is seeded, told what its CSpace holds at first, and then makes one [`Call`] after the other. It takes
//! the shapes of invocations from the reference ([`sluice_abi::invocation`]) and believes to know which kind of
//! capability is in which slot; what comes of a call corrects the belief. Most calls are of valid shape with arguments
//! that may be right; some are wrong in one place, a few are anything at all.
//!
//! The same seed and the same answers give the same calls, on a host and on the machine, so a failure can be made again
//! from its seed. What is *not* here: threads that make the calls, and judging what they do.
#![no_std]
#![forbid(unsafe_code)]

mod belief;
mod call;
mod choose;
mod generator;
mod plan;
mod random;
mod start;

pub use belief::{
    Belief, INNER, NODE, NODE_BITS, POINTER_SHIFT, ROOT_BITS, ROOT_DEPTH, SLOTS, index, pointer, slot_of_pointer,
};
pub use call::{Call, WORDS};
pub use generator::Generator;
pub use plan::Plan;
pub use random::Random;
pub use start::{FAULT_HANDLER, Gift, MAPPED, START, STREAMS, THREADS};
