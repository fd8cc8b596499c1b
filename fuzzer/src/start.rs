//! The entry: the kernel starts the root thread without a stack.

use core::arch::global_asm;
use core::cell::UnsafeCell;

use sluice_abi::VirtAddr;

use crate::machine::Machine;

/// Bytes of the root thread's stack.
const STACK_SIZE: usize = 64 << 10;

#[repr(align(4096))]
struct Stack(#[expect(dead_code, reason = "only the assembly refers to it")] UnsafeCell<[u8; STACK_SIZE]>);

// SAFETY: no Rust code refers to the stack by name; it belongs to the root thread.
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
    // SAFETY: `_start` left `x0` as the kernel set it.
    let machine = unsafe { Machine::find(info) };
    // SAFETY: the kernel mapped the buffer there, for this thread; no other thread of the program touches its own.
    unsafe { sluice_sys::set_ipc_buffer(VirtAddr(machine.info.ipc_buffer)) };
    crate::run(machine)
}
