//! Accesses of emulated registers, and of nothing.

use core::arch::asm;

use sluice_hostile::access::{Device, SWEEPS};
use sluice_hostile::place::{DISTRIBUTOR, ECAM, NOWHERE, REDISTRIBUTORS, SMMU, UART};

use crate::report::Report;
use crate::trap::{self, DATA};
use crate::{console, gic};
use sluice_bare::machine::{POISON, load, store, touch};

/// A register of every emulated device that does not answer by itself: reads of the SMMU's pages are not emulated.
const DEVICES: [u64; 5] = [DISTRIBUTOR + 0x400, REDISTRIBUTORS + 0x1_0400, UART + 0x24, ECAM, SMMU + 0x1000];

pub(crate) fn all(report: &mut Report) {
    for (device, name) in [
        (Device::Distributor, "registers-distributor"),
        (Device::Redistributors, "registers-redistributors"),
        (Device::Uart, "registers-uart"),
        (Device::Smmu, "registers-smmu"),
        (Device::Ecam, "registers-ecam"),
    ] {
        sweep(report, device, name);
    }
    undescribed(report);
    nowhere(report);
}

fn sweep(report: &mut Report, device: Device, name: &str) {
    let (before, mut made) = (trap::taken(), 0);
    for access in SWEEPS.iter().filter(|sweep| sweep.device == device).flat_map(|sweep| sweep.accesses()) {
        made += 1;
        match access.write {
            Some(value) => store(access.address, access.bytes, value),
            None => touch(access.address, access.bytes),
        }
    }
    gic::restore();
    console::restore();
    let faults = trap::taken() - before;
    report.check(name, gic::is_whole(), format_args!("{made} accesses, {faults} of them abort"));
}

/// Makes one access of every device by an instruction of which no syndrome tells, and looks that each aborts.
macro_rules! undescribed {
    ($report:expr, $name:literal, $($instruction:literal),+) => {{
        let aborted = DEVICES.into_iter().filter(|address| {
            let class = trap::class_of(|| {
                // SAFETY: registers are said to change; what the access would do, it does not.
                unsafe { asm!($($instruction),+, inout("x4") *address => _, out("x5") _, out("x6") _, out("x7") _,
                              options(nostack)) }
            });
            class == Some(DATA)
        });
        let aborted = aborted.count();
        $report.check($name, aborted == DEVICES.len(), format_args!("{aborted} of {} abort", DEVICES.len()));
    }};
}

fn undescribed(report: &mut Report) {
    undescribed!(report, "access-load-pair", "ldp x5, x6, [x4]");
    undescribed!(report, "access-store-pair", "stp xzr, xzr, [x4]");
    undescribed!(report, "access-post-index", "ldr x5, [x4], #8");
    undescribed!(report, "access-store-pre-index", "str x5, [x4, #8]!");
    undescribed!(report, "access-store-exclusive", "ldxr w5, [x4]");
    // LDR Q0, [X4] with floating point enabled, which a target without it does not assemble.
    undescribed!(report, "access-vector", "mov x5, #0x300000", "msr cpacr_el1, x5", "isb", ".inst 0x3dc00080");
    let fetched = DEVICES.into_iter().filter(|address| {
        let class = trap::class_of(|| {
            // SAFETY: the handler comes back to x30, where the branch left it; a function's registers may change.
            unsafe { asm!("blr {0}", in(reg) *address, clobber_abi("C")) }
        });
        class == Some(0x21)
    });
    let fetched = fetched.count();
    let all = DEVICES.len();
    report.check("access-fetch", fetched == all, format_args!("{fetched} of {all} abort"));
    let maintained = DEVICES.into_iter().filter(|address| {
        // SAFETY: cache maintenance changes no data; zeroing does not happen, or only to registers of this guest's.
        let maintain =
            || unsafe { asm!("dc civac, {0}", "dc zva, {0}", "ic ivau, {0}", in(reg) *address, options(nostack)) };
        trap::class_of(maintain).is_none_or(|class| class == DATA)
    });
    let maintained = maintained.count();
    gic::restore();
    report.check("access-cache-maintenance", maintained == all, format_args!("{maintained} of {all} do nothing"));
}

fn nowhere(report: &mut Report) {
    let refused = NOWHERE.into_iter().filter(|address| {
        let read = trap::class_of(|| touch(*address, 8));
        let value = load(*address, 4);
        let written = trap::class_of(|| store(*address, 8, u64::MAX));
        read == Some(DATA) && written == Some(DATA) && value == POISON
    });
    let refused = refused.count();
    report.check("outside-memory", refused == NOWHERE.len(), format_args!("{refused} of {} abort", NOWHERE.len()));
}
