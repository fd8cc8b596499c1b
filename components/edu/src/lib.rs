//! What the exerciser knows without its device: register layout, patterns, and which fault record an attack must leave.
#![no_std]
#![forbid(unsafe_code)]

mod pattern;
pub mod registers;
mod verdict;

pub use pattern::{Pattern, first_difference};
pub use verdict::{Direction, Expected, Shown, Stage};
