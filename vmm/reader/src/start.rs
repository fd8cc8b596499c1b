//! What the command line asks for.
//!
//! The MMU stays off: every access is one of Device memory, aligned, in order.

use core::panic::PanicInfo;

use sluice_bare::{Given, console, firmware};

use crate::disk::Disk;
use crate::{digests, lent, restless};

sluice_bare::entry!(main);

fn main(given: Given) -> ! {
    match run(given) {
        Ok(()) => firmware::reset(),
        Err(problem) => stay(problem),
    }
}

fn run(given: Given) -> Result<(), &'static str> {
    let task = given.word("reader.run=");
    if task == Some("lent") {
        return lent::look(given.memory).map(|never| match never {});
    }
    let mut disk = Disk::open()?;
    match task {
        None => restless::read(&mut disk),
        Some("digests") => digests::print_all(&mut disk).map(|never| match never {}),
        Some(_) => Err("reader.run is nothing that can be done"),
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    stay("a panic")
}

/// Says what went wrong in a way that no list of checks has, and goes no further.
fn stay(problem: &str) -> ! {
    console::print("\nCHECK FAIL reader: ");
    console::print(problem);
    console::print("\n");
    loop {
        core::hint::spin_loop();
    }
}
