//! Calls: of the kernel by `hvc`, which is a system call with registers of the guest's choice, and of firmware.

use crate::firmware::{NOT_SUPPORTED, hvc, number, smc};
use crate::gic;
use crate::report::Report;
use sluice_bare::machine::{milliseconds, now};
use sluice_bare::write_system;

/// System calls (seL4's numbers and the kernel's own): those for everybody, then those of debug and benchmark kernels.
const CALL: u64 = -1i64 as u64;
const SEND: u64 = -3i64 as u64;
const NB_SEND: u64 = -4i64 as u64;
const YIELD: u64 = -7i64 as u64;
const DEBUG: [i64; 6] = [-9, -10, -11, -12, -13, -14];
/// The one capability there is: the way to the guest's VMM.
const OWN: u64 = 1;
/// Labels of faults (seL4's).
const LABELS: core::ops::RangeInclusive<u64> = 0..=12;

const fn info(label: u64, caps: u64, length: u64) -> u64 {
    label << 12 | caps << 7 | length
}

pub(crate) fn all(report: &mut Report) {
    system_calls(report);
    forged(report);
    waits(report);
    firmware(report);
}

fn system_calls(report: &mut Report) {
    let refused =
        DEBUG.into_iter().filter(|number| hvc([b'!'.into(), 0, 0, 0, 0, 0, 0, *number as u64]) == NOT_SUPPORTED);
    let refused = refused.count();
    report.check("hvc-debug-calls", refused == DEBUG.len(), format_args!("{refused} of {} are refused", DEBUG.len()));
    let mut made = 0;
    for number in -64..64i64 {
        // x0: no capability, then anything, so that what a call would name is not there.
        for first in [0, 7, 0x1000, u64::MAX] {
            hvc([first, info(1, 0, 4), 1, 2, 3, 4, 5, number as u64]);
            made += 1;
        }
    }
    report.check("hvc-system-calls", gic::is_whole(), format_args!("{made} calls, every number there is and more"));
    let unknown =
        [i64::MIN, i64::MAX, -1000, 1 << 32, 0xffff_ffff].map(|number| hvc([0, 0, 0, 0, 0, 0, 0, number as u64]));
    let refused = unknown.iter().all(|value| *value == NOT_SUPPORTED);
    report.check("hvc-unknown-numbers", refused, format_args!("{unknown:x?}"));
    for word in [u64::MAX, info(0, 3, 120), info(5, 3, 0), info(1 << 51, 1, 127), info(20, 3, 4)] {
        for call in [SEND, NB_SEND, CALL] {
            hvc([OWN, word, OWN, OWN, OWN, OWN, OWN, call]);
        }
    }
    report.check("hvc-capability-transfer", gic::is_whole(), format_args!("nothing to give, lengths beyond registers"));
    for _ in 0..2000 {
        hvc([OWN, info(1, 0, 4), 0, 0, 0, 0, 0, NB_SEND]);
        hvc([0, 0, 0, 0, 0, 0, 0, YIELD]);
    }
    report.check("hvc-flood", gic::is_whole(), format_args!("4000 calls"));
}

/// Syndromes that a forged fault carries: of every class, with fields of ones and zeroes. Registers are x3 or none.
fn syndromes() -> impl Iterator<Item = u64> {
    let fields =
        [0x0383_0047, 0x03c3_0047, 0x0343_0007, 0x021f_0046, 0x0200_0010, 0x0200_0087, 0x0200_0146, 0x01ff_0047];
    (0..64).flat_map(move |class| fields.into_iter().map(move |field| class << 26 | field))
}

/// What would end this guest: calls of firmware, whose function is in a register that a forger holds.
const fn ends(syndrome: u64) -> bool {
    matches!(syndrome >> 26, 0x01 | 0x17)
}

fn forged(report: &mut Report) {
    let mut sent = 0;
    for label in LABELS {
        for call in [SEND, CALL] {
            for syndrome in syndromes().filter(|syndrome| !ends(*syndrome)) {
                // A VM fault's words: PC, address, whether it was a fetch, syndrome. Another's first word is its syndrome.
                let (first, address) = if label == 5 { (0, 0x0800_0000 + 8 * sent) } else { (syndrome, sent) };
                hvc([OWN, info(label, 0, 4), first, address, syndrome & 1, syndrome, 0, call]);
                sent += 1;
            }
        }
    }
    gic::restore();
    report.check("hvc-forged-faults", gic::is_whole(), format_args!("{sent} of every label and class"));
    for word in (0..=16).chain([0xff, 0x100, u64::MAX]) {
        for label in [6, 8] {
            hvc([OWN, info(label, 0, 1), word, 0, 0, 0, 0, SEND]);
            hvc([OWN, info(label, 0, 1), word, 0, 0, 0, 0, CALL]);
        }
    }
    let before = gic::count();
    gic::restore();
    gic::enable(gic::TIMER, true);
    gic::unmasked(|| ());
    report.check("hvc-forged-ends", gic::is_whole(), format_args!("{} interrupts came of it", gic::count() - before));
    gic::restore();
}

/// "It waits", said by one that runs, and by one that waits for an answer: the timer wakes it either way.
fn waits(report: &mut Report) {
    let woken = [SEND, CALL].map(|call| {
        gic::enable(gic::TIMER, true);
        let before = gic::count();
        write_system!("cntv_cval_el0", now() + milliseconds(20));
        write_system!("cntv_ctl_el0", 1);
        hvc([OWN, info(7, 0, 1), 1 << 26, 0, 0, 0, 0, call]);
        gic::unmasked(|| sluice_bare::machine::within(500, || gic::count() != before))
    });
    report.check("hvc-forged-waits", woken == [true; 2], format_args!("the timer came: {woken:?}"));
    gic::restore();
}

fn firmware(report: &mut Report) {
    // Neither off nor reset, which end this guest.
    let ours = |function: u64| matches!(function & 0xbfff_ffff, 0x8400_0001..=0x8400_000a | 0x8400_0012);
    let (mut made, mut known) = (0, 0);
    for owner in 0..64 {
        for low in (0..0x20).chain([0x8000, 0xff00, 0xff01, 0xff03, 0xffff]) {
            for kind in 0..4 {
                let function = kind << 30 | owner << 24 | low;
                if !ours(function) {
                    made += 1;
                    known += u64::from(smc([function, u64::MAX, u64::MAX, u64::MAX]) != NOT_SUPPORTED);
                }
            }
        }
    }
    report.check("smc-unknown-functions", known <= 8, format_args!("{made} calls, {known} are there"));
    let on = |target, entry| smc([number::CPU_ON, target, entry, 0]) as i64;
    let refused = [on(0, 0x4000_0000), on(1, 0x4000_0000), on(u64::MAX, 0x4000_0000), on(1 << 31, 0), on(8, 3)];
    report.check("smc-cpu-on", refused.iter().all(|value| *value < 0), format_args!("{refused:?}"));
    let suspended = [
        smc([number::CPU_SUSPEND, u64::MAX, 0, 0]) as i64,
        smc([number::CPU_SUSPEND, 1 << 16, 0, 0]) as i64,
        smc([number::CPU_SUSPEND, 1 << 16, 0x4000_0001, 0]) as i64,
        smc([number::AFFINITY_INFO, u64::MAX, 0, 0]) as i64,
        smc([number::AFFINITY_INFO, 0, 3, 0]) as i64,
        smc([0xc400_0012, u64::MAX, 0, 0]) as i64,
    ];
    report.check("smc-nonsense", suspended.iter().all(|value| *value < 0), format_args!("{suspended:?}"));
}
