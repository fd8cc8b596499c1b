//! Two processors of one guest against the VMM: firmware, interrupts and registers from both sides at once.

use core::sync::atomic::{AtomicU64, Ordering};

use sluice_hostile::place::{DISTRIBUTOR, RAM, RAM_BYTES, REDISTRIBUTOR_BYTES, REDISTRIBUTORS, UART};

use crate::firmware::{number, smc};
use crate::report::Report;
use crate::{firmware, gic, second};
use sluice_bare::machine::{store, touch, within};
use sluice_bare::write_system;

/// PSCI's refusals (Arm DEN 0022, 5.2.2).
const INVALID_PARAMETERS: i64 = -2;
const ALREADY_ON: i64 = -4;
const INVALID_ADDRESS: i64 = -9;
/// How often the second begins and goes off.
const STARTS: u64 = 30;
/// The signal that the second answers with.
const ANSWER: u64 = 3;

pub(crate) fn all(report: &mut Report) {
    let turns = second::beside(|_| (), || ());
    report.check("pair-control", turns.is_some(), format_args!("the second begins and ends: {turns:?} turns"));
    starts(report);
    comes_and_goes(report);
    signals(report);
    registers(report);
    redistributors(report);
    dies_busy(report);
    both_off(report);
}

fn on(target: u64, entry: u64) -> i64 {
    smc([number::CPU_ON, target, entry, 0]) as i64
}

/// Of one that runs, of itself, of one that is not there, and with an entry that is no memory.
fn starts(report: &mut Report) {
    let own = second::entry();
    let off = [
        on(second::SECOND, RAM + RAM_BYTES),
        on(second::SECOND, 0),
        on(second::SECOND, own + 2),
        on(second::SECOND, !3),
        on(2, own),
        on(0x100, own),
        on(0, own),
    ];
    let address = INVALID_ADDRESS;
    let wanted = [address, address, address, address, INVALID_PARAMETERS, INVALID_PARAMETERS, ALREADY_ON];
    let mut again = [0; 3];
    let turns = second::beside(|_| (), || again = [on(second::SECOND, own), on(second::SECOND, 0), second::start()]);
    let held = off == wanted && again == [ALREADY_ON; 3] && turns.is_some();
    report.check("pair-starts", held, format_args!("{off:?}, and while it runs {again:?}"));
}

/// One goes off as the other starts it: every start that is said to have been made was.
fn comes_and_goes(report: &mut Report) {
    static BEGUN: AtomicU64 = AtomicU64::new(0);
    BEGUN.store(0, Ordering::SeqCst);
    let (mut made, mut refused, mut other) = (0, 0, 0);
    second::prepare(|_| {
        BEGUN.fetch_add(1, Ordering::SeqCst);
        smc([number::CPU_OFF, 0, 0, 0]);
    });
    while made < STARTS && refused < 1000 * STARTS {
        match second::start() {
            0 => made += 1,
            ALREADY_ON => refused += 1,
            _ => other += 1,
        }
    }
    let all = || BEGUN.load(Ordering::SeqCst) == made && second::is_off();
    let held = within(2000, all) && made == STARTS && other == 0;
    let begun = BEGUN.load(Ordering::SeqCst);
    report.check("pair-comes-and-goes", held, format_args!("{made} starts, {begun} begun, {refused} too early"));
}

/// Signals from each to each, to all, and to nobody.
fn storm(turn: u64) {
    let intid = (turn & 0xf) << 24;
    // Target lists of all processors, of some and of none; affinities that nobody has; all but the one that signals.
    for targets in [0b11, 0xffff, 0xfffc, 0, 1 << 16 | 1, 1 << 40] {
        write_system!("icc_sgi1r_el1", intid | targets);
    }
    write_system!("icc_sgi0r_el1", u64::MAX);
}

fn signals(report: &mut Report) {
    (0..16).for_each(|intid| gic::enable(intid, true));
    gic::forget();
    let before = gic::count();
    let job = |turn| {
        (0..16).for_each(|intid| gic::enable(intid, true));
        gic::unmasked(|| storm(turn));
    };
    let turns = second::beside(job, || gic::unmasked(|| (0..1000).for_each(storm)));
    let (taken, different) = (gic::count() - before, gic::different());
    gic::restore();
    let held = turns.is_some_and(|turns| turns > 0) && different == 16;
    report.check("pair-signals", held, format_args!("{turns:?} turns, {taken} taken of {different} kinds"));
}

/// The same registers, from both sides.
fn poke(turn: u64) {
    let value = [u64::MAX, 0, 0x5a5a_1234_a5a5_8001][(turn % 3) as usize];
    for at in (0x80..0xd00).step_by(0x84) {
        store(DISTRIBUTOR + at, 4, value);
        touch(DISTRIBUTOR + at, 4);
    }
    for at in [0x18, 0x24, 0x28, 0x2c, 0x38, 0x44] {
        store(UART + at, 4, value);
        touch(UART + at, 4);
    }
}

fn registers(report: &mut Report) {
    let turns = second::beside(poke, || (0..60).for_each(poke));
    gic::restore();
    crate::console::restore();
    report.check("pair-registers", turns.is_some() && gic::is_whole(), format_args!("{turns:?} turns of the second"));
}

/// Each writes the other's redistributor, its own, and those of nobody, while both signal; then all is set right, and a signal goes
/// there and comes back.
fn redistributors(report: &mut Report) {
    let job = |turn: u64| {
        let value = [u64::MAX, 0][(turn & 1) as usize];
        for other in [0, 1, 2, 7] {
            let base = REDISTRIBUTORS + other * REDISTRIBUTOR_BYTES;
            for at in [0x14, 0x1_0080, 0x1_0100, 0x1_0180, 0x1_0200, 0x1_0280, 0x1_0300, 0x1_0380, 0x1_0400, 0x1_0c04] {
                store(base + at, 4, value);
            }
        }
        gic::unmasked(|| storm(turn));
    };
    let turns = second::beside(job, || (0..100).for_each(job));
    gic::restore();
    gic::enable(ANSWER, true);
    gic::forget();
    let before = gic::count();
    let answers = |_| write_system!("icc_sgi1r_el1", ANSWER << 24 | 1);
    let answered = second::beside(answers, || {
        gic::unmasked(|| within(1000, || gic::count() != before));
    });
    let came = gic::count() - before;
    gic::restore();
    let held = turns.is_some() && answered.is_some() && came > 0 && gic::is_whole();
    report.check("pair-redistributors", held, format_args!("{turns:?} turns, then {came} signals came"));
}

/// One goes off with interrupts active, pending and masked, and its timer set: its next life has none of it in its way.
fn dies_busy(report: &mut Report) {
    let mut ends = 0;
    for _ in 0..20 {
        let turns = second::beside(
            |turn| {
                if turn == 0 {
                    (0..32).for_each(|intid| gic::enable(intid, true));
                    store(REDISTRIBUTORS + REDISTRIBUTOR_BYTES + 0x1_0200, 4, u64::MAX);
                    store(REDISTRIBUTORS + REDISTRIBUTOR_BYTES + 0x1_0300, 4, u64::MAX);
                    write_system!("cntv_cval_el0", 0);
                    write_system!("cntv_ctl_el0", 1);
                    // Taken and not ended.
                    let _ = sluice_bare::read_system!("icc_iar1_el1");
                }
            },
            || (),
        );
        ends += u64::from(turns.is_some());
    }
    gic::restore();
    report.check("pair-dies-busy", ends == 20, format_args!("{ends} of 20 lives begin and end"));
}

/// The last check: both want the machine off, as often as they can say so.
fn both_off(report: &mut Report) {
    second::prepare(|_| {
        smc([number::SYSTEM_OFF, 0, 0, 0]);
    });
    report.check("pair-both-off", true, format_args!("nothing comes behind this"));
    report.conclude();
    second::start();
    firmware::power_off()
}

/// One resets the machine while the other is at emulated registers.
pub(crate) fn reset(report: &mut Report) {
    second::prepare(|turn| {
        poke(turn);
        storm(turn);
    });
    let began = second::start() == 0 && within(2000, || second::turns() > 3);
    if began {
        smc([number::SYSTEM_RESET, 0, 0, 0]);
    }
    report.check("pair-reset", false, format_args!("it came back, or the second did not begin: {began}"));
}

/// The first goes off; the second, which then is alone, cannot have it begin where there is nothing, and goes off too.
pub(crate) fn last(report: &mut Report) {
    second::prepare(|turn| {
        let is_off = smc([number::AFFINITY_INFO, 0, 0, 0]) == 1;
        if is_off && on(0, RAM + RAM_BYTES) == INVALID_ADDRESS {
            smc([number::CPU_OFF, 0, 0, 0]);
        }
        // Not for ever.
        if turn > 1_000_000 {
            smc([number::SYSTEM_RESET, 0, 0, 0]);
        }
    });
    let began = second::start() == 0;
    if began {
        smc([number::CPU_OFF, 0, 0, 0]);
    }
    report.check("pair-last", false, format_args!("it came back, or the second did not begin: {began}"));
}
