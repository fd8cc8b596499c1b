//! Single instructions: loads and stores that a syndrome describes, system registers, barriers, time.

use core::arch::asm;

/// Reads a system register by name.
#[macro_export]
macro_rules! read_system {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reading a register has no effect on memory; where it traps, the handler steps over it.
        unsafe { core::arch::asm!(concat!("mov {0}, xzr\nmrs {0}, ", $name), out(reg) value, options(nostack)) };
        value
    }};
}

/// Writes a system register by name.
#[macro_export]
macro_rules! write_system {
    ($name:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: what it changes is this guest's, which owns all of its memory and runs this program alone.
        unsafe { core::arch::asm!(concat!("msr ", $name, ", {0}\nisb"), in(reg) value, options(nostack)) }
    }};
}

/// What a register holds before a load that may not happen.
pub const POISON: u64 = 0x0bad_0bad_0bad_0bad;

/// Loads and stores of one width each, by one instruction that a syndrome describes.
macro_rules! accesses {
    ($load:ident, $store:ident, $read:literal, $write:literal) => {
        fn $load(address: u64) -> u64 {
            let mut value = POISON;
            // SAFETY: the address is a device's, nobody's, or in memory that the program keeps free for this; an exception
            // is stepped over.
            unsafe { asm!($read, inout(reg) value, in(reg) address, options(nostack)) };
            value
        }

        fn $store(address: u64, value: u64) {
            // SAFETY: as for loads.
            unsafe { asm!($write, in(reg) value, in(reg) address, options(nostack)) };
        }
    };
}

accesses!(load_byte, store_byte, "ldrb {0:w}, [{1}]", "strb {0:w}, [{1}]");
accesses!(load_half, store_half, "ldrh {0:w}, [{1}]", "strh {0:w}, [{1}]");
accesses!(load_word, store_word, "ldr {0:w}, [{1}]", "str {0:w}, [{1}]");
accesses!(load_double, store_double, "ldr {0}, [{1}]", "str {0}, [{1}]");

/// Loads `bytes` bytes: 1, 2, 4, or 8. What a trap leaves is [`POISON`].
#[must_use]
pub fn load(address: u64, bytes: u8) -> u64 {
    match bytes {
        1 => load_byte(address),
        2 => load_half(address),
        4 => load_word(address),
        _ => load_double(address),
    }
}

/// Loads and forgets.
pub fn touch(address: u64, bytes: u8) {
    // What matters is whether it traps.
    let _: u64 = load(address, bytes);
}

/// Stores `bytes` bytes.
pub fn store(address: u64, bytes: u8, value: u64) {
    match bytes {
        1 => store_byte(address, value),
        2 => store_half(address, value),
        4 => store_word(address, value),
        _ => store_double(address, value),
    }
}

/// Everything before has happened for everybody.
pub fn barrier() {
    // SAFETY: a barrier.
    unsafe { asm!("dsb sy", options(nostack)) }
}

/// Ticks of the virtual counter.
#[must_use]
pub fn now() -> u64 {
    read_system!("cntvct_el0")
}

/// Ticks of so many milliseconds.
#[must_use]
pub fn milliseconds(count: u64) -> u64 {
    read_system!("cntfrq_el0") / 1000 * count
}

/// The word at `at`, a multiple of four.
#[must_use]
pub fn load32(at: u64) -> u32 {
    load_word(at) as u32
}

/// Stores a word at `at`, a multiple of four.
pub fn store32(at: u64, value: u32) {
    store_word(at, value.into());
}

/// Waits for an interrupt.
pub fn sleep() {
    // SAFETY: a hint.
    unsafe { asm!("wfi", options(nostack)) }
}

/// Waits for `condition`, so many milliseconds at most; whether it came.
pub fn within(count: u64, mut condition: impl FnMut() -> bool) -> bool {
    let end = now() + milliseconds(count);
    while now() < end {
        if condition() {
            return true;
        }
    }
    condition()
}
