//! Calls: of firmware by `smc`, and of whoever is above by `hvc`.

use core::arch::asm;

/// PSCI functions (Arm DEN 0022, 5.1).
pub(crate) mod number {
    pub(crate) const CPU_SUSPEND: u64 = 0xc400_0001;
    pub(crate) const CPU_OFF: u64 = 0x8400_0002;
    pub(crate) const CPU_ON: u64 = 0xc400_0003;
    pub(crate) const AFFINITY_INFO: u64 = 0xc400_0004;
    pub(crate) const SYSTEM_OFF: u64 = 0x8400_0008;
    pub(crate) const SYSTEM_RESET: u64 = 0x8400_0009;
}

/// "There is no such function."
pub(crate) const NOT_SUPPORTED: u64 = u64::MAX;

/// `smc #0` with these in x0 to x3; x0 afterwards.
pub(crate) fn smc(x: [u64; 4]) -> u64 {
    let value;
    // SAFETY: the call changes at most this guest; a processor that it starts has its own code to run.
    unsafe {
        asm!("smc #0", inout("x0") x[0] => value, inout("x1") x[1] => _, inout("x2") x[2] => _, inout("x3") x[3] => _,
             clobber_abi("C"));
    }
    value
}

/// `hvc #0` with these in x0 to x7; x0 afterwards.
///
/// An answer can move the program counter on and load any register: four instructions behind do nothing, x30 says where
/// to go on, and what the compiler keeps to itself is on the stack.
pub(crate) fn hvc(x: [u64; 8]) -> u64 {
    let value;
    // SAFETY: all registers are said to change or are saved; the stack is this program's.
    unsafe {
        asm!("stp x19, x29, [sp, #-16]!",
             "adr x30, 2f",
             "hvc #0",
             "nop", "nop", "nop", "nop",
             "2: nop",
             "ldp x19, x29, [sp], #16",
             inout("x0") x[0] => value, inout("x1") x[1] => _, inout("x2") x[2] => _, inout("x3") x[3] => _,
             inout("x4") x[4] => _, inout("x5") x[5] => _, inout("x6") x[6] => _, inout("x7") x[7] => _,
             out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _, out("x25") _, out("x26") _,
             out("x27") _, out("x28") _, clobber_abi("C"));
    }
    value
}

/// The end.
pub(crate) fn power_off() -> ! {
    loop {
        smc([number::SYSTEM_OFF, 0, 0, 0]);
    }
}
