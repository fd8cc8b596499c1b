//! Storms: faults of a device by thousands, and its interrupt line held high.

use crate::edu::{ACKNOWLEDGE, Edu, RAISE};
use crate::gic;
use crate::machine::{load, store, within};
use crate::pci::Function;
use crate::report::Report;
use crate::smmu;

use super::pci::DISK;

/// Registers of an NVMe controller (NVM Express Base 2.0, 3.1): configuration, status, admin queues, first doorbell.
const CC: u64 = 0x14;
const CSTS: u64 = 0x1c;
const AQA: u64 = 0x24;
const ASQ: u64 = 0x28;
const ACQ: u64 = 0x30;
const DOORBELL: u64 = 0x1000;
/// CC: enabled, entries of 64 and 16 bytes.
const ENABLED: u64 = 1 | 6 << 16 | 4 << 20;
const RINGS: u64 = 5000;

pub(crate) fn all(report: &mut Report, edu: Edu) {
    smmu::restore();
    // An invalid stage 1 is the guest's to hear of; an address that stage 2 refuses is its VMM's.
    faults(report, "storm-of-faults-at-stage-1", true);
    faults(report, "storm-of-faults-at-stage-2", false);
    line(report, edu);
    smmu::restore();
}

fn faults(report: &mut Report, name: &str, stage1: bool) {
    let Some(disk) = Function::find(DISK) else { return report.check(name, false, format_args!("there is no disk")) };
    let bar = disk.bar();
    disk.enable(bar);
    smmu::describe(smmu::TABLE);
    smmu::map(|index| index);
    store(smmu::TABLE + 8 * 4, 8, 0);
    let entry = if stage1 { smmu::stage1(smmu::DESCRIPTOR) } else { [smmu::BYPASS, 0, 0, 0, 0, 0, 0, 0] };
    smmu::set(disk.stream(), entry);
    store(bar + CC, 4, 0);
    within(500, || load(bar + CSTS, 4) & 1 == 0);
    store(bar + AQA, 4, 0x003f_003f);
    // 4 GiB is nobody's, and has no entry in the table.
    store(bar + ASQ, 8, 4 << 30);
    store(bar + ACQ, 8, (4 << 30) + 0x1000);
    store(bar + CC, 4, ENABLED);
    within(500, || load(bar + CSTS, 4) & 1 != 0);
    let (mut told, mut stream) = (0, None);
    for ring in 1..=RINGS {
        store(bar + DOORBELL, 4, ring % 64);
        if ring % 16 == 0 {
            let (count, last) = smmu::events();
            (told, stream) = (told + count, last.map(|event| event.stream).or(stream));
        }
    }
    within(100, || false);
    store(bar + CC, 4, 0);
    let (count, _) = smmu::events();
    told += count;
    let right = if stage1 { told > 0 && stream.is_none_or(|stream| stream == disk.stream()) } else { told == 0 };
    report.check(name, right, format_args!("{RINGS} doorbells, {told} records for the guest"));
    smmu::set(disk.stream(), [0; 8]);
}

/// The pin of slot 5 is the second of four (docs/guests.md): INTID 36. The line stays high until the device is told.
fn line(report: &mut Report, edu: Edu) {
    let intid = 35 + edu.function.0 % 4;
    gic::enable(intid, true);
    store(edu.bar + RAISE, 4, 1);
    let before = gic::count();
    gic::at_most(200);
    let came = gic::unmasked(|| within(2000, gic::is_enough));
    let count = gic::count() - before;
    store(edu.bar + ACKNOWLEDGE, 4, u64::MAX);
    gic::any_number();
    gic::unmasked(|| within(50, || false));
    let quiet = gic::count();
    gic::unmasked(|| within(100, || false));
    let ended = gic::count() == quiet;
    report.check("storm-of-a-line", came && ended, format_args!("{count} while it was high; it ends: {ended}"));
    gic::restore();
}
