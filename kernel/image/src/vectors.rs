//! Exceptions: saving a thread's registers, and what each exception is.
//!
//! While a thread runs, SP_EL2 points at its [`UserContext`], so that its registers can be saved without a free one.

use core::arch::{asm, global_asm};
use core::mem::offset_of;

use aarch64_cpu::registers::{ESR_EL2, FAR_EL2, Readable};
use sluice_core::Kernel;
use sluice_core::object::UserContext;

use crate::machine::{Machine, next_context, take_interrupts, the_kernel};

global_asm!(
    r#"
.section .text.vectors, "ax"
.macro unexpected
    .balign 0x80
    mrs     x0, esr_el2
    mrs     x1, elr_el2
    mrs     x2, far_el2
    ldr     x9, =__stack_top
    mov     sp, x9
    b       sluice_kernel_exception
.endm
.macro from_user handler
    .balign 0x80
    stp     x0, x1, [sp, #0]
    stp     x2, x3, [sp, #16]
    ldr     x0, =\handler
    b       save_user
.endm

.macro save_rest
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x1, sp_el0
    stp     x30, x1, [sp, #240]
    mrs     x1, elr_el2
    mrs     x2, spsr_el2
    stp     x1, x2, [sp, #{pc}]
    mrs     x1, tpidr_el0
    mrs     x2, tpidrro_el0
    stp     x1, x2, [sp, #{tpidr}]
    ldr     x1, =__stack_top
    mov     sp, x1
.endm
// System calls are told apart first, and their handler does not return here: it ends in resume_user.
.macro from_user_synchronous
    .balign 0x80
    stp     x0, x1, [sp, #0]
    stp     x2, x3, [sp, #16]
    mrs     x0, esr_el2
    ubfx    x0, x0, #26, #6
    cmp     x0, #{svc}
    b.eq    save_caller
    ldr     x0, =sluice_synchronous
    b       save_user
.endm

.balign 0x800
.global vectors
vectors:
    unexpected
    unexpected
    unexpected
    unexpected
    unexpected
    unexpected
    unexpected
    unexpected
    from_user_synchronous
    from_user sluice_interrupt
    unexpected
    from_user sluice_system_error
    // From AArch32: EL0 of a guest.
    from_user sluice_synchronous
    from_user sluice_interrupt
    unexpected
    from_user sluice_system_error

save_caller:
    save_rest
    b       sluice_system_call

save_user:
    save_rest
    blr     x0

// x0 = the context of the thread that runs next.
.global resume_user
resume_user:
    mov     sp, x0
    ldp     x1, x2, [sp, #{pc}]
    msr     elr_el2, x1
    msr     spsr_el2, x2
    ldp     x1, x2, [sp, #{tpidr}]
    msr     tpidr_el0, x1
    msr     tpidrro_el0, x2
    ldp     x30, x1, [sp, #240]
    msr     sp_el0, x1
    ldp     x28, x29, [sp, #224]
    ldp     x26, x27, [sp, #208]
    ldp     x24, x25, [sp, #192]
    ldp     x22, x23, [sp, #176]
    ldp     x20, x21, [sp, #160]
    ldp     x18, x19, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp, #0]
    eret
"#,
    pc = const offset_of!(UserContext, pc),
    tpidr = const offset_of!(UserContext, tpidr),
    svc = const class::SVC64,
);

const _: () = {
    assert!(offset_of!(UserContext, x) == 0);
    assert!(offset_of!(UserContext, sp) == 248);
    assert!(offset_of!(UserContext, spsr) == offset_of!(UserContext, pc) + 8);
    assert!(offset_of!(UserContext, tpidrro) == offset_of!(UserContext, tpidr) + 8);
};

/// Exception classes of ESR_EL2 (DDI 0487, D24.2.45).
mod class {
    pub(super) const FLOATING_POINT: u64 = 0x07;
    pub(super) const SVC64: u64 = 0x15;
    pub(super) const HVC64: u64 = 0x16;
    pub(super) const INSTRUCTION_ABORT: u64 = 0x20;
    pub(super) const DATA_ABORT: u64 = 0x24;
}

/// A system call of a thread. Not returning spares saving the registers that a caller would want back.
#[unsafe(no_mangle)]
extern "C" fn sluice_system_call() -> ! {
    // SAFETY: a thread ran, so boot is over; this is the only use of the kernel in the exception.
    let kernel = unsafe { the_kernel() };
    if !kernel.enter_common_syscall() {
        enter_any_syscall(kernel);
    }
    let context = next_context(kernel);
    // SAFETY: `resume_user` takes a context's address in x0 and never comes back; nothing on this stack is needed.
    unsafe { asm!("b resume_user", in("x0") context, options(noreturn)) }
}

/// Apart, so that common cases need not set aside what this uses.
#[inline(never)]
fn enter_any_syscall(kernel: &mut Kernel<Machine>) {
    kernel.enter_any_syscall();
}

/// A synchronous exception of a thread other than `svc`.
#[unsafe(no_mangle)]
extern "C" fn sluice_synchronous() -> *const UserContext {
    let syndrome = ESR_EL2.get();
    let address = FAR_EL2.get();
    // SAFETY: as for system calls.
    let kernel = unsafe { the_kernel() };
    match ESR_EL2.read(ESR_EL2::EC) {
        class::HVC64 => kernel.enter_syscall(),
        class::FLOATING_POINT => kernel.enter_fpu_trap(syndrome),
        class::INSTRUCTION_ABORT => kernel.enter_abort(syndrome, address, true),
        class::DATA_ABORT => kernel.enter_abort(syndrome, address, false),
        _ => kernel.enter_exception(syndrome),
    }
    next_context(kernel)
}

/// An asynchronous external abort (SError) while a thread ran: a device register it wrote answered with an error.
#[unsafe(no_mangle)]
extern "C" fn sluice_system_error() -> *const UserContext {
    let syndrome = ESR_EL2.get();
    // SAFETY: as for system calls.
    let kernel = unsafe { the_kernel() };
    kernel.enter_exception(syndrome);
    next_context(kernel)
}

/// An interrupt while a thread ran.
#[unsafe(no_mangle)]
extern "C" fn sluice_interrupt() -> *const UserContext {
    // SAFETY: as for system calls.
    let kernel = unsafe { the_kernel() };
    take_interrupts(kernel);
    next_context(kernel)
}

/// An exception of the kernel itself.
#[unsafe(no_mangle)]
extern "C" fn sluice_kernel_exception(syndrome: u64, at: u64, address: u64) -> ! {
    panic!("exception in the kernel: ESR {syndrome:#x} at {at:#x}, address {address:#x}")
}
