//! What a component runs on: entry, heap, logging, checks, and its capabilities by the names of the system spec.
//!
//! Why it exists: a component should be a page of code about its device. Where its memory is mapped, which slot holds
//! which capability and how text reaches the console are in the manifest the root task wrote; [`Env`] is the typed way
//! to it. A component starts with [`entry!`]:
//!
//! ```ignore
//! sluice_rt::entry!(main);
//! fn main(env: &Env) { … }
//! ```
//!
//! Principles:
//! 1. A name that the spec does not have is a [`Missing`] that says what there is.
//! 2. Device registers and memory a device can write are reached by volatile accesses of checked offsets, never by
//!    Rust references.
//! 3. One thread, one notification: signals that nobody waits for yet are kept ([`signal`]).
//!
//! Not here: threads, unwinding, a standard library. DMA address spaces are in `sluice-dma`.
#![no_std]

extern crate alloc;

mod barrier;
pub mod block;
mod channel;
mod check;
mod device;
mod env;
mod error;
#[cfg(target_os = "none")]
mod heap;
mod line;
mod log;
mod registers;
pub mod signal;
mod slots;
#[cfg(target_os = "none")]
mod start;
mod supervise;
mod tables;
pub mod terminal;
pub mod time;
pub mod timer;
mod window;

pub use sluice_abi as abi;
pub use sluice_manifest as manifest;
pub use sluice_sys as sys;

pub use channel::{Incoming, Server};
pub use check::record;
pub use device::{Device, DmaView, Interrupt, Manage};
pub use env::{Env, UntypedGrant};
pub use error::{Missing, RtError};
pub use log::{print_at, print_line};
pub use registers::Registers;
pub use signal::Signal;
pub use slots::Slots;
pub use supervise::{exit, finish};
pub use tables::Tables;
pub use window::Memory;

/// Prints a line on the console; it arrives whole.
#[macro_export]
macro_rules! println {
    ($($argument:tt)*) => { $crate::print_line(::core::format_args!($($argument)*)) };
}

/// Records and prints the outcome of a check: `check!("name", condition, "detail {}", value)`. Evaluates to the
/// condition. Names are of `a-z`, `0-9` and `-`.
#[macro_export]
macro_rules! check {
    ($name:expr, $condition:expr, $($detail:tt)*) => {
        $crate::record($name, $condition, ::core::format_args!($($detail)*))
    };
}

/// Makes `fn(&Env)` the program's main function. When it returns, the component reports that it has finished.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        // SAFETY: the name is declared once, in the runtime, with this signature; the linker refuses a second one.
        #[unsafe(no_mangle)]
        fn sluice_component_main(env: &$crate::Env) {
            let main: fn(&$crate::Env) = $main;
            main(env);
        }
    };
}
