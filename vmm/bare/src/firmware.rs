//! Calls of firmware, by `smc`.

use core::arch::asm;

/// PSCI functions (Arm DEN 0022, 5.1).
pub mod number {
    /// Waits, or goes off for a while.
    pub const CPU_SUSPEND: u64 = 0xc400_0001;
    /// The caller goes off.
    pub const CPU_OFF: u64 = 0x8400_0002;
    /// Another begins.
    pub const CPU_ON: u64 = 0xc400_0003;
    /// Whether one is on.
    pub const AFFINITY_INFO: u64 = 0xc400_0004;
    /// The end.
    pub const SYSTEM_OFF: u64 = 0x8400_0008;
    /// Everything begins again.
    pub const SYSTEM_RESET: u64 = 0x8400_0009;
}

/// `smc #0` with these in x0 to x3; x0 afterwards.
pub fn smc(x: [u64; 4]) -> u64 {
    let value;
    // SAFETY: the call changes at most this guest; a processor that it starts has its own code to run.
    unsafe {
        asm!("smc #0", inout("x0") x[0] => value, inout("x1") x[1] => _, inout("x2") x[2] => _, inout("x3") x[3] => _,
             clobber_abi("C"));
    }
    value
}

/// The end.
pub fn power_off() -> ! {
    loop {
        smc([number::SYSTEM_OFF, 0, 0, 0]);
    }
}

/// Starts the machine again.
pub fn reset() -> ! {
    loop {
        smc([number::SYSTEM_RESET, 0, 0, 0]);
    }
}
