//! Stage 1: everything is where it is, all of it Normal memory, so that nothing about an access is decided before stage 2.

use sluice_bare::machine::{barrier, store};
use sluice_bare::write_system;
use sluice_hostile::place::FREE;

/// The table of level 1.
pub(crate) const TABLE: u64 = FREE;

/// A block of level 1 at `address`, Normal, inner shareable, accessed (DDI 0487, D8.3).
pub(crate) const fn block(address: u64) -> u64 {
    address | 1 << 10 | 3 << 8 | 1
}

/// TCR_EL1: 39 bits from TTBR0, 4 KiB, write-back, inner shareable, nothing from TTBR1, 40 bits out (D24.2).
const TCR: u64 = 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2 << 32;
/// SCTLR_EL1: RES1 bits, instruction and data caches, MMU.
const ON: u64 = 0x30d0_0800 | 1 << 12 | 1 << 2 | 1;
const OFF: u64 = 0x30d0_0800;

/// Makes the identity in `table`.
pub(crate) fn fill(table: u64) {
    for index in 0..512 {
        store(table + 8 * index, 8, block(index << 30));
    }
    barrier();
}

/// Switches translation on by `table`.
pub(crate) fn on(table: u64) {
    write_system!("mair_el1", 0xff);
    write_system!("tcr_el1", TCR);
    write_system!("ttbr0_el1", table);
    forget();
    write_system!("sctlr_el1", ON);
}

/// Switches it off, and caches with it.
pub(crate) fn off() {
    write_system!("sctlr_el1", OFF);
}

/// Forgets what was translated.
pub(crate) fn forget() {
    // SAFETY: what is forgotten is walked again.
    unsafe { core::arch::asm!("dsb ish", "tlbi vmalle1", "dsb ish", "isb", options(nostack)) }
}
