//! Calls: of firmware by `smc`, and of whoever is above by `hvc`.

use core::arch::asm;

pub(crate) use sluice_bare::firmware::{number, power_off, smc};

/// "There is no such function."
pub(crate) const NOT_SUPPORTED: u64 = u64::MAX;

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
