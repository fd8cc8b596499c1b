//! Configuration space: what is another's, what is not offered, and BARs that lie over everything.

use sluice_hostile::place::{DISTRIBUTOR, ECAM, MESSAGES, RAM, SMMU, UART, WINDOW};

use crate::edu::{self, Edu};
use crate::gic;
use crate::machine::{load, store, touch};
use crate::pci::{Function, MASTER, MEMORY};
use crate::report::Report;
use crate::trap::{self, DATA};

/// What edu's register of identification reads, without the version.
const ALIVE: u64 = 0xed;
/// Vendor and device of QEMU's NVMe controller.
pub(crate) const DISK: u64 = 0x0010_1b36;

pub(crate) fn all(report: &mut Report, edu: Edu) {
    foreign(report, edu);
    bars(report, edu);
    toggles(report, edu);
    messages(report, edu);
}

fn is_alive(edu: Edu) -> bool {
    load(edu.bar, 4) & 0xffff == ALIVE
}

fn foreign(report: &mut Report, edu: Edu) {
    let own = [edu.function.0, Function::find(DISK).map_or(0, |disk| disk.0)];
    let before = own.map(|slot| Function(slot).read(0x10));
    let mut answered = 0;
    for function in (0..256).filter(|function| !own.iter().chain(&[0]).any(|slot| slot << 3 == *function)) {
        let base = ECAM + (function << 12);
        for at in [0, 4, 0x10, 0x14, 0x34, 0x3c, 0x40, 0x80, 0xfc, 0x100, 0xffc] {
            answered += u64::from(load(base + at, 4) != 0xffff_ffff);
            store(base + at, 4, u64::MAX);
            store(base + at, 4, 0x1000_0006);
            answered += u64::from(load(base + at, 4) != 0xffff_ffff);
        }
    }
    // The bridge keeps what it is, and has nothing to write to.
    let bridge = Function(0);
    let was = bridge.read(0);
    (0..0x100).step_by(4).for_each(|at| bridge.write(at, u64::MAX));
    let kept = bridge.read(0) == was && bridge.read(0x04) == 0 && own.map(|slot| Function(slot).read(0x10)) == before;
    report.check("pci-foreign-functions", answered == 0 && kept && is_alive(edu), format_args!("{answered} answered"));
}

fn bars(report: &mut Report, edu: Edu) {
    let function = edu.function;
    // Over registers, over memory, beyond the window, and where the address is not aligned: it answers nowhere then.
    let mut elsewhere = 0;
    for at in
        [0, DISTRIBUTOR, UART, SMMU, ECAM, RAM, RAM + 0x10_0000, 0x3ef8_0000, 0xffff_ffff, 0x8000_0000, 0x0802_0000]
    {
        function.enable(at);
        store(edu.bar + 4, 4, 0);
        elsewhere += u64::from(load(edu.bar, 4) != 0xffff_ffff);
    }
    let whole = gic::is_whole() && load(RAM + 0x38, 4) == 0x644d_5241;
    function.enable(edu.bar);
    let alive = is_alive(edu);
    report.check("pci-bars-over-others", elsewhere == 0 && whole && alive, format_args!("{elsewhere} of 11 answer"));
    // Over the disk's, over itself by halves, and moved a thousand times.
    let disk = Function::find(DISK);
    let over = disk.map_or(WINDOW, Function::bar) & !0xf_ffff;
    function.enable(over);
    let moved = function.bar();
    for round in 0..1000 {
        store(function.at(0x10 + round % 4), 1, round);
        function.write(0x10, WINDOW + ((round % 0x200) << 20));
    }
    function.enable(edu.bar);
    report.check("pci-bars-over-each-other", is_alive(edu), format_args!("at {moved:#x}, then moved 1000 times"));
}

fn toggles(report: &mut Report, edu: Edu) {
    let function = edu.function;
    for round in 0..500 {
        function.write(0x04, [MEMORY, MASTER, 0, MEMORY | MASTER, 1 << 10, 0xffff_ffff][round % 6]);
    }
    function.write(0x04, MASTER);
    let silent = load(edu.bar, 4) == 0xffff_ffff;
    function.enable(edu.bar);
    report.check("pci-command-toggles", silent && is_alive(edu), format_args!("500 times"));
}

fn messages(report: &mut Report, edu: Edu) {
    // MSI is 5, MSI-X is 17 (PCI Code and ID Assignment): neither is shown, nor is anything where edu really has its MSI.
    let mut shown = 0;
    for id in [edu::ID, DISK] {
        let Some(function) = Function::find(id) else { continue };
        let mut next = function.read(0x34) & 0xfc;
        for _ in 0..48 {
            if next < 0x40 {
                break;
            }
            let head = function.read(next);
            shown += u64::from(matches!(head & 0xff, 5 | 17));
            next = head >> 8 & 0xfc;
        }
    }
    // Control words of capabilities at every offset: enabled, to a frame of messages.
    let kept = (0x40..0x100).step_by(4).filter(|at| {
        edu.function.write(*at, 0x0001_0000);
        edu.function.write(*at, MESSAGES[0]);
        edu.function.read(*at) & MESSAGES[0] == MESSAGES[0]
    });
    let kept = kept.count();
    let refused = MESSAGES
        .iter()
        .all(|at| trap::class_of(|| store(*at, 4, 60)) == Some(DATA) && trap::class_of(|| touch(*at, 4)) == Some(DATA));
    let held = shown == 0 && kept == 0 && refused && is_alive(edu);
    report.check("pci-messages", held, format_args!("{shown} shown, {kept} words kept, frames refused: {refused}"));
}
