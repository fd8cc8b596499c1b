//! A device of the guest's, aimed at memory of others: untranslated, by pages and blocks of the guest's own stage 1, by tables and
//! descriptors that are themselves others' memory, and by a stage 1 in addresses of the machine, as if no other were below it.

use sluice_hostile::place::{RAM, SMMU, WINDOW};

use crate::edu::Edu;
use crate::report::Report;
use crate::rogue::{
    self, ARRIVED, AT_ARRIVED, AT_HELD, AT_TARGETS, BEAT, Rogue, SECOND_TABLES, Target, Told, UNMAPPED, is_event,
    is_foreign, is_nothing,
};
use crate::smmu::{EXPECTED, Entry, TRANSLATE, event};
use crate::stage1::{Stage1, table};
use sluice_bare::Given;
use sluice_bare::machine::{load, store};

/// All of them; nothing but the first where there is no device.
pub(crate) fn all(report: &mut Report, given: Given) {
    let told = Told::read(given);
    let Some(edu) = Edu::open(WINDOW) else { return report.check("dma-device", false, format_args!("there is none")) };
    let foreign = told.targets().filter(|target| is_foreign(target.at)).count();
    let named = told.targets().count();
    report.check("dma-device", named > 0 && foreign == named, format_args!("{foreign} of {named} targets are others'"));
    // Without an SMMU: guest-physical addresses.
    rogue::turn_off();
    rogue::both_ways(edu, report, "dma-untranslated-control", rogue::HELD, ARRIVED);
    let rogue = Rogue::translated(edu);
    untranslated(report, &rogue, &told);
    rogue.control(report, "dma-control");
    by_pages(report, &rogue, &told);
    by_blocks(report, &rogue, &told);
    own_registers(report, &rogue);
    by_tables(report, &rogue, &told);
    both_stages(report, &rogue);
    machine_addresses(report, &rogue, &told);
    super::queues::all(report, &rogue, &told);
    super::live::all(report, &rogue, &told);
    super::both::all(report, &rogue, &told);
    rogue.control(report, "dma-goes-on");
    rogue::turn_off();
}

/// With the SMMU off, and with an entry that says bypass.
fn untranslated(report: &mut Report, rogue: &Rogue, told: &Told) {
    let mut brought = 0;
    for on in [false, true] {
        if on {
            rogue.smmu.configure(rogue.stream(), Entry::Bypass);
        } else {
            rogue::turn_off();
        }
        brought += told.targets().filter(|target| !is_nothing(rogue.attack(target.at, rogue::HELD, ARRIVED))).count();
        rogue.smmu.enable(TRANSLATE);
    }
    rogue.honest();
    report.check("dma-untranslated", brought == 0, format_args!("{brought} words of others came"));
}

/// A page of stage 1 for each target. What is below is nobody's affair but the VMM's: the guest reads of no event.
fn by_pages(report: &mut Report, rogue: &Rogue, told: &Told) {
    // What stage 1 itself stops, the guest does read of.
    rogue.smmu.forget_events();
    rogue.edu.put(UNMAPPED, BEAT);
    let event = rogue.smmu.event(EXPECTED);
    let own = is_event(event, event::TRANSLATION, rogue.stream()) && event.is_some_and(|words| words[2] == UNMAPPED);
    report.check("dma-own-event", own, format_args!("{event:x?}"));
    rogue.smmu.forget_events();
    for (target, number) in told.targets().zip(AT_TARGETS..) {
        rogue.stage1.page(number, target.at);
        rogue.forget();
        let at = number << 12 | target.at & 0xfff;
        let brought = rogue.attack(at, AT_HELD << 12, AT_ARRIVED << 12);
        let name = format_args!("dma-{}-not-read", target.name);
        report.check(name, is_nothing(brought), format_args!("the device has {brought:#x} of {:#x}", target.at));
    }
    let events = rogue.smmu.forget_events();
    report.check("dma-no-event", events == 0, format_args!("{events} events of what is below stage 1"));
}

/// Identity of the whole machine, by blocks of 1 GiB.
fn by_blocks(report: &mut Report, rogue: &Rogue, told: &Told) {
    let beyond = |target: &Target| target.at >= crate::stage1::IDENTITY;
    let attack = |target: Target| rogue.attack(target.at, AT_HELD << 12, AT_ARRIVED << 12);
    let brought = told.targets().filter(beyond).filter(|target| !is_nothing(attack(*target))).count();
    report.check("dma-identity-blocks", brought == 0, format_args!("{brought} words of others came"));
}

/// The registers of the guest's SMMU are a page that it reads: the device reads it too, and writes nothing.
fn own_registers(report: &mut Report, rogue: &Rogue) {
    let before = load(SMMU, 8);
    rogue.stage1.page(AT_TARGETS, SMMU);
    rogue.forget();
    rogue.attack(AT_TARGETS << 12, AT_HELD << 12, AT_ARRIVED << 12);
    let after = load(SMMU, 8);
    rogue.smmu.forget_events();
    report.check("dma-own-smmu", before == after, format_args!("identification {before:#x}, then {after:#x}"));
}

/// Context descriptors, and tables of each level, in memory of others: the SMMU does not fetch them, and says so.
fn by_tables(report: &mut Report, rogue: &Rogue, told: &Told) {
    let stream = rogue.stream();
    // What the transfers leave: both are refused, and the guest reads why.
    let refused = |kind: u64| {
        rogue.smmu.forget_events();
        let ended = rogue.edu.fetch(AT_HELD << 12, BEAT);
        let read = is_event(rogue.smmu.event(EXPECTED), kind, stream);
        let ended = ended & rogue.edu.put(AT_ARRIVED << 12, BEAT);
        let written = is_event(rogue.smmu.event(EXPECTED), kind, stream);
        ended && read && written
    };
    let count = told.targets().count();
    let descriptors =
        told.targets().filter(|target| rogue.use_descriptor(target.at & !0x3f) && refused(event::CD_FETCH));
    let descriptors = descriptors.count();
    report.check(
        "dma-descriptor-of-others",
        descriptors == count,
        format_args!("{descriptors} of {count} are not fetched"),
    );
    rogue.honest();
    for (level, name) in [(1, "dma-root-of-others"), (2, "dma-table-of-others"), (3, "dma-last-table-of-others")] {
        let walked = told.targets().filter(|target| {
            match level {
                1 => rogue.stage1.root(target.at & !0xfff),
                _ => rogue.stage1.entry(level - 1, 0, table(target.at)),
            }
            rogue.forget() && refused(event::WALK_EABT)
        });
        let walked = walked.count();
        report.check(name, walked == count, format_args!("{walked} of {count} are not walked"));
        rogue.honest();
    }
}

/// A guest has no stage 2 to say anything about: the entry is illegal, and the stream aborts.
fn both_stages(report: &mut Report, rogue: &Rogue) {
    rogue.smmu.configure(rogue.stream(), Entry::Both(rogue.stage1.descriptor()));
    store(ARRIVED, 8, 0);
    rogue.edu.put(AT_ARRIVED << 12, BEAT);
    let arrived = load(ARRIVED, 8);
    rogue.honest();
    rogue.smmu.forget_events();
    report.check("dma-stage-2-of-its-own", arrived == 0, format_args!("{arrived:#x} arrived"));
}

/// The guest knows where its memory is in the machine, and writes descriptor and tables as if that were what they say. An SMMU that
/// translated by stage 1 alone would find all of it, and the device would have the whole machine.
fn machine_addresses(report: &mut Report, rogue: &Rogue, told: &Told) {
    let Some(ram) = told.ram else {
        return report.check("dma-machine-addresses", false, format_args!("the VMM does not say where the memory is"));
    };
    let offset = ram.wrapping_sub(RAM);
    let stage1 = Stage1::at(SECOND_TABLES, offset);
    rogue::map_own(stage1, offset);
    told.targets().zip(AT_TARGETS..).for_each(|(target, number)| stage1.page(number, target.at));
    // With its mark in the device's hands, whatever a stage 1 is good for.
    let bypass = || rogue.smmu.configure(rogue.stream(), Entry::Bypass);
    let mut configured = bypass();
    rogue.edu.fetch(rogue::HELD, BEAT);
    store(ARRIVED, 8, 0);
    let foreign = is_foreign(stage1.descriptor());
    configured &= rogue.use_descriptor(stage1.descriptor());
    rogue.smmu.forget_events();
    rogue.edu.put(AT_ARRIVED << 12, BEAT);
    let told_of = is_event(rogue.smmu.event(EXPECTED), event::CD_FETCH, rogue.stream());
    let mut arrived = u64::from(load(ARRIVED, 8) != 0);
    for (target, number) in told.targets().zip(AT_TARGETS..) {
        let at = number << 12 | target.at & 0xfff;
        rogue.edu.put(at + BEAT, BEAT);
        rogue.edu.fetch(at, BEAT);
        store(ARRIVED, 8, 0);
        rogue.edu.put(AT_ARRIVED << 12, BEAT);
        arrived += u64::from(load(ARRIVED, 8) != 0);
    }
    configured &= bypass();
    rogue.edu.put(ARRIVED, BEAT);
    let brought = load(ARRIVED, 8);
    rogue.honest();
    rogue.smmu.forget_events();
    let held = foreign && configured && told_of && arrived == 0 && is_nothing(brought);
    let detail = format_args!("memory at {ram:#x}: {arrived} words arrived, the device has {brought:#x}");
    report.check("dma-machine-addresses", held, detail);
}
