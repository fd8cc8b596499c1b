//! Descriptors, tables and entries that change while the device is under way with what they lead to.
//!
//! The device begins some 100 ms after it is told to, and the guest changes things all the while, and goes on until it has ended.
//! What it carries may arrive in either of the guest's pages, or nowhere; it may not arrive at others, who look.

use crate::report::Report;
use crate::rogue::{
    AT_ARRIVED, AT_HELD, AT_OTHER, AT_TARGETS, BEAT, MARK, OTHER, Rogue, SECOND_TABLES, Target, Told, is_nothing,
    map_own, turn_off,
};
use crate::smmu::{Entry, GBPA_ABORT, GBPA_UPDATE, TRANSLATE, command, read, register, write};
use crate::stage1::{Stage1, page, table};
use sluice_bare::machine::{load, store};

pub(crate) fn all(report: &mut Report, rogue: &Rogue, told: &Told) {
    let second = Stage1::new(SECOND_TABLES);
    map_own(second, 0);
    // Which the other has where this one has a page of the guest's.
    second.page(AT_OTHER[0], OTHER[1]);
    let stream = rogue.stream();
    flights(report, rogue, told, ["live-page", "live-page-control"], |target, turn| {
        // Nobody is told.
        let entries = [page(target.at), page(OTHER[1]), 0, page(OTHER[0])];
        rogue.stage1.entry(3, AT_OTHER[0], entries[turn % 4]);
    });
    flights(report, rogue, told, ["live-table", "live-table-control"], |target, turn| {
        let entries = [table(target.at), table(second.level(3)), 0, table(rogue.stage1.level(3))];
        rogue.stage1.entry(2, 0, entries[turn % 4]);
        if turn % 16 == 0 {
            rogue.smmu.issue(&[command::TLBI_ALL]);
        }
    });
    flights(report, rogue, told, ["live-descriptor", "live-descriptor-control"], |target, turn| {
        let roots = [target.at & !0xfff, second.level(1), rogue.stage1.level(1)];
        rogue.stage1.root(roots[turn % 3]);
        if turn % 8 == 0 {
            rogue.smmu.issue(&[command::descriptor(stream)]);
        }
    });
    flights(report, rogue, told, ["live-entry", "live-entry-control"], |target, turn| {
        let own = Entry::Stage1(rogue.stage1.descriptor());
        let entries =
            [Entry::Bypass, own, Entry::Stage1(target.at & !0x3f), Entry::Abort, Entry::Stage1(SECOND_TABLES)];
        let entry = entries[turn % 5];
        rogue.smmu.set(stream, entry);
        // Every other is not told of.
        if turn % 2 != 0 {
            rogue.smmu.issue(&[command::entry(stream)]);
        }
    });
    flights(report, rogue, told, ["live-smmu", "live-smmu-control"], |_, turn| match turn % 4 {
        0 => write(register::CR0, 0),
        1 => write(register::GBPA, GBPA_UPDATE | GBPA_ABORT),
        2 => write(register::GBPA, GBPA_UPDATE),
        _ => {
            rogue.smmu.enable(TRANSLATE);
        }
    });
    own_tables(report, rogue, told);
}

/// For every target a transfer while `change` is made over and over: for every other to one of the guest's pages, and else to the
/// target's own address.
fn flights(
    report: &mut Report,
    rogue: &Rogue,
    told: &Told,
    [name, control]: [&str; 2],
    change: impl Fn(Target, usize),
) {
    let (mut arrived, mut astray, mut changes) = (0, 0, 0);
    for (target, number) in told.targets().zip(0..) {
        OTHER.iter().for_each(|at| store(*at, 8, 0));
        rogue.edu.fetch(AT_HELD << 12, BEAT);
        rogue.edu.begin_put(if number % 2 == 0 { AT_OTHER[0] << 12 } else { target.at }, BEAT);
        let mut turn = 0;
        while !rogue.edu.is_idle() {
            change(target, turn);
            turn += 1;
        }
        changes += turn;
        let words = OTHER.map(|at| load(at, 8));
        arrived += words.iter().filter(|word| **word == MARK).count();
        astray += words.iter().filter(|word| !is_nothing(**word)).count();
        turn_off();
        write(register::GERRORN, read(register::GERROR));
        rogue.smmu.enable(TRANSLATE);
        rogue.honest();
        rogue.smmu.forget_events();
    }
    // What the device has is its mark, or nothing where reading that was the last thing to fail.
    let held = astray == 0 && changes > 0;
    report.check(
        name,
        held,
        format_args!("{changes} changes under way, {arrived} words arrived, {astray} that are no mark"),
    );
    rogue.control(report, control);
}

/// The device writes the tables that translate for it.
fn own_tables(report: &mut Report, rogue: &Rogue, told: &Told) {
    let number = AT_TARGETS + 1;
    let mut brought = 0;
    let mut written = 0;
    for target in told.targets() {
        rogue.stage1.page(AT_TARGETS, rogue.stage1.level(3));
        rogue.forget();
        store(OTHER[0], 8, page(target.at));
        rogue.edu.fetch(AT_OTHER[0] << 12, BEAT);
        rogue.edu.put((AT_TARGETS << 12) + 8 * number, BEAT);
        written += usize::from(load(rogue.stage1.level(3) + 8 * number, 8) == page(target.at));
        let came = rogue.attack(number << 12, AT_HELD << 12, AT_ARRIVED << 12);
        brought += usize::from(!is_nothing(came) && came != page(target.at));
        rogue.honest();
    }
    let all = told.targets().count();
    let held = brought == 0 && written == all;
    report.check(
        "live-tables-by-dma",
        held,
        format_args!("{written} of {all} entries written, {brought} words of others came"),
    );
}
