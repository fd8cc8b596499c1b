//! One configuration on the model and on QEMU's SMMU: what each access reaches, and what is recorded.

use std::collections::HashSet;

use sluice_abi::{Iova, PhysAddr};
use sluice_paging::TableMemory;
use sluice_smmu::regs::{EVT0, EVT1, STE0, config};
use sluice_smmu_model::{Identity, Model, Transaction};

use crate::bench::{BASE, Bench, Levels};
use crate::build::{Access, Built};
use crate::deviations::{roots, taken_nevertheless};
use crate::encode::command;
use crate::machine::{Qemu, RAM, SID};

/// Where the device leaves what it read.
const SCRATCH: u64 = 0x4b00_0000;

/// log2 of the largest block that configurations contain.
const LARGEST_BLOCK_BITS: u32 = 30;

/// What was seen of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    /// The memory that was read or written. What lies outside RAM cannot be seen.
    pub(crate) reached: Option<u64>,
    /// The record, without what the architecture leaves open.
    pub(crate) record: Option<[u64; 4]>,
}

/// Both SMMUs, in step.
pub(crate) struct Pair {
    pub(crate) qemu: Qemu,
    pub(crate) model: Model,
    /// Values that devices write, each used once.
    counter: std::cell::Cell<u32>,
}

/// How the two differ on an access.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    pub(crate) access: Access,
    pub(crate) expected: Seen,
    pub(crate) seen: Seen,
    /// What the largest block could cover was reached before, so that its translation may be cached.
    pub(crate) cached: bool,
    /// Stage 2 refuses a root of stage 1.
    pub(crate) roots_fault: bool,
}

/// An access on both.
pub(crate) struct Comparison {
    pub(crate) expected: Seen,
    pub(crate) difference: Option<Difference>,
}

/// A stream that nothing uses, to ask the model about stage 2 alone.
const PROBE: u32 = SID + 1;

impl Pair {
    pub(crate) fn start(qemu: Qemu, identity: Identity, levels: Levels) -> Self {
        let model = Model::new(BASE, identity);
        model.limit_memory(vec![RAM]);
        Bench::start_with(&qemu, levels);
        Bench::start_with(&model, levels);
        Self { qemu, model, counter: std::cell::Cell::new(1) }
    }

    pub(crate) fn store(&self, at: u64, word: u64) {
        self.qemu.store(PhysAddr(at), word);
        self.model.store(PhysAddr(at), word);
    }

    pub(crate) fn run(&self, commands: &[[u64; 2]]) {
        Bench::resume(&self.qemu).run(commands);
        Bench::resume(&self.model).run(commands);
    }

    pub(crate) fn store_entry(&self, words: &[u64; 8]) {
        Bench::resume(&self.qemu).store_entry(SID, words);
        Bench::resume(&self.model).store_entry(SID, words);
    }

    /// Puts a configuration in place with everything forgotten, makes its accesses, and takes it away again.
    pub(crate) fn compared(&self, built: &Built) -> Vec<Comparison> {
        built.words.iter().for_each(|(at, word)| self.store(*at, *word));
        self.store_entry(&built.entry);
        self.run(&[command::CFGI_ALL, command::NSNH_ALL]);
        let mut reached = HashSet::new();
        let mut comparisons = Vec::new();
        for access in &built.accesses {
            let (expected, seen) = self.compare(access);
            let block = access.address >> LARGEST_BLOCK_BITS;
            let difference = (expected != seen).then(|| Difference {
                access: *access,
                expected,
                seen,
                cached: reached.contains(&block),
                roots_fault: self.roots_fault(built),
            });
            comparisons.push(Comparison { expected, difference });
            reached.extend(seen.reached.map(|_| block));
        }
        built.words.keys().for_each(|at| self.store(*at, 0));
        comparisons
    }

    fn roots_fault(&self, built: &Built) -> bool {
        let bench = Bench::resume(&self.model);
        let mut entry = built.entry;
        entry[0] = STE0::V.val(1).value | STE0::CONFIG.val(config::STAGE2).value;
        bench.store_entry(PROBE, &entry);
        bench.run(&[command::ste(PROBE)]);
        let faults = roots(built).any(|root| self.model.access(PROBE, Iova(root), false).is_err());
        bench.events();
        faults
    }

    fn compare(&self, access: &Access) -> (Seen, Seen) {
        let result = self.model.transact(&transaction(access));
        let records = Bench::resume(&self.model).events();
        let expected = Seen {
            reached: result.ok().map(|at| at.0).filter(|at| RAM.contains(at)),
            record: records.first().map(meaning),
        };
        // What nothing is expected to reach, the frame that was meant stands for.
        let place = expected.reached.unwrap_or(access.target);
        (expected, self.touch_any(access, &[place]))
    }

    /// Runs a command, and says whether both take it; the error says that only one does.
    pub(crate) fn run_any(&self, words: [u64; 2]) -> Result<bool, String> {
        let qemu = Bench::resume(&self.qemu).try_run(&[words]);
        let model = Bench::resume(&self.model).try_run(&[words]);
        let known = qemu.is_none() && taken_nevertheless(words);
        let agree = qemu == model || known;
        if agree { Ok(qemu.is_none()) } else { Err(format!("QEMU says {qemu:?}, the model {model:?}")) }
    }

    /// One access on QEMU. It reached one of `places`, when the value that only it can have moved is found there.
    pub(crate) fn touch_any(&self, access: &Access, places: &[u64]) -> Seen {
        let value = self.counter.get();
        self.counter.set(value + 1 + places.len() as u32);
        let bench = Bench::resume(&self.qemu);
        let own = |number: usize| value + 1 + number as u32;
        if access.write {
            self.load_buffer(value);
        }
        places.iter().enumerate().for_each(|(number, at)| self.qemu.store32(*at, own(number)));
        let number = if access.write {
            self.qemu.device_writes(access.address);
            places.iter().position(|at| self.qemu.load32(*at) == value)
        } else {
            self.qemu.device_reads(access.address);
            let found = self.unload_buffer();
            (0..places.len()).find(|number| own(*number) == found)
        };
        let records = bench.events();
        Seen { reached: number.map(|number| places[number]), record: records.first().map(meaning) }
    }

    /// Puts a value into the device's buffer without translation.
    fn load_buffer(&self, value: u32) {
        let bench = Bench::resume(&self.qemu);
        self.qemu.store32(SCRATCH, value);
        bench.enable(false);
        self.qemu.device_reads(SCRATCH);
        bench.enable(true);
    }

    /// Takes the value out of it.
    fn unload_buffer(&self) -> u32 {
        let bench = Bench::resume(&self.qemu);
        bench.enable(false);
        self.qemu.device_writes(SCRATCH);
        bench.enable(true);
        self.qemu.load32(SCRATCH)
    }
}

/// QEMU takes transactions for unprivileged in its records and for privileged in its checks: AP[1] means nothing to it.
fn transaction(access: &Access) -> Transaction {
    Transaction { privileged: true, ..Transaction::new(SID, Iova(access.address), access.write) }
}

/// A record without its UNKNOWN and IMPLEMENTATION DEFINED parts (7.3): what the driver's decoder takes from it.
pub(crate) fn meaning(words: &[u64; 4]) -> [u64; 4] {
    let event = sluice_smmu::Event::decode(*words);
    let translated = event.class.is_some();
    let attributes = EVT1::RNW.val(1) + EVT1::IND.val(1) + EVT1::S2.val(1) + EVT1::CLASS.val(3);
    let substream = EVT0::SSV.val(1) + EVT0::SSID.val(0xf_ffff);
    let open = if event.ssid.is_some() { 0 } else { substream.value };
    [
        words[0] & !open & (EVT0::SID.val(u64::from(u32::MAX)) + EVT0::KIND.val(0xff) + substream).value,
        if translated { words[1] & attributes.value } else { 0 },
        event.iova.0,
        event.ipa.unwrap_or(0),
    ]
}
