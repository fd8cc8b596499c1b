//! The machine that a VMM shows its guest: addresses, loads and stores, firmware.

use core::arch::asm;

/// Configuration space of bus 0, and bytes of one slot's.
pub(crate) const ECAM: u64 = 0x3f00_0000;
/// Where BARs can go.
pub(crate) const PCI_WINDOW: u64 = 0x1000_0000;
/// Memory.
pub(crate) const RAM: u64 = 0x4000_0000;
/// Memory that neither the image nor the device tree covers.
pub(crate) const FREE: u64 = 0x4040_0000;
/// Data register of the PL011.
const UART: u64 = 0x0900_0000;
/// PSCI 1.1, 5.1: SYSTEM_RESET.
const SYSTEM_RESET: u64 = 0x8400_0009;

/// The word at `at`, a multiple of four.
pub(crate) fn load(at: u64) -> u32 {
    // SAFETY: this program has the machine for itself and keeps nothing but its image, its stack and the device tree, which end below
    // `FREE`; no caller names an address there. Elsewhere is memory that only this program and the disk use, or registers
    // that are there to be read; a device may change them, hence volatile.
    unsafe { (at as *const u32).read_volatile() }
}

/// Stores a word at `at`, a multiple of four.
pub(crate) fn store(at: u64, value: u32) {
    // SAFETY: as in `load`; nothing that Rust knows of is at such an address.
    unsafe { (at as *mut u32).write_volatile(value) }
}

/// Orders accesses to memory and registers as the disk sees them.
pub(crate) fn barrier() {
    // SAFETY: a barrier changes no register and no memory.
    unsafe { asm!("dsb sy") }
}

/// Waits for an interrupt; none is enabled.
pub(crate) fn sleep() {
    // SAFETY: a hint.
    unsafe { asm!("wfi") }
}

/// Prints text.
pub(crate) fn print(text: &str) {
    text.bytes().for_each(|byte| store(UART, u32::from(byte)));
}

/// Starts the machine again.
pub(crate) fn reset() -> ! {
    // SAFETY: a call to firmware with a function that takes no arguments and does not come back.
    unsafe { asm!("smc #0", "b .", in("x0") SYSTEM_RESET, options(noreturn)) }
}
