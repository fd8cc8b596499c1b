//! A client of the servers that come with the system, which checks what they promise. The argument `scene` says which.
//!
//! What the checks need to decide is here; the scenes are in the program.
#![no_std]
#![forbid(unsafe_code)]

mod delays;
mod lateness;
mod stamp;

pub use delays::Delays;
pub use lateness::Lateness;
pub use stamp::Stamp;
