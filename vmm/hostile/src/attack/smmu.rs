//! The virtual SMMU's registers and queues.

use sluice_hostile::place::{NOWHERE, RAM, RAM_BYTES};

use super::dma;
use crate::edu::Edu;
use crate::machine::{barrier, load, store};
use crate::report::Report;
use crate::smmu::{
    self, CFGI_STE, CMDQ_BASE, CMDQ_CONS, CMDQ_PROD, COMMANDS, CR0, ENABLE, EVENTQ_BASE, EVENTQ_CONS, EVENTQ_PROD,
    EVENTS, GBPA, GERROR, GERRORN, QUEUE, QUEUE_BITS, STRTAB_BASE, STRTAB_BASE_CFG, SYNC, TABLE,
};

/// Why the queue stops (IHI 0070, 4.1.3).
const ILLEGAL: u64 = 1;
const ABORT: u64 = 2;

pub(crate) fn all(report: &mut Report, edu: Edu) {
    smmu::restore();
    commands(report, edu);
    queue(report);
    events(report, edu);
    tables(report, edu);
    registers(report);
    smmu::restore();
}

fn commands(report: &mut Report, edu: Edu) {
    let (mut taken, mut illegal, mut other) = (0, 0, 0);
    for opcode in 0..256 {
        for words in [[opcode, 0], [opcode | !0xff, u64::MAX], [opcode | 1 << 10 | 0x7777 << 32, 0x1234_5000]] {
            match smmu::command(words) {
                None => taken += 1,
                Some(ILLEGAL) => illegal += 1,
                Some(_) => other += 1,
            }
        }
    }
    report.check(
        "smmu-opcodes",
        other == 0 && illegal > 600,
        format_args!("{taken} taken, {illegal} illegal, {other} other"),
    );
    // Of stage 2, of EL2 and EL3, of ATS and PRI, of stalls, with VMIDs and streams that are others'.
    let host = [0x20, 0x21, 0x22, 0x28, 0x2a, 0x18, 0x19, 0x40, 0x41, 0x44, 0x45, 0x50, 0x51, 0x58, 0x5a, 0x70];
    let refused = host.into_iter().filter(|opcode| smmu::command([opcode | 5 << 32, 0]) == Some(ILLEGAL));
    let refused = refused.count();
    report.check("smmu-commands-of-the-host", refused == host.len(), format_args!("{refused} of {}", host.len()));
    let streams = (0..64).map(|bit| 1 << bit).chain([0, u64::MAX, 0x18, 0x40]);
    let mut ignored = 0;
    for stream in streams {
        for vmid in [0u64, 1, 2, 0xffff] {
            let asid = stream & 0xffff;
            ignored += u64::from(smmu::command([CFGI_STE | stream << 32, 1]).is_none());
            ignored += u64::from(smmu::command([0x05 | stream << 32 | (vmid & 0xfffff) << 12, 1]).is_none());
            ignored += u64::from(smmu::command([0x11 | vmid << 32 | asid << 48, 0]).is_none());
            ignored += u64::from(smmu::command([0x12 | vmid << 32 | asid << 48, 0x4000_0001]).is_none());
        }
    }
    smmu::map(|index| index);
    smmu::describe(TABLE);
    smmu::set(edu.function.stream(), smmu::stage1(smmu::DESCRIPTOR));
    report.check(
        "smmu-numbers-of-others",
        dma::moves(edu) && ignored == 68 * 16,
        format_args!("{ignored} without effect"),
    );
}

fn queue(report: &mut Report) {
    let mut stopped = 0;
    for base in NOWHERE.into_iter().chain([!0x1f, RAM + RAM_BYTES - 0x800]) {
        store(CR0, 4, 0);
        store(CMDQ_BASE, 8, base & !0x1f | QUEUE_BITS);
        store(CMDQ_PROD, 4, 255);
        store(CMDQ_CONS, 4, 0);
        store(CR0, 4, COMMANDS);
        stopped += u64::from(smmu::error() == Some(ABORT));
        store(CR0, 4, 0);
        smmu::acknowledge();
    }
    smmu::restore();
    // The last is the guest's memory, of which anything may be a command.
    report.check("smmu-queue-outside", stopped >= 8, format_args!("{stopped} of 10 stop the queue"));
    let mut answers = 0;
    for (prod, cons) in
        [(0xf_ffff, 0), (0, 0xf_ffff), (0x1ff, 0xff), (0x101, 0), (0x8000_0000, 1), (0xffff_ffff, 0x7f00_0000)]
    {
        store(CR0, 4, 0);
        store(CMDQ_PROD, 4, prod);
        store(CMDQ_CONS, 4, cons);
        store(CR0, 4, COMMANDS);
        answers += 1;
        smmu::acknowledge();
    }
    smmu::restore();
    let works = smmu::command(SYNC).is_none();
    report.check("smmu-queue-indices", works, format_args!("{answers} pairs, and the queue works"));
    // Always full, for as long as the guest likes; sizes from one entry to more than there can be.
    for bits in 0..32 {
        store(CR0, 4, 0);
        store(CMDQ_BASE, 8, QUEUE | bits);
        store(CMDQ_PROD, 4, 0);
        store(CMDQ_CONS, 4, 0);
        (0..256)
            .for_each(|slot| store(QUEUE + 16 * slot, 8, [SYNC[0] | 1 << 12, 0x30, CFGI_STE, 0x04][slot as usize % 4]));
        barrier();
        store(CR0, 4, COMMANDS | ENABLE);
        (0..40).for_each(|round| store(CMDQ_PROD, 4, load(CMDQ_CONS, 4) + 1 + 37 * round));
        smmu::acknowledge();
    }
    smmu::restore();
    let works = smmu::command(SYNC).is_none();
    report.check("smmu-queue-endless", works, format_args!("32 sizes, 40 times each"));
    store(CR0, 4, ENABLE);
    let cons = load(CMDQ_CONS, 4);
    store(CMDQ_PROD, 4, cons + 5);
    let still = load(CMDQ_CONS, 4) == cons;
    smmu::restore();
    report.check("smmu-commands-while-disabled", still, format_args!("nothing is read"));
}

fn events(report: &mut Report, edu: Edu) {
    let stream = edu.function.stream();
    let mut told = 0;
    for base in NOWHERE.into_iter().chain([!0x1f]) {
        store(CR0, 4, COMMANDS);
        store(EVENTQ_BASE, 8, base & !0x1f | 7);
        store(EVENTQ_PROD, 4, 0x55);
        store(EVENTQ_CONS, 4, 0x8000_0054);
        store(CR0, 4, COMMANDS | EVENTS | ENABLE);
        // An illegal entry is told of, or would be.
        smmu::set(stream, [0b111 << 1 | 1, 0, 0, 0, 0, 0, 0, 0]);
        told += u64::from((load(GERROR, 4) ^ load(GERRORN, 4)) & 1 << 2 != 0);
        smmu::acknowledge();
        smmu::set(stream, [0; 8]);
    }
    smmu::restore();
    report.check("smmu-events-outside", told == 9, format_args!("{told} of 9 are errors of the queue"));
}

fn tables(report: &mut Report, edu: Edu) {
    let stream = edu.function.stream();
    let mut moved = 0;
    for base in NOWHERE.into_iter().chain([u64::MAX]) {
        for config in [0, 8, 32, 63, 1 << 16 | 6 << 6 | 16, 1 << 16 | 10 << 6 | 63, 3 << 16 | 31 << 6 | 63] {
            store(CR0, 4, COMMANDS);
            store(STRTAB_BASE, 8, base);
            store(STRTAB_BASE_CFG, 4, config);
            store(CR0, 4, COMMANDS | EVENTS | ENABLE);
            smmu::command([0x04, 31]);
            moved += u64::from(load(STRTAB_BASE_CFG, 4) & 0xffff_ffff == 0xffff_ffff);
        }
    }
    // Two levels: spans of every size, second levels that are not in memory.
    store(CR0, 4, COMMANDS);
    store(STRTAB_BASE, 8, smmu::STREAMS);
    store(STRTAB_BASE_CFG, 4, 1 << 16 | 6 << 6 | 16);
    for span in 0..32 {
        for second in [smmu::STREAMS, 0, 0x6000_0000, 0xff_ffff_ffff_ffc0] {
            store(smmu::STREAMS, 8, second | span);
            barrier();
            store(CR0, 4, COMMANDS | EVENTS | ENABLE);
            smmu::command([CFGI_STE | stream << 32, 1]);
            smmu::command(SYNC);
            store(CR0, 4, COMMANDS);
        }
    }
    store(CR0, 4, COMMANDS | ENABLE);
    let dead = !dma::moves(edu);
    smmu::restore();
    report.check("smmu-stream-tables", moved == 0 && dead, format_args!("63 places and sizes, 128 spans"));
}

fn registers(report: &mut Report) {
    let identity = |at: u64| load(sluice_hostile::place::SMMU + at, 4);
    let before = [0x00, 0x04, 0x0c, 0x14, 0x1c].map(identity);
    (0..0x20).step_by(4).for_each(|at| store(sluice_hostile::place::SMMU + at, 4, u64::MAX));
    let kept = before == [0x00, 0x04, 0x0c, 0x14, 0x1c].map(identity);
    let (table, queue) = (load(STRTAB_BASE, 8), load(CMDQ_BASE, 8));
    store(STRTAB_BASE, 8, 0x6000_0000);
    store(CMDQ_BASE, 8, 0x6000_0000);
    store(GERROR, 4, u64::MAX);
    let in_place = table == load(STRTAB_BASE, 8) && queue == load(CMDQ_BASE, 8) && smmu::error().is_none();
    report.check("smmu-registers-kept", kept && in_place, format_args!("identification, and what is in use"));
    for round in 0..500 {
        store(CR0, 4, [ENABLE, COMMANDS, EVENTS, 0xffff_ffff, 0][round % 5]);
        store(GBPA, 4, [1 << 31, 1 << 31 | 1 << 20][round % 2]);
    }
    smmu::restore();
    report.check("smmu-toggles", smmu::command(SYNC).is_none(), format_args!("500 times on and off"));
}
