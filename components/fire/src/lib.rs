//! What the component decides without its devices: what is taken away next, what memory must hold after, and how long
//! taking it away took.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod canary;
mod latency;
mod loss;

pub use canary::Canary;
pub use latency::Latencies;
pub use loss::{Loss, Plan};
