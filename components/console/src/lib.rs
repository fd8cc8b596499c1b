//! The console server without its UART: what a message says, how clients' text becomes lines, and who gets what the
//! operator types.
//!
//! Clients are not trusted. But for the one that the operator has attached, a client can neither forge another's line nor tear one: every line starts with the name
//! the system spec gives its sender, text is buffered until its line is complete, and control characters are shown
//! as `?`. What a client can do is print much; it runs below the server and waits for each answer.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod assembly;
mod desk;
mod keyboard;
pub mod pl011;
mod request;
mod typed;

pub use assembly::{Assembly, LINE_MAX};
pub use desk::Desk;
pub use keyboard::{ESCAPE, Key, Keyboard, key_of};
pub use request::{Refusal, answer, room, text};
pub use typed::{TYPED_MAX, Typed};
