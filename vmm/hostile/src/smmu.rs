//! A driver of the virtual SMMU that can be told to do it wrong (IHI 0070).

use sluice_hostile::place::{FREE, SMMU};

use crate::machine::{barrier, load, store};

/// Registers (6.2).
pub(crate) const CR0: u64 = SMMU + 0x20;
pub(crate) const GBPA: u64 = SMMU + 0x44;
pub(crate) const GERROR: u64 = SMMU + 0x60;
pub(crate) const GERRORN: u64 = SMMU + 0x64;
pub(crate) const STRTAB_BASE: u64 = SMMU + 0x80;
pub(crate) const STRTAB_BASE_CFG: u64 = SMMU + 0x88;
pub(crate) const CMDQ_BASE: u64 = SMMU + 0x90;
pub(crate) const CMDQ_PROD: u64 = SMMU + 0x98;
pub(crate) const CMDQ_CONS: u64 = SMMU + 0x9c;
pub(crate) const EVENTQ_BASE: u64 = SMMU + 0xa0;
pub(crate) const EVENTQ_PROD: u64 = SMMU + 0x1_00a8;
pub(crate) const EVENTQ_CONS: u64 = SMMU + 0x1_00ac;

/// CR0: streams are translated, events written, commands read.
pub(crate) const ENABLE: u64 = 1;
pub(crate) const EVENTS: u64 = 1 << 2;
pub(crate) const COMMANDS: u64 = 1 << 3;

/// Where its structures are.
pub(crate) const STREAMS: u64 = FREE + 0x1_0000;
pub(crate) const QUEUE: u64 = FREE + 0x2_0000;
pub(crate) const RECORDS: u64 = FREE + 0x3_0000;
pub(crate) const DESCRIPTOR: u64 = FREE + 0x4_0000;
pub(crate) const TABLE: u64 = FREE + 0x5_0000;
/// log2 of the streams, commands and records.
pub(crate) const STREAM_BITS: u64 = 8;
pub(crate) const QUEUE_BITS: u64 = 8;
pub(crate) const RECORD_BITS: u64 = 7;

/// Opcodes (4.1.1).
pub(crate) const CFGI_STE: u64 = 0x03;
const CFGI_ALL: [u64; 2] = [0x04, 31];
pub(crate) const SYNC: [u64; 2] = [0x46, 0];
const TLBI_ALL: [u64; 2] = [0x30, 0];

/// Config fields of an entry (5.2).
pub(crate) const BYPASS: u64 = 0b100 << 1 | 1;
pub(crate) const STAGE1: u64 = 0b101 << 1 | 1;

/// A record: its kind and its stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Event {
    pub(crate) kind: u64,
    pub(crate) stream: u64,
}

/// Puts everything where it belongs, with every stream invalid, and switches on.
pub(crate) fn restore() {
    store(CR0, 4, 0);
    store(GERRORN, 4, load(GERROR, 4));
    (0..(64 << STREAM_BITS)).step_by(8).for_each(|at| store(STREAMS + at, 8, 0));
    store(STRTAB_BASE, 8, STREAMS);
    store(STRTAB_BASE_CFG, 4, STREAM_BITS);
    store(CMDQ_BASE, 8, QUEUE | QUEUE_BITS);
    store(CMDQ_PROD, 4, 0);
    store(CMDQ_CONS, 4, 0);
    store(EVENTQ_BASE, 8, RECORDS | RECORD_BITS);
    store(EVENTQ_PROD, 4, 0);
    store(EVENTQ_CONS, 4, 0);
    store(CR0, 4, EVENTS | COMMANDS);
    command(CFGI_ALL);
    command(TLBI_ALL);
    command(SYNC);
    store(CR0, 4, ENABLE | EVENTS | COMMANDS);
}

/// Issues a command; CMDQ_CONS.ERR when the queue stopped at it, which it does not stay.
pub(crate) fn command(words: [u64; 2]) -> Option<u64> {
    let at = load(CMDQ_PROD, 4);
    let slot = QUEUE + 16 * (at & ((1 << QUEUE_BITS) - 1));
    store(slot, 8, words[0]);
    store(slot + 8, 8, words[1]);
    barrier();
    store(CMDQ_PROD, 4, (at + 1) & ((2 << QUEUE_BITS) - 1));
    let error = error();
    if error.is_some() {
        // The command is replaced by one that is none (4.1.3), and the queue goes on.
        store(slot, 8, SYNC[0]);
        store(slot + 8, 8, 0);
        barrier();
        acknowledge();
    }
    error
}

/// Why the command queue stands, if it does.
pub(crate) fn error() -> Option<u64> {
    let active = (load(GERROR, 4) ^ load(GERRORN, 4)) & 1 != 0;
    active.then(|| load(CMDQ_CONS, 4) >> 24 & 0x7f)
}

/// All errors are known.
pub(crate) fn acknowledge() {
    store(GERRORN, 4, load(GERROR, 4));
}

/// Gives a stream an entry.
pub(crate) fn set(stream: u64, words: [u64; 8]) {
    for (at, word) in (0..).step_by(8).zip(words) {
        store(STREAMS + 64 * stream + at, 8, word);
    }
    barrier();
    command([CFGI_STE | stream << 32, 1]);
    command(SYNC);
}

/// An entry whose context descriptor is at `pointer`; its fetches are cacheable.
pub(crate) const fn stage1(pointer: u64) -> [u64; 8] {
    [STAGE1 | pointer, 1 << 2 | 1 << 4 | 3 << 6, 0, 0, 0, 0, 0, 0]
}

/// Writes the context descriptor: 39 bits from the table at `table`, 4 KiB, 44 bits out, faults abort and are told (5.4).
pub(crate) fn describe(table: u64) {
    let word = 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 30 | 1 << 31 | 4 << 32;
    store(DESCRIPTOR, 8, word | 1 << 41 | 1 << 45 | 1 << 46 | 1 << 47 | 1 << 48);
    store(DESCRIPTOR + 8, 8, table);
    store(DESCRIPTOR + 16, 8, 0);
    store(DESCRIPTOR + 24, 8, 0xff);
    (32..64).step_by(8).for_each(|at| store(DESCRIPTOR + at, 8, 0));
    barrier();
}

/// Writes a table that leads each GiB where `to` says, for reading and writing by anybody.
pub(crate) fn map(to: impl Fn(u64) -> u64) {
    for index in 0..512 {
        store(TABLE + 8 * index, 8, crate::mmu::block(to(index) << 30) | 1 << 6);
    }
    barrier();
    command(TLBI_ALL);
    command(SYNC);
}

/// Takes the next record.
pub(crate) fn event() -> Option<Event> {
    let (prod, cons) = (load(EVENTQ_PROD, 4), load(EVENTQ_CONS, 4));
    let mask = (2 << RECORD_BITS) - 1;
    if (prod ^ cons) & mask == 0 {
        return None;
    }
    let word = load(RECORDS + 32 * (cons & (mask >> 1)), 8);
    store(EVENTQ_CONS, 4, (cons + 1) & mask | prod & 1 << 31);
    Some(Event { kind: word & 0xff, stream: word >> 32 })
}

/// Takes all records; the last, and how many there were.
pub(crate) fn events() -> (u64, Option<Event>) {
    let (mut count, mut last) = (0, None);
    while let Some(event) = event() {
        (count, last) = (count + 1, Some(event));
    }
    (count, last)
}
