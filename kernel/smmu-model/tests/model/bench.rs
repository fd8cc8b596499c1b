//! An SMMU brought up by hand, on any bus, without a driver: a stream table of 256 entries, linear or in two levels.

use std::cell::Cell;

use sluice_abi::PhysAddr;
use sluice_smmu::Bus;
use sluice_smmu::regs::{CMDQ_CONS, CR0, CR2, EVENTQ_INDEX, GERROR, QUEUE_BASE, STRTAB_BASE_CFG, offset};

use crate::encode::{SteFields, command};

pub(crate) const BASE: PhysAddr = PhysAddr(0x0905_0000);
const STRTAB: u64 = 0x4500_0000;
/// The second-level table, when there is one.
const ENTRIES: u64 = 0x4510_0000;
const CMDQ: u64 = 0x4600_0000;
const EVTQ: u64 = 0x4700_0000;
const STREAM_BITS: u32 = 8;
const QUEUE_BITS: u32 = 7;
/// Index and wrap bit.
const POINTER: u32 = (2 << QUEUE_BITS) - 1;

/// Levels of a stream table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Levels {
    One,
    Two,
}

pub(crate) struct Bench<'b, B: Bus> {
    pub(crate) bus: &'b B,
    producer: Cell<u32>,
}

impl<'b, B: Bus> Bench<'b, B> {
    /// Enables everything, with every stream in abort.
    pub(crate) fn start(bus: &'b B) -> Self {
        Self::start_with(bus, Levels::One)
    }

    pub(crate) fn start_with(bus: &'b B, levels: Levels) -> Self {
        let bench = Self { bus, producer: Cell::new(0) };
        let write = |register: u64, value: u32| bus.write32(BASE.offset(register), value);
        write(offset::CR2, CR2::RECINVSID.val(1).value + CR2::PTM.val(1).value);
        let format = match levels {
            Levels::One => STRTAB_BASE_CFG::FMT::Linear,
            Levels::Two => STRTAB_BASE_CFG::FMT::TwoLevel + STRTAB_BASE_CFG::SPLIT.val(STREAM_BITS),
        };
        write(offset::STRTAB_BASE_CFG, (STRTAB_BASE_CFG::LOG2SIZE.val(STREAM_BITS) + format).value);
        bench.store_words(STRTAB, &[ENTRIES | u64::from(STREAM_BITS + 1)]);
        for sid in 0..1 << STREAM_BITS {
            bench.store_entry(sid, &[1, 0, 0, 0, 0, 0, 0, 0]);
        }
        bus.write64(BASE.offset(offset::STRTAB_BASE), STRTAB);
        let queue = |at: u64| QUEUE_BASE::ADDR.val(at >> 5).value | u64::from(QUEUE_BITS);
        bus.write64(BASE.offset(offset::CMDQ_BASE), queue(CMDQ));
        bus.write64(BASE.offset(offset::EVENTQ_BASE), queue(EVTQ));
        write(offset::CMDQ_PROD, 0);
        write(offset::CMDQ_CONS, 0);
        write(offset::EVENTQ_PROD, 0);
        write(offset::EVENTQ_CONS, 0);
        write(offset::CR0, (CR0::CMDQEN.val(1) + CR0::EVENTQEN.val(1)).value);
        bench.run(&[command::CFGI_ALL, command::NSNH_ALL]);
        bench.enable(true);
        bench
    }

    /// Goes on with an SMMU that was started.
    pub(crate) fn resume(bus: &'b B) -> Self {
        let producer = bus.read32(BASE.offset(offset::CMDQ_PROD));
        Self { bus, producer: Cell::new(producer) }
    }

    pub(crate) fn enable(&self, smmu: bool) {
        let value = CR0::CMDQEN.val(1) + CR0::EVENTQEN.val(1) + CR0::SMMUEN.val(smmu.into());
        self.bus.write32(BASE.offset(offset::CR0), value.value);
    }

    pub(crate) fn store_words(&self, at: u64, words: &[u64]) {
        for (word, offset) in words.iter().zip((0..).step_by(8)) {
            self.bus.store(PhysAddr(at + offset), *word);
        }
    }

    /// Writes the words of an entry, and says nothing to the SMMU.
    pub(crate) fn store_entry(&self, sid: u32, words: &[u64; 8]) {
        let levels = STRTAB_BASE_CFG::FMT.read(self.bus.read32(BASE.offset(offset::STRTAB_BASE_CFG)));
        let first = if levels == 0 { STRTAB } else { ENTRIES };
        self.store_words(first + 64 * u64::from(sid), words);
    }

    pub(crate) fn configure(&self, sid: u32, entry: &SteFields) {
        self.store_entry(sid, &entry.words());
        self.run(&[command::ste(sid)]);
    }

    /// Queues commands and a SYNC behind them, and waits.
    pub(crate) fn run(&self, commands: &[[u64; 2]]) {
        assert_eq!(self.try_run(commands), None, "{commands:x?}");
    }

    /// The same; when a command is refused, its number and the error, and the queue goes on behind it.
    pub(crate) fn try_run(&self, commands: &[[u64; 2]]) -> Option<(usize, u32)> {
        let first = self.producer.get();
        for words in commands.iter().chain([&command::SYNC]) {
            let producer = self.producer.get();
            self.store_words(CMDQ + 16 * u64::from(producer & (POINTER >> 1)), words);
            self.producer.set((producer + 1) & POINTER);
        }
        let read = |register: u64| self.bus.read32(BASE.offset(register));
        self.bus.write32(BASE.offset(offset::CMDQ_PROD), self.producer.get());
        let errors = read(offset::GERROR);
        let mut refused = None;
        if GERROR::CMDQ.is_set(errors ^ read(offset::GERRORN)) {
            let consumer = read(offset::CMDQ_CONS);
            let number = (consumer & POINTER).wrapping_sub(first) & POINTER;
            refused = Some((number as usize, CMDQ_CONS::ERR.read(consumer)));
            self.store_words(CMDQ + 16 * u64::from(consumer & (POINTER >> 1)), &command::SYNC);
            self.bus.write32(BASE.offset(offset::GERRORN), errors);
        }
        assert_eq!(read(offset::CMDQ_CONS) & POINTER, self.producer.get(), "the queue runs");
        refused
    }

    /// The records since the last call.
    pub(crate) fn events(&self) -> Vec<[u64; 4]> {
        let producer = self.bus.read32(BASE.offset(offset::EVENTQ_PROD));
        let mut consumer = self.bus.read32(BASE.offset(offset::EVENTQ_CONS));
        let mut records = Vec::new();
        while consumer & POINTER != producer & POINTER {
            let at = EVTQ + 32 * u64::from(consumer & (POINTER >> 1));
            records.push(std::array::from_fn(|word| self.bus.load(PhysAddr(at + 8 * word as u64))));
            consumer = (consumer + 1) & POINTER;
        }
        let overflow = producer & EVENTQ_INDEX::OVERFLOW.val(1).value;
        self.bus.write32(BASE.offset(offset::EVENTQ_CONS), consumer & POINTER | overflow);
        records
    }
}
