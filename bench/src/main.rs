//! A root task that measures the kernel: how many instructions each of its common operations takes.
//!
//! It runs on the kernel's bench build, under an emulator that counts one cycle an instruction (`-icount shift=0`), and
//! reads the cycle counter around single system calls. `scripts/bench` starts it, judges what it prints and sets it
//! beside seL4's figures; `docs/benchmarks.md` says what each row is.
//!
//! Principles: a row is measured where its definition says, between two counter reads with one system call between
//! them, or around the user's stub and all; servers and handlers have address spaces of their own, so that every switch
//! of threads is one of address spaces; nothing is averaged: every sample of a row is kept, and their order statistics
//! are printed.
#![no_std]
#![no_main]

mod counter;
mod device;
mod helper;
mod machine;
mod outside;
mod rows;
mod samples;
mod space;
mod start;
mod stub;

use machine::Machine;

/// The whole run.
fn run(mut machine: Machine) -> ! {
    rows::all(&mut machine);
    outside::say(format_args!("end"));
    outside::exit(true)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    outside::say(format_args!("panic: {info}"));
    outside::exit(false)
}
