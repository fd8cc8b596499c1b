//! The physical SMMU below the virtual one, driven by the kernel's driver as the kernel drives it.

use std::collections::{BTreeMap, HashMap};

use fastrand::Rng;
use sluice_abi::{FrameSize, PhysAddr};
use sluice_paging::{Access, Format, Leaf, MemoryType, TableMemory};
use sluice_smmu::{Features, Memory, Smmu, Stage1Command, Ste, check_cd_table, memory_needed};
use sluice_smmu_model::{Identity, Model};
use sluice_vmm::layout::RAM_BASE;
use sluice_vmm::memory::{GuestMemory, GuestPhysAddr, OutsideRam};
use sluice_vmm::smmu::{Backend, Interrupt, Stage1};

use crate::step::STREAMS;

/// Bytes of the guest's memory: one block of stage 2.
pub(crate) const RAM_BYTES: u64 = 0x20_0000;
/// Where it is in physical memory.
pub(crate) const RAM_AT: u64 = 0x8000_0000;
const REGISTERS: PhysAddr = PhysAddr(0x0905_0000);
/// Second-level stream table of the host.
const ENTRIES: PhysAddr = PhysAddr(0x5000_0000);
/// Stage 2, three tables one after the other.
const STAGE2: PhysAddr = PhysAddr(0x5100_0000);
/// Physical streams of the guest's, and the contexts they are bound to.
pub(crate) const SIDS: [u32; STREAMS] = [0x18, 0x30, 0x31];
const VMIDS: [u16; STREAMS] = [5, 6, 7];

pub(crate) struct World {
    pub(crate) model: Model,
    driver: Smmu,
    stage1: [Stage1; STREAMS],
    /// What the guest reads.
    pub(crate) frames: BTreeMap<u64, u32>,
    /// Between which SYNCs the guest's commands are, by stream (none: all) and words.
    pub(crate) groups: HashMap<(Option<usize>, [u64; 2]), usize>,
    /// Decides what the architecture leaves open.
    order: Rng,
}

/// Where a byte of the guest's memory is.
pub(crate) fn physical(at: u64) -> Option<PhysAddr> {
    let offset = at.wrapping_sub(RAM_BASE);
    (offset < RAM_BYTES).then(|| PhysAddr(RAM_AT + offset))
}

impl World {
    pub(crate) fn new(order: Rng) -> Self {
        let model = Model::new(REGISTERS, Identity::QEMU);
        let features = Features::read(&model, REGISTERS).expect("supported");
        let memory = Memory { strtab: PhysAddr(0x4000_0000), cmdq: PhysAddr(0x4800_0000), evtq: PhysAddr(0x4900_0000) };
        let driver = Smmu::new(REGISTERS, features, memory_needed(&features, 0xff), memory);
        driver.enable(&model).expect("enable");
        driver.install_stream_table(&model, 0, ENTRIES).expect("install");
        let table = |level: u64| STAGE2.offset(0x1000 * level);
        for (level, index) in [(0, RAM_BASE >> 39), (1, RAM_BASE >> 30)] {
            model.store(table(level).offset(8 * index), Format::STAGE2.encode_table(table(level + 1)));
        }
        let access = Access { read: true, write: true, execute: false };
        let block = Leaf { address: PhysAddr(RAM_AT), size: FrameSize::Large, access, memory: MemoryType::Normal };
        model.store(table(2).offset(8 * (RAM_BASE >> 21 & 0x1ff)), Format::STAGE2.encode_leaf(&block));
        Self { model, driver, stage1: [Stage1::Abort; STREAMS], frames: BTreeMap::new(), groups: HashMap::new(), order }
    }

    /// Everything that may be fetched now is.
    pub(crate) fn speculate(&self) {
        SIDS.iter().for_each(|sid| self.model.speculate(*sid));
    }

    fn point(&self, stream: usize, entry: &Ste) {
        let at = ENTRIES.offset(64 * u64::from(SIDS[stream]));
        self.driver.write_ste(&self.model, SIDS[stream], at, entry).expect("the entry is written");
        self.speculate();
    }
}

impl GuestMemory for World {
    fn read(&self, at: GuestPhysAddr, into: &mut [u8]) -> Result<(), OutsideRam> {
        for (word, bytes) in into.chunks_exact_mut(8).enumerate() {
            let at = physical(at.0 + 8 * word as u64).ok_or(OutsideRam)?;
            bytes.copy_from_slice(&self.model.load(at).to_le_bytes());
        }
        Ok(())
    }

    fn write(&mut self, at: GuestPhysAddr, from: &[u8]) -> Result<(), OutsideRam> {
        for (word, bytes) in from.chunks_exact(8).enumerate() {
            let at = physical(at.0 + 8 * word as u64).ok_or(OutsideRam)?;
            self.model.store(at, u64::from_le_bytes(bytes.try_into().expect("eight bytes")));
        }
        Ok(())
    }
}

impl Backend for World {
    /// As the kernel and the VMM do it: through abort, and with the context forgotten.
    fn set_stage1(&mut self, stream: usize, stage1: Stage1) {
        self.stage1[stream] = stage1;
        let features = *self.driver.features();
        self.point(stream, &Ste::abort());
        self.driver.invalidate_context(&self.model, VMIDS[stream]).expect("invalidate");
        match stage1 {
            Stage1::Abort => {}
            Stage1::Bypass => self.point(stream, &Ste::stage2(&features, VMIDS[stream], STAGE2)),
            Stage1::Table(table) => {
                assert_eq!(check_cd_table(&features, &table), Ok(()));
                self.point(stream, &Ste::nested(&features, VMIDS[stream], STAGE2, &table));
            }
        }
    }

    /// Commands of one call have no order: they complete one by one, and everything is fetched in between. Those
    /// between the same two SYNCs of the guest complete as it has them, which is how the reference has it too.
    fn invalidate(&mut self, stream: usize, commands: &[[u64; 2]]) {
        let Stage1::Table(table) = self.stage1[stream] else { panic!("stream {stream} has no table") };
        let group = |words: [u64; 2]| self.groups.get(&(Some(stream), words)).or(self.groups.get(&(None, words)));
        let mut parts: BTreeMap<usize, Vec<[u64; 2]>> = BTreeMap::new();
        for words in commands {
            parts.entry(*group(*words).expect("a command of the guest")).or_default().push(*words);
        }
        let mut parts: Vec<Vec<[u64; 2]>> = parts.into_values().collect();
        self.order.shuffle(&mut parts);
        let commands = parts.concat();
        for command in commands {
            let admitted = Stage1Command::admit(self.driver.features(), &table, command).expect("the kernel's check");
            let streams = [SIDS[stream]].into_iter();
            self.driver.queue_stage1(&self.model, admitted, VMIDS[stream], streams).expect("queue");
            self.driver.sync(&self.model).expect("sync");
            self.speculate();
        }
    }

    fn publish(&mut self, offset: u64, value: u32) {
        self.frames.insert(offset, value);
    }

    fn interrupt(&mut self, _interrupt: Interrupt) {}
}
