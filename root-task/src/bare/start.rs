//! The entry: the kernel starts the root thread without a stack.

use core::arch::global_asm;
use core::cell::UnsafeCell;

use super::{given, heap, run};

/// Bytes of the root thread's stack.
const STACK_SIZE: usize = 128 << 10;

#[repr(align(4096))]
struct Stack(#[expect(dead_code, reason = "only the assembly refers to it")] UnsafeCell<[u8; STACK_SIZE]>);

// SAFETY: no Rust code refers to the stack by name; it belongs to the one thread.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([0; STACK_SIZE]));

global_asm!(
    ".section .text.start, \"ax\"",
    ".global _start",
    "_start:",
    "adrp x1, {stack}",
    "add x1, x1, :lo12:{stack}",
    "add x1, x1, #{size}",
    "mov sp, x1",
    "mov x29, xzr",
    "mov x30, xzr",
    "b {enter}",
    stack = sym STACK,
    size = const STACK_SIZE,
    enter = sym enter,
);

/// First Rust code of the root thread; `info` is what the kernel put into `x0`.
extern "C" fn enter(info: u64) -> ! {
    // SAFETY: `_start` branches here once, before anything could have allocated.
    unsafe { heap::init() };
    // SAFETY: `_start` left `x0` as the kernel set it.
    let memory = unsafe { given::Memory::find(info) };
    // SAFETY: the kernel mapped the buffer there for this thread, and `find` took nothing from that page on.
    unsafe { sluice_sys::set_ipc_buffer(memory.ipc_buffer()) };
    run(&memory)
}
