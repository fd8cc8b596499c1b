//! The interrupt controller, and a count of what it signalled.

use core::sync::atomic::{AtomicU64, Ordering};

use sluice_hostile::place::{DISTRIBUTOR, REDISTRIBUTOR_BYTES, REDISTRIBUTORS};

use sluice_bare::machine::{load, store};
use sluice_bare::{read_system, write_system};

/// First INTID that is none: special ones follow (IHI 0069, 2.2.1).
const NONE: u64 = 1020;
/// The virtual timer's.
pub(crate) const TIMER: u64 = 27;

/// Of each processor.
static COUNTS: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
static SEEN: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

/// The number of the processor that asks.
fn own() -> u64 {
    read_system!("mpidr_el1") & 7
}

/// How many interrupts this processor has taken since the start.
pub(crate) fn count() -> u64 {
    COUNTS[own() as usize].load(Ordering::Relaxed)
}

/// Interrupts that were taken by any since [`forget`], as a number of different ones.
pub(crate) fn different() -> u32 {
    SEEN.iter().map(|word| word.load(Ordering::Relaxed).count_ones()).sum()
}

/// Forgets which were taken.
pub(crate) fn forget() {
    SEEN.iter().for_each(|word| word.store(0, Ordering::Relaxed));
}

/// Takes and ends one.
pub(crate) fn interrupt() {
    let intid = read_system!("icc_iar1_el1") & 0xff_ffff;
    if intid >= NONE {
        return;
    }
    COUNTS[own() as usize].fetch_add(1, Ordering::Relaxed);
    if let Some(word) = SEEN.get((intid / 64) as usize) {
        word.fetch_or(1 << (intid % 64), Ordering::Relaxed);
    }
    if intid == TIMER {
        write_system!("cntv_ctl_el0", 0);
    }
    write_system!("icc_eoir1_el1", intid);
}

/// Everything in group 1, at one priority, and disabled; both ends enabled.
pub(crate) fn restore() {
    for bank in 1..4 {
        restore_bank(DISTRIBUTOR, 4 * bank);
        for half in [0, 4] {
            store(DISTRIBUTOR + 0xc00 + 8 * bank + half, 4, 0);
        }
    }
    for intid in 32..128 {
        store(DISTRIBUTOR + 0x6000 + 8 * intid, 8, 0);
    }
    store(DISTRIBUTOR, 4, 2);
    restore_own();
}

/// What a processor has for itself.
pub(crate) fn restore_own() {
    let base = redistributor();
    store(base + 0x14, 4, 0);
    restore_bank(base + 0x1_0000, 0);
    write_system!("icc_sre_el1", 7);
    write_system!("icc_bpr1_el1", 0);
    write_system!("icc_ctlr_el1", 0);
    write_system!("icc_pmr_el1", 0xff);
    write_system!("icc_igrpen1_el1", 1);
}

fn restore_bank(base: u64, at: u64) {
    store(base + 0x180 + at, 4, u64::MAX);
    store(base + 0x280 + at, 4, u64::MAX);
    store(base + 0x380 + at, 4, u64::MAX);
    store(base + 0x80 + at, 4, u64::MAX);
    for intid in (0..32).step_by(4) {
        store(base + 0x400 + 8 * at + intid, 4, 0xa0a0_a0a0);
    }
}

fn redistributor() -> u64 {
    REDISTRIBUTORS + own() * REDISTRIBUTOR_BYTES
}

/// Enables, or disables, an interrupt.
pub(crate) fn enable(intid: u64, on: bool) {
    let base = if intid < 32 { redistributor() + 0x1_0000 } else { DISTRIBUTOR };
    store(base + if on { 0x100 } else { 0x180 } + intid / 32 * 4, 4, 1 << (intid % 32));
}

/// Whether GICD_IIDR and GICD_TYPER read as ever: 128 interrupts.
pub(crate) fn is_whole() -> bool {
    load(DISTRIBUTOR + 4, 4) & 0x1f == 3
}

/// Lets interrupts come while `body` runs.
pub(crate) fn unmasked<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: the handler is there since the first instructions.
    unsafe { core::arch::asm!("msr daifclr, #2", options(nostack)) };
    let value = body();
    // SAFETY: as above.
    unsafe { core::arch::asm!("msr daifset, #2", options(nostack)) };
    value
}
