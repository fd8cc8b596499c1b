//! A real-time clock, a device that is a node of the device tree and has a level interrupt.
//!
//! What its registers say is judged here; the checks are in the program.
#![no_std]
#![forbid(unsafe_code)]

pub mod pl031;
mod reading;

pub use reading::{Reading, reached};
