//! The header of the `Image` (Linux, Documentation/arch/arm64/booting.rst), and the entry.
//!
//! The MMU stays off: every access is one of Device memory, aligned, in order.

use core::panic::PanicInfo;

use crate::disk;
use crate::machine;

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

extern "C" fn main() -> ! {
    match disk::read() {
        Ok(()) => machine::reset(),
        Err(problem) => stay(problem),
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
