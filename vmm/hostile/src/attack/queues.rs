//! The guest's stream table and queues, where it has no memory. Its VMM reads and writes these.

use crate::report::Report;
use crate::rogue::{ARRIVED, AT_ARRIVED, BEAT, Rogue, Told, UNMAPPED};
use crate::smmu::{COMMANDS, EXPECTED, TRANSLATE, command, read, register, write};
use sluice_bare::machine::{load, store, within};

/// CMDQ_CONS.ERR: a command could not be read (IHI 0070, 4.1.3).
const ABORT: u64 = 2;
/// GERROR: of the command queue, of a write of an event (6.3.19).
const COMMAND_ERROR: u64 = 1;
const EVENT_ABORT: u64 = 4;

pub(crate) fn all(report: &mut Report, rogue: &Rogue, told: &Told) {
    commands(report, rogue, told);
    events(report, rogue, told);
    entries(report, rogue, told);
    rogue.smmu.forget_events();
}

fn commands(report: &mut Report, rogue: &Rogue, told: &Told) {
    let [own, _] = rogue.smmu.queues();
    let stopped = told.targets().filter(|target| {
        write(register::CR0, 0);
        rogue.smmu.place_commands(target.at & !0xfff);
        write(register::CR0, COMMANDS);
        write(register::CMDQ_PROD, 2);
        let stopped = active() == COMMAND_ERROR && read(register::CMDQ_CONS) == ABORT << 24;
        write(register::CR0, 0);
        acknowledge();
        stopped
    });
    let (stopped, count) = (stopped.count(), told.targets().count());
    rogue.smmu.place_commands(own);
    rogue.smmu.enable(TRANSLATE);
    report.check("dma-commands-of-others", stopped == count, format_args!("{stopped} of {count} are not read"));
}

fn events(report: &mut Report, rogue: &Rogue, told: &Told) {
    let [_, own] = rogue.smmu.queues();
    let lost = told.targets().filter(|target| {
        write(register::CR0, 0);
        rogue.smmu.place_events(target.at & !0xfff);
        rogue.smmu.enable(TRANSLATE);
        rogue.edu.put(UNMAPPED, BEAT);
        let lost = within(EXPECTED, || active() == EVENT_ABORT);
        acknowledge();
        lost
    });
    let (lost, count) = (lost.count(), told.targets().count());
    write(register::CR0, 0);
    rogue.smmu.place_events(own);
    rogue.smmu.enable(TRANSLATE);
    report.check("dma-events-to-others", lost == count, format_args!("{lost} of {count} are not written"));
}

fn entries(report: &mut Report, rogue: &Rogue, told: &Told) {
    let aborted = told.targets().filter(|target| {
        write(register::CR0, 0);
        rogue.smmu.place_table(target.at & !0x3fff);
        let configured = rogue.smmu.enable(TRANSLATE) && rogue.smmu.issue(&[command::entry(rogue.stream())]);
        store(ARRIVED, 8, 0);
        rogue.edu.put(AT_ARRIVED << 12, BEAT);
        configured && load(ARRIVED, 8) == 0
    });
    let (aborted, count) = (aborted.count(), told.targets().count());
    write(register::CR0, 0);
    rogue.smmu.place_table(rogue.smmu.table());
    rogue.smmu.enable(TRANSLATE);
    report.check("dma-stream-table-of-others", aborted == count, format_args!("{aborted} of {count} are not read"));
}

/// Errors that are not acknowledged.
fn active() -> u64 {
    read(register::GERROR) ^ read(register::GERRORN)
}

fn acknowledge() {
    write(register::GERRORN, read(register::GERROR));
}
