//! The header of the `Image` (Linux, Documentation/arch/arm64/booting.rst), and the entry.
//!
//! The MMU stays off: every access is one of Device memory, aligned, in order.

use core::panic::PanicInfo;

use fdt::Fdt;

use crate::disk::Disk;
use crate::{digests, lent, machine, restless};

core::arch::global_asm!(
    ".pushsection .head, \"ax\"",
    ".global _head",
    "_head:",
    "b 1f",
    ".word 0",
    ".quad 0",
    ".quad __image_size",
    ".quad 0xa",
    ".quad 0, 0, 0",
    ".word 0x644d5241",
    ".word 0",
    "1: adrp x1, __stack_end",
    "mov sp, x1",
    "b {main}",
    ".popsection",
    main = sym main,
);

extern "C" fn main(tree: *const u8) -> ! {
    // SAFETY: x0 held the device tree's address, and nobody writes there.
    let words = unsafe { Fdt::from_ptr(tree) }.ok().and_then(|tree| tree.chosen().bootargs()).unwrap_or_default();
    // SAFETY: as before.
    let memory = unsafe { Fdt::from_ptr(tree) }.ok().and_then(|tree| tree.memory().regions().next()?.size);
    let task = words.split_ascii_whitespace().find_map(|word| word.strip_prefix("reader.run="));
    match run(task, memory.unwrap_or(0) as u64) {
        Ok(()) => machine::reset(),
        Err(problem) => stay(problem),
    }
}

fn run(task: Option<&str>, memory: u64) -> Result<(), &'static str> {
    if task == Some("lent") {
        return lent::look(memory).map(|never| match never {});
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
    machine::print("\nCHECK FAIL reader: ");
    machine::print(problem);
    machine::print("\n");
    loop {
        core::hint::spin_loop();
    }
}
