//! The timer server without its timer: what a message asks for, and whose alarm is next.
//!
//! Clients are not trusted. Each has one alarm, which no other can see, move or cancel, and a request costs the same
//! whatever it says. Time comes from outside, as ticks of the counter.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod alarms;
mod request;

pub use alarms::Alarms;
pub use request::{Refusal, deadline};
