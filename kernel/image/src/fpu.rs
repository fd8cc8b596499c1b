//! The floating-point registers. The kernel itself is built without them, so they hold what a thread left there.

use core::arch::asm;
use core::mem::offset_of;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{CPTR_EL2, Writeable};
use sluice_core::object::FpuContext;

/// CPTR_EL2 with E2H = 0: RES1 bits, SVE's trap (TZ) among them, and the trap of trace registers (DDI 0487, D24.2.34).
const OPEN: u64 = 0x33ff | 1 << 20;
/// CPTR_EL2.TFP.
const TRAP: u64 = 1 << 10;

const _: () = {
    assert!(offset_of!(FpuContext, v) == 0);
    assert!(offset_of!(FpuContext, fpsr) == 512 && offset_of!(FpuContext, fpcr) == 520);
};

/// Lets EL0 and EL2 use the registers, or makes them trap.
pub(crate) fn open(open: bool) {
    CPTR_EL2.set(if open { OPEN } else { OPEN | TRAP });
    barrier::isb(barrier::SY);
}

/// Copies the registers to memory.
pub(crate) fn save(to: &FpuContext) {
    // SAFETY: writes the 528 bytes of the context, all of them cells, which may be written through a shared reference;
    // the registers are open.
    unsafe {
        asm!(
            ".arch_extension fp",
            ".arch_extension simd",
            "stp q0, q1, [{at}]",
            "stp q2, q3, [{at}, #32]",
            "stp q4, q5, [{at}, #64]",
            "stp q6, q7, [{at}, #96]",
            "stp q8, q9, [{at}, #128]",
            "stp q10, q11, [{at}, #160]",
            "stp q12, q13, [{at}, #192]",
            "stp q14, q15, [{at}, #224]",
            "stp q16, q17, [{at}, #256]",
            "stp q18, q19, [{at}, #288]",
            "stp q20, q21, [{at}, #320]",
            "stp q22, q23, [{at}, #352]",
            "stp q24, q25, [{at}, #384]",
            "stp q26, q27, [{at}, #416]",
            "stp q28, q29, [{at}, #448]",
            "stp q30, q31, [{at}, #480]",
            "mrs {status}, fpsr",
            "mrs {control}, fpcr",
            "str {status}, [{at}, #512]",
            "str {control}, [{at}, #520]",
            at = in(reg) core::ptr::from_ref(to),
            status = out(reg) _,
            control = out(reg) _,
            options(nostack)
        );
    }
}

/// Loads the registers from memory.
pub(crate) fn load(from: &FpuContext) {
    // SAFETY: reads the 528 bytes of the context; the kernel keeps nothing in the registers, which are open.
    unsafe {
        asm!(
            ".arch_extension fp",
            ".arch_extension simd",
            "ldp q0, q1, [{at}]",
            "ldp q2, q3, [{at}, #32]",
            "ldp q4, q5, [{at}, #64]",
            "ldp q6, q7, [{at}, #96]",
            "ldp q8, q9, [{at}, #128]",
            "ldp q10, q11, [{at}, #160]",
            "ldp q12, q13, [{at}, #192]",
            "ldp q14, q15, [{at}, #224]",
            "ldp q16, q17, [{at}, #256]",
            "ldp q18, q19, [{at}, #288]",
            "ldp q20, q21, [{at}, #320]",
            "ldp q22, q23, [{at}, #352]",
            "ldp q24, q25, [{at}, #384]",
            "ldp q26, q27, [{at}, #416]",
            "ldp q28, q29, [{at}, #448]",
            "ldp q30, q31, [{at}, #480]",
            "ldr {status}, [{at}, #512]",
            "ldr {control}, [{at}, #520]",
            "msr fpsr, {status}",
            "msr fpcr, {control}",
            at = in(reg) core::ptr::from_ref(from),
            status = out(reg) _,
            control = out(reg) _,
            options(nostack, readonly)
        );
    }
}
