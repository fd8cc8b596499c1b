//! What the component decides by itself: which misdeed its spec wants, and what its messages are.
//!
//! Its own program is the one place in user space where things go wrong on purpose; everything here is repeatable.
#![no_std]
#![forbid(unsafe_code)]

mod letter;

pub use letter::{Letter, Letters, Manner, To};

/// The ways to misbehave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misdeed {
    /// Stores to address 0, runs data, runs what is no instruction: one a life.
    Crash,
    /// Computes for ever.
    Loop,
    /// Has the console print as much as it takes.
    Flood,
    /// Sends messages that are none.
    Garbage,
    /// Uses up heap, stack and Untyped: one a life.
    Exhaust,
    /// Has its disk go where it may not, for ever.
    Storm,
}

impl Misdeed {
    /// The misdeed of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "crash" => Self::Crash,
            "loop" => Self::Loop,
            "flood" => Self::Flood,
            "garbage" => Self::Garbage,
            "exhaust" => Self::Exhaust,
            "storm" => Self::Storm,
            _ => return None,
        })
    }
}
