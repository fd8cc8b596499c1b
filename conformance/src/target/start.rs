//! The entry: the kernel starts the root thread without a stack, and what it put into the registers is part of the
//! interface.

use core::arch::global_asm;
use core::cell::UnsafeCell;

use super::Entry;

/// Bytes of the root thread's stack.
const STACK_SIZE: usize = 256 << 10;

#[repr(align(4096))]
struct Stack(#[expect(dead_code, reason = "only the assembly refers to it")] UnsafeCell<[u8; STACK_SIZE]>);

// SAFETY: no Rust code refers to the stack by name; it belongs to the one thread.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([0; STACK_SIZE]));

global_asm!(
    ".section .text.start, \"ax\"",
    ".global _start",
    "_start:",
    // Without memory to save them to, x1..x30 are folded into one word: all of them must be 0.
    ".irp n, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30",
    "orr x1, x1, x\\n",
    ".endr",
    "mov x2, sp",
    "mrs x3, tpidr_el0",
    "mrs x4, tpidrro_el0",
    "mrs x5, nzcv",
    "adrp x6, {stack}",
    "add x6, x6, :lo12:{stack}",
    "add x6, x6, #{size}",
    "mov sp, x6",
    "mov x29, xzr",
    "mov x30, xzr",
    "b {enter}",
    stack = sym STACK,
    size = const STACK_SIZE,
    enter = sym enter,
);

unsafe extern "C" {
    /// Start of the image, from the linker: its ELF header.
    static __executable_start: u8;
}

/// Where the image begins.
pub(crate) fn image_base() -> u64 {
    &raw const __executable_start as u64
}

/// First Rust code of the root thread.
extern "C" fn enter(info: u64, others: u64, sp: u64, tpidr: u64, tpidrro: u64, nzcv: u64) -> ! {
    super::run(&Entry { info, others, sp, tpidr, tpidrro, nzcv })
}
