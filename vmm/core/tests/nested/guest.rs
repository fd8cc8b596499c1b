//! A guest with two SMMUs: its virtual one, and the one that it believes it has.

use fastrand::Rng;
use sluice_abi::{Iova, PhysAddr};
use sluice_paging::TableMemory;
use sluice_smmu::Bus;
use sluice_smmu_model::{Identity, Model, Transaction};
use sluice_vmm::layout::RAM_BASE;
use sluice_vmm::mmio::{Place, Width};
use sluice_vmm::smmu::{Features, Smmu};

use crate::queue::{after, names, put};
use crate::seen::Seen;
use crate::step::{Command, Kind, PAGES, Step, Words};
use crate::world::{RAM_BYTES, SIDS, World, physical};

/// Where the reference has its registers.
const REFERENCE: PhysAddr = PhysAddr(0x0a00_0000);
/// StreamIDs of the guest: the last in a second-level table of its own.
pub(crate) const STREAMS: [u32; 3] = [0x01, 0x02, 0x105];
pub(crate) const COMMANDS: u64 = RAM_BASE + 0x1000;
const EVENTS: u64 = RAM_BASE + 0x2000;
const FIRST: u64 = RAM_BASE + 0x4000;
const SECOND: [u64; 2] = [RAM_BASE + 0x8000, RAM_BASE + 0xc000];
const DESCRIPTORS: [u64; 3] = [RAM_BASE + 0x1_0000, RAM_BASE + 0x1_0040, RAM_BASE + 0x200_0000];
/// Tables of stage 1 from level 1 on, of three pages each.
const ROOTS: [u64; 2] = [RAM_BASE + 0x2_0000, RAM_BASE + 0x3_0000];
/// What pages lead to.
const FRAMES: [u64; 4] = [RAM_BASE + 0x4_0000, RAM_BASE + 0x4_1000, RAM_BASE + 0x4_2000, RAM_BASE + 0x300_0000];
/// First address that devices use, in the guest's memory for when nothing translates.
pub(crate) const IOVA: u64 = RAM_BASE + 0x5_0000;

mod at {
    pub(super) const CR0: u64 = 0x20;
    pub(super) const CR2: u64 = 0x2c;
    pub(super) const GBPA: u64 = 0x44;
    pub(super) const GERROR: u64 = 0x60;
    pub(super) const GERRORN: u64 = 0x64;
    pub(super) const STRTAB_BASE: u64 = 0x80;
    pub(super) const STRTAB_BASE_CFG: u64 = 0x88;
    pub(super) const CMDQ_BASE: u64 = 0x90;
    pub(super) const CMDQ_PROD: u64 = 0x98;
    pub(super) const CMDQ_CONS: u64 = 0x9c;
    pub(super) const EVENTQ_BASE: u64 = 0xa0;
    pub(super) const EVENTQ_PROD: u64 = 0x1_00a8;
    pub(super) const EVENTQ_CONS: u64 = 0x1_00ac;
}

pub(crate) struct Guest {
    smmu: Smmu,
    world: World,
    reference: Model,
    prod: u32,
    reference_prod: u32,
    /// Transactions, outcomes; of these: memory reached, told, silent, the owner's.
    pub(crate) tally: [u64; 6],
}

impl Guest {
    /// A guest whose driver has enabled everything, and gave each stream a descriptor.
    pub(crate) fn new(order: Rng) -> Self {
        let mut world = World::new(order);
        let features = Features { wide_asids: true, coherent: true, range_invalidation: true, ..Features::LEAST };
        let mut smmu = Smmu::new(features, &STREAMS).expect("streams");
        smmu.reset(&mut world);
        let read = |offset: u64| world.frames.get(&offset).copied().unwrap_or(0);
        let identity = Identity { idr0: read(0), idr1: read(4), idr3: read(0xc), idr5: read(0x14), aidr: read(0x1c) };
        let reference = Model::new(REFERENCE, identity);
        let ram = RAM_BASE..RAM_BASE + RAM_BYTES;
        reference.limit_memory([ram].into());
        let mut guest = Self { smmu, world, reference, prod: 0, reference_prod: 0, tally: [0; 6] };
        guest.write64(at::STRTAB_BASE, FIRST);
        guest.write(at::STRTAB_BASE_CFG, 0x1_0210);
        guest.write(at::CR2, 6);
        guest.write64(at::CMDQ_BASE, COMMANDS | 8);
        guest.write64(at::EVENTQ_BASE, EVENTS | 7);
        for (half, table) in SECOND.into_iter().enumerate() {
            guest.store(FIRST + 8 * half as u64, table | 9);
        }
        for root in ROOTS {
            guest.store(root + 8 * (IOVA >> 30), (root + 0x1000) | 3);
            guest.store(root + 0x1000 + 8 * (IOVA >> 21 & 0x1ff), (root + 0x2000) | 3);
        }
        guest.write(at::CR0, 0xd);
        for root in 0..ROOTS.len() {
            guest.descriptor(root, root as u64 + 1, root, true);
            for page in 0..PAGES {
                guest.page(root, page, Some((page + root) % FRAMES.len()), true, false);
            }
        }
        for stream in 0..STREAMS.len() {
            guest.perform(&Step::Attach { stream, descriptor: stream % ROOTS.len() });
        }
        guest
    }

    fn store(&mut self, at: u64, value: u64) {
        self.world.model.store(physical(at).expect("in RAM"), value);
        self.reference.store(PhysAddr(at), value);
        self.speculate();
    }

    fn speculate(&self) {
        self.world.speculate();
        for sid in STREAMS {
            self.reference.speculate(sid);
            // Entries and what leads to them are cached by those who use them.
            let _ = self.reference.access(sid, Iova(IOVA), false);
        }
    }

    fn write(&mut self, offset: u64, value: u32) {
        self.reference.write32(REFERENCE.offset(offset), value);
        self.smmu.write(Place { offset, width: Width::Word }, value.into(), &mut self.world);
        self.speculate();
    }

    fn write64(&mut self, offset: u64, value: u64) {
        self.reference.write64(REFERENCE.offset(offset), value);
        self.smmu.write(Place { offset, width: Width::Double }, value, &mut self.world);
        self.speculate();
    }

    fn read(&self, offset: u64) -> u32 {
        self.world.frames.get(&offset).copied().unwrap_or(0)
    }

    pub(crate) fn perform(&mut self, step: &Step) {
        match *step {
            Step::Entry { stream, kind, words, attributes } => self.entry(stream, kind, words, attributes),
            Step::Streams { half, linked } => {
                self.store(FIRST + 8 * half as u64, if linked { SECOND[half] | 9 } else { 0 });
                // The reference forgets by itself that there was no table.
                self.commands(if linked { &[Command::AllStreams] } else { &[] });
            }
            Step::Descriptor { descriptor, asid, root, valid } => self.descriptor(descriptor, asid, root, valid),
            Step::Page { root, page, to, write, global } => self.page(root, page, to, write, global),
            Step::Link { root, to } => {
                let table = match to {
                    None => 0,
                    Some(true) => (ROOTS[root] + 0x2000) | 3,
                    Some(false) => (RAM_BASE + 0x400_0000) | 3,
                };
                self.store(ROOTS[root] + 0x1000 + 8 * (IOVA >> 21 & 0x1ff), table);
            }
            Step::Commands(ref commands) => self.commands(commands),
            Step::Attach { stream, descriptor } => {
                self.entry(stream, Kind::Invalid, Words::First, true);
                self.commands(&[Command::Stream { stream, leaf: true }]);
                self.entry(stream, Kind::Stage1(descriptor), Words::Second, true);
                self.commands(&[Command::Stream { stream, leaf: true }]);
                self.entry(stream, Kind::Stage1(descriptor), Words::First, true);
                self.commands(&[Command::Stream { stream, leaf: true }]);
            }
            Step::Unmap { root, page, asid } => {
                self.page(root, page, None, false, false);
                self.commands(&[Command::Address { asid: Some(asid), page, leaf: true }]);
            }
            Step::Replace { stream, descriptor, asid, root } => {
                self.descriptor(descriptor, asid, root, true);
                let descriptor = Command::Descriptor { stream };
                self.commands(&[descriptor, Command::Sync, Command::Asid(asid), Command::Sync]);
            }
            Step::Unlink { root, page } => {
                self.store(ROOTS[root] + 0x1000 + 8 * (IOVA >> 21 & 0x1ff), 0);
                let forget = |page, leaf| Command::Address { asid: None, page, leaf };
                self.commands(&[forget(page, false), Command::Sync, forget((page + 1) % PAGES, true)]);
            }
            Step::Enable(enable) => {
                self.write(at::CR0, if enable { 0xd } else { 0xc });
            }
            Step::AbortWhileDisabled(abort) => self.write(at::GBPA, 1 << 31 | u32::from(abort) << 20),
        }
        // Records of bad entries are read at once.
        self.write(at::EVENTQ_CONS, self.read(at::EVENTQ_PROD));
    }

    fn entry(&mut self, stream: usize, kind: Kind, words: Words, attributes: bool) {
        let sid = u64::from(STREAMS[stream]);
        let at = SECOND[(sid >> 8) as usize] + 64 * (sid & 0xff);
        let word0 = match kind {
            Kind::Invalid => 0,
            Kind::Abort => 0b0001,
            Kind::Bypass => 0b1001,
            Kind::Stage1(descriptor) => DESCRIPTORS[descriptor] | 0b1011,
            Kind::Nested => DESCRIPTORS[0] | 0b1111,
            Kind::Beyond => 1 << 44 | 0b1011,
        };
        // S1CIR, S1COR, S1CSH, and S1DSS, which means nothing without substreams.
        let word1 = if attributes { 3 << 6 | 1 << 4 | 1 << 2 | 2 } else { 0 };
        if !matches!(words, Words::First) {
            self.store(at + 8, word1);
        }
        if !matches!(words, Words::Second) {
            self.store(at, word0);
        }
    }

    fn descriptor(&mut self, descriptor: usize, asid: u64, root: usize, valid: bool) {
        let at = DESCRIPTORS[descriptor];
        // T0SZ 25, EPD1, IPS 44 bits, AA64, R, A; MAIR for normal memory.
        let word0 = 25 | 1 << 30 | u64::from(valid) << 31 | 4 << 32 | 1 << 41 | 1 << 45 | 1 << 46 | asid << 48;
        self.store(at + 8, ROOTS[root]);
        self.store(at + 24, 0xff);
        self.store(at, word0);
    }

    fn page(&mut self, root: usize, page: usize, to: Option<usize>, write: bool, global: bool) {
        // A page of EL0, accessed; read-only, not global.
        let rights = 1 << 10 | 1 << 6 | u64::from(!write) << 7 | u64::from(!global) << 11;
        let word = to.map_or(0, |frame| FRAMES[frame] | rights | 3);
        self.store(ROOTS[root] + 0x2000 + 8 * (IOVA >> 12 & 0x1ff) + 8 * page as u64, word);
    }

    /// Commands with one write. The reference has a SYNC behind each, so that it too can fetch everything in between,
    /// which is what it may do.
    fn commands(&mut self, commands: &[Command]) {
        self.world.groups.clear();
        let mut group = 0;
        let (mut wrong, mut kept) = (Vec::new(), Vec::new());
        for command in commands {
            // Which of two equal commands a call is about could not be told.
            let names = names(*command);
            if names.iter().any(|name| self.world.groups.contains_key(name)) {
                continue;
            }
            self.world.groups.extend(names.into_iter().map(|name| (name, group)));
            if matches!(command, Command::Sync) {
                group += 1;
            } else if matches!(command, Command::Illegal) {
                wrong.push(self.prod);
            } else {
                kept.push(*command);
            }
            self.put(self.prod, *command);
            self.prod = after(self.prod);
        }
        self.smmu.write(Place { offset: at::CMDQ_PROD, width: Width::Word }, self.prod.into(), &mut self.world);
        for index in wrong {
            // As a driver recovers: a SYNC in place of what was illegal.
            assert_eq!(
                (self.read(at::CMDQ_CONS), self.read(at::GERROR) ^ self.read(at::GERRORN)),
                (1 << 24 | index, 1)
            );
            self.put(index, Command::Sync);
            let acknowledged = Place { offset: at::GERRORN, width: Width::Word };
            self.smmu.write(acknowledged, self.read(at::GERROR).into(), &mut self.world);
        }
        assert_eq!((self.read(at::CMDQ_CONS) & 0xff_ffff, self.read(at::GERROR)), (self.prod, self.read(at::GERRORN)));
        for command in kept {
            for command in [command, Command::Sync] {
                put(self.reference_prod, command, |at, value| self.reference.store(PhysAddr(at), value));
                self.reference_prod = after(self.reference_prod);
            }
            self.reference.write32(REFERENCE.offset(at::CMDQ_PROD), self.reference_prod);
            self.speculate();
        }
        assert_eq!(self.reference.read32(REFERENCE.offset(at::CMDQ_CONS)), self.reference_prod);
    }

    /// Puts a command into the queue of the virtual SMMU.
    fn put(&self, index: u32, command: Command) {
        put(index, command, |at, value| self.world.model.store(physical(at).expect("in RAM"), value));
    }

    /// Whether registers read the same.
    fn agree(&self) -> Result<(), String> {
        for offset in [at::CR0, at::CR0 + 4, at::GBPA] {
            let (ours, theirs) = (self.read(offset), self.reference.read32(REFERENCE.offset(offset)));
            if ours != theirs {
                return Err(format!("register {offset:#x} is {ours:#x}, not {theirs:#x}"));
            }
        }
        Ok(())
    }

    /// Whether all that the physical SMMU may do, the reference may do.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        self.agree()?;
        for stream in 0..STREAMS.len() {
            for access in 0..2 * PAGES as u64 {
                let address = Iova(IOVA + ((access / 2) << 12) + 0x128);
                let write = access % 2 == 1;
                let permitted = self.reference.permitted(&Transaction::new(STREAMS[stream], address, write));
                let possible = self.world.model.permitted(&Transaction::new(SIDS[stream], address, write));
                self.tally[0] += 1;
                if possible.is_empty() {
                    return Err(format!("stream {stream}: nothing becomes of {address:?}"));
                }
                for outcome in possible {
                    self.tally[1] += 1;
                    let seen = Seen::of(&self.smmu, stream, &outcome);
                    self.tally[2 + seen.kind()] += 1;
                    if !permitted.iter().any(|permitted| seen.is(permitted)) {
                        return Err(format!(
                            "stream {stream} {address:?} write {write}: {outcome:x?}, seen as {seen:x?}, is not of {permitted:x?}"
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}
