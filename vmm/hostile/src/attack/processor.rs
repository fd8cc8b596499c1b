//! The processor against itself: translation that leads nowhere, registers that trap, time and interrupts without end.

use sluice_hostile::place::{DISTRIBUTOR, RAM, RAM_BYTES, REDISTRIBUTORS};

use crate::report::Report;
use crate::trap::{self, DATA};
use crate::{gic, mmu};
use sluice_bare::machine::{POISON, barrier, load, milliseconds, now, store, touch, within};
use sluice_bare::{read_system, write_system};

pub(crate) fn all(report: &mut Report) {
    translation(report);
    registers(report);
    interrupts(report);
    time(report);
}

fn translation(report: &mut Report) {
    // The last GiB that 39 bits reach, led to what is not memory here, and beyond what the machine can put out.
    let virtual_address = 511 << 30;
    let led = [0, 0x8000_0000, 0x80_0000_0000, 0xff_c000_0000, 0xffff_c000_0000].map(|to| {
        store(mmu::TABLE + 8 * 511, 8, mmu::block(to));
        barrier();
        mmu::forget();
        trap::class_of(|| touch(virtual_address, 8))
    });
    let held = led.iter().all(|class| *class == Some(DATA));
    report.check("translation-to-nowhere", held, format_args!("{led:x?}"));
    // A table of level 2 that is not in memory.
    let walked = [0, 0x0800_0000, 0x4000_0000 + RAM_BYTES, 0x6000_0000, 0xff_ffff_f000].map(|table| {
        store(mmu::TABLE + 8 * 511, 8, table | 3);
        barrier();
        mmu::forget();
        trap::class_of(|| touch(virtual_address, 8))
    });
    let held = walked.iter().all(|class| *class == Some(DATA));
    report.check("translation-by-tables-outside", held, format_args!("{walked:x?}"));
    store(mmu::TABLE + 8 * 511, 8, mmu::block(virtual_address));
    mmu::off();
    let value = load(RAM, 4);
    let outside = trap::class_of(|| touch(0x6000_0000, 4));
    mmu::on(mmu::TABLE);
    report.check("translation-off", outside == Some(DATA) && value != POISON, format_args!("{outside:x?}"));
}

/// Reads, then writes ones to, each register; how many instructions were undefined.
macro_rules! touch {
    ($($name:literal),+ $(,)?) => {{
        let before = trap::taken();
        let mut count = 0;
        $( count += 1; let _ = read_system!($name); write_system!($name, u64::MAX); )+
        (count, trap::taken() - before)
    }};
}

fn registers(report: &mut Report) {
    let (count, undefined) = touch!(
        "mdscr_el1",
        "dbgbvr0_el1",
        "dbgbcr0_el1",
        "dbgwvr0_el1",
        "dbgwcr0_el1",
        "osdlr_el1",
        "dbgprcr_el1",
        "pmcr_el0",
        "pmcntenset_el0",
        "pmselr_el0",
        "pmxevtyper_el0",
        "pmuserenr_el0",
        "pmccntr_el0",
        "pmintenset_el1",
    );
    write_system!("mdscr_el1", 0);
    report.check("system-registers-debug", gic::is_whole(), format_args!("{count}, {undefined} undefined"));
    let (count, undefined) = touch!(
        "cntp_ctl_el0",
        "cntp_cval_el0",
        "cntps_ctl_el1",
        "s3_0_c10_c4_3",
        "s3_0_c10_c4_0",
        "actlr_el1",
        "amair_el1",
        "s3_0_c11_c0_2",
        "s3_0_c15_c0_0",
        "s3_1_c15_c2_0",
        "s3_3_c15_c2_0",
        "s3_7_c15_c0_0",
    );
    report.check("system-registers-others", gic::is_whole(), format_args!("{count}, {undefined} undefined"));
    let (count, undefined) = touch!(
        "hcr_el2",
        "vttbr_el2",
        "vbar_el2",
        "sctlr_el2",
        "elr_el2",
        "spsr_el2",
        "cntvoff_el2",
        "vmpidr_el2",
        "ich_lr0_el2",
        "ich_hcr_el2",
        "scr_el3",
        "sctlr_el3",
        "sp_el1",
    );
    report.check("system-registers-of-el2", undefined == 2 * count, format_args!("{count}, {undefined} undefined"));
    let (count, undefined) = touch!(
        "icc_ap1r0_el1",
        "icc_ap0r0_el1",
        "icc_bpr0_el1",
        "icc_bpr1_el1",
        "icc_ctlr_el1",
        "icc_igrpen0_el1",
        "icc_igrpen1_el1",
        "icc_pmr_el1",
        "icc_sre_el1",
    );
    write_system!("icc_dir_el1", u64::MAX);
    write_system!("icc_eoir1_el1", 0xff_ffff);
    write_system!("icc_eoir0_el1", 27);
    write_system!("icc_igrpen0_el1", 0);
    write_system!("icc_ap1r0_el1", 0);
    write_system!("icc_ap0r0_el1", 0);
    gic::restore();
    report.check("system-registers-of-interrupts", gic::is_whole(), format_args!("{count}, {undefined} undefined"));
}

fn interrupts(report: &mut Report) {
    for intid in 0..16 {
        gic::enable(intid, true);
    }
    gic::forget();
    let before = gic::count();
    gic::unmasked(|| {
        for round in 0..4000u64 {
            // To itself, to all others, to nobody, of both groups.
            write_system!("icc_sgi1r_el1", (round & 0xf) << 24 | 1);
            write_system!("icc_sgi1r_el1", (round & 0xf) << 24 | 1 << 40);
            write_system!("icc_sgi0r_el1", u64::MAX);
            write_system!("icc_asgi1r_el1", round << 16 | 0xffff);
        }
    });
    let (taken, different) = (gic::count() - before, gic::different());
    report.check("interrupts-between-processors", different == 16, format_args!("{taken} taken of {different} kinds"));
    gic::forget();
    let before = gic::count();
    gic::unmasked(|| {
        for _ in 0..50 {
            for bank in 0..4 {
                let base = if bank == 0 { REDISTRIBUTORS + 0x1_0000 } else { DISTRIBUTOR };
                store(base + 0x100 + 4 * bank, 4, u64::MAX);
                store(base + 0x200 + 4 * bank, 4, u64::MAX);
                store(base + 0x300 + 4 * bank, 4, 0x1111_1111);
                store(base + 0x380 + 4 * bank, 4, u64::MAX);
            }
        }
    });
    let (taken, different) = (gic::count() - before, gic::different());
    report.check("interrupts-all-pending", different >= 100, format_args!("{taken} taken of {different} kinds"));
    gic::restore();
}

fn time(report: &mut Report) {
    gic::enable(gic::TIMER, true);
    let before = gic::count();
    gic::unmasked(|| {
        for _ in 0..2000 {
            write_system!("cntv_cval_el0", 0);
            write_system!("cntv_ctl_el0", 1);
            write_system!("cntv_cval_el0", now().wrapping_sub(1));
        }
        within(500, || gic::count() != before)
    });
    let taken = gic::count() - before;
    report.check("timer-in-the-past", taken > 0, format_args!("2000 times, {taken} taken"));
    let mut woken = 0;
    // The longest leaves the processor to guests of lower priority.
    for delay in [0, 1, 5, 300, 2] {
        let before = gic::count();
        write_system!("cntv_cval_el0", now() + milliseconds(delay));
        write_system!("cntv_ctl_el0", 1);
        // SAFETY: the timer is set, and wakes this up.
        unsafe { core::arch::asm!("wfi", "wfe", "yield", options(nostack)) };
        gic::unmasked(|| within(500, || gic::count() != before));
        woken += u64::from(gic::count() != before);
    }
    report.check("waits-for-interrupts", woken == 5, format_args!("{woken} of 5 end"));
    let _ = read_system!("cntv_ctl_el0");
    gic::restore();
}
