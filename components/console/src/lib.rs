//! The console server without its UART: what a message says, and how clients' text becomes lines.
//!
//! Clients are not trusted. A client can neither forge another's line nor tear one: every line starts with the name
//! the system spec gives its sender, text is buffered until its line is complete, and control characters are shown
//! as `?`. What a client can do is print much; it runs below the server and waits for each answer.
#![no_std]
#![forbid(unsafe_code)]

mod assembly;
pub mod pl011;
mod request;

pub use assembly::{Assembly, LINE_MAX};
pub use request::{Refusal, text};
