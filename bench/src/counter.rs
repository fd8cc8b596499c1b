//! The cycle counter, and system calls timed by it.

use core::arch::asm;

use sluice_abi::Syscall;

/// PMCCNTR_EL0 now.
#[inline(always)]
pub(crate) fn now() -> u64 {
    let value: u64;
    // SAFETY: the bench kernel lets EL0 read the counter, which changes nothing.
    unsafe { asm!("mrs {}, pmccntr_el0", out(reg) value, options(nostack)) };
    value
}

/// A system call with the counter before and after it.
#[derive(Clone, Copy)]
pub(crate) struct Timed {
    /// Just before.
    pub(crate) before: u64,
    /// Just after, wherever the caller got back.
    pub(crate) after: u64,
    /// `x2`.
    pub(crate) word: u64,
}

/// Declares a function that runs `instruction` between two reads of the counter, with the registers of a system call.
macro_rules! timed {
    ($(#[$doc:meta])* $name:ident, $instruction:literal) => {
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name(call: Syscall, cptr: u64, info: u64, word: u64) -> Timed {
            let (before, after, received): (u64, u64, u64);
            // SAFETY: the interface clobbers x0..x5 only, which are declared; the stack is not touched; memory may
            // change, which is the default assumption of `asm!`.
            unsafe {
                asm!(
                    "mrs {before}, pmccntr_el0",
                    $instruction,
                    "mrs {after}, pmccntr_el0",
                    before = out(reg) before,
                    after = out(reg) after,
                    inout("x0") cptr => _,
                    inout("x1") info => _,
                    inout("x2") word => received,
                    out("x3") _,
                    out("x4") _,
                    out("x5") _,
                    in("x7") call.word(),
                    options(nostack),
                );
            }
            Timed { before, after, word: received }
        }
    };
}

timed! {
    /// The system call.
    syscall, "svc #0"
}
timed! {
    /// No system call: what [`syscall`] counts when the kernel does nothing.
    nothing, "nop"
}
timed! {
    /// An undefined instruction: a fault.
    fault, "udf #0"
}

/// Commands that the kernel has given to SMMU 0 since boot, and how many of them were CMD_SYNCs.
pub(crate) fn commands() -> [u64; 2] {
    let (commands, syncs): (u64, u64);
    // SAFETY: the call answers in x0 and x1 and changes nothing else.
    unsafe {
        asm!("svc #0", inout("x0") 0u64 => commands, out("x1") syncs, in("x7") Syscall::BenchmarkSmmuCommands.word(),
             options(nostack));
    }
    [commands, syncs]
}
