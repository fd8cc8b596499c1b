//! The interrupt controller, and a count of what it signalled.

use core::sync::atomic::{AtomicU64, Ordering};

use sluice_hostile::place::{DISTRIBUTOR, REDISTRIBUTORS};

use crate::machine::{load, store};
use crate::{read_system, write_system};

/// First INTID that is none: special ones follow (IHI 0069, 2.2.1).
const NONE: u64 = 1020;
/// The virtual timer's.
pub(crate) const TIMER: u64 = 27;

static COUNT: AtomicU64 = AtomicU64::new(0);
static SEEN: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

/// How many interrupts were taken since the start.
pub(crate) fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Interrupts that were taken since [`forget`], as a number of different ones.
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
    COUNT.fetch_add(1, Ordering::Relaxed);
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
    store(REDISTRIBUTORS + 0x14, 4, 0);
    for bank in 0..4 {
        let (base, at) = if bank == 0 { (REDISTRIBUTORS + 0x1_0000, 0) } else { (DISTRIBUTOR, 4 * bank) };
        store(base + 0x180 + at, 4, u64::MAX);
        store(base + 0x280 + at, 4, u64::MAX);
        store(base + 0x380 + at, 4, u64::MAX);
        store(base + 0x80 + at, 4, u64::MAX);
        for intid in (0..32).step_by(4) {
            store(base + 0x400 + 8 * at + intid, 4, 0xa0a0_a0a0);
        }
        for half in [0, 4] {
            if bank != 0 {
                store(base + 0xc00 + 2 * at + half, 4, 0);
            }
        }
    }
    for intid in 32..128 {
        store(DISTRIBUTOR + 0x6000 + 8 * intid, 8, 0);
    }
    store(DISTRIBUTOR, 4, 2);
    write_system!("icc_sre_el1", 7);
    write_system!("icc_bpr1_el1", 0);
    write_system!("icc_ctlr_el1", 0);
    write_system!("icc_pmr_el1", 0xff);
    write_system!("icc_igrpen1_el1", 1);
}

/// Enables, or disables, an interrupt.
pub(crate) fn enable(intid: u64, on: bool) {
    let base = if intid < 32 { REDISTRIBUTORS + 0x1_0000 } else { DISTRIBUTOR };
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
