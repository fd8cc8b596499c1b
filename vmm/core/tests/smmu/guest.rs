//! A guest that pokes its SMMU.

use sluice_abi::Iova;
use sluice_abi::smmu::{CdTable, Record, StreamId};
use sluice_vmm::layout::RAM_BASE;
use sluice_vmm::mmio::{Place, Width};
use sluice_vmm::smmu::{Delivery, Features, Smmu, Stage1};

use crate::world::{Call, Machine};

/// Offsets of registers, after the document.
pub(crate) mod at {
    pub(crate) const IDR0: u64 = 0;
    pub(crate) const IDR1: u64 = 4;
    pub(crate) const IDR3: u64 = 0xc;
    pub(crate) const IDR5: u64 = 0x14;
    pub(crate) const IIDR: u64 = 0x18;
    pub(crate) const CR0: u64 = 0x20;
    pub(crate) const CR0ACK: u64 = 0x24;
    pub(crate) const CR1: u64 = 0x28;
    pub(crate) const CR2: u64 = 0x2c;
    pub(crate) const GBPA: u64 = 0x44;
    pub(crate) const IRQ_CTRL: u64 = 0x50;
    pub(crate) const IRQ_CTRLACK: u64 = 0x54;
    pub(crate) const GERROR: u64 = 0x60;
    pub(crate) const GERRORN: u64 = 0x64;
    pub(crate) const GERROR_IRQ_CFG0: u64 = 0x68;
    pub(crate) const STRTAB_BASE: u64 = 0x80;
    pub(crate) const STRTAB_BASE_CFG: u64 = 0x88;
    pub(crate) const CMDQ_BASE: u64 = 0x90;
    pub(crate) const CMDQ_PROD: u64 = 0x98;
    pub(crate) const CMDQ_CONS: u64 = 0x9c;
    pub(crate) const EVENTQ_BASE: u64 = 0xa0;
    pub(crate) const EVENTQ_IRQ_CFG0: u64 = 0xb0;
    pub(crate) const EVENTQ_PROD: u64 = 0x1_00a8;
    pub(crate) const EVENTQ_CONS: u64 = 0x1_00ac;
}

/// Bytes of the guest's memory, which ends within what could be a queue.
pub(crate) const RAM_BYTES: u64 = 0xf_ffc0;
/// An address behind the guest's memory.
pub(crate) const BEYOND: u64 = RAM_BASE + 0x10_0000;
/// Where the guest has its command queue, of 256 commands.
pub(crate) const COMMANDS: u64 = RAM_BASE + 0x1000;
/// Its event queue, of 128 records.
pub(crate) const EVENTS: u64 = RAM_BASE + 0x3000;
/// Its stream table, linear for 256 streams.
pub(crate) const STREAMS: u64 = RAM_BASE + 0x8000;
/// Context descriptors.
pub(crate) const DESCRIPTORS: u64 = RAM_BASE + 0x1_0000;
/// CMD_SYNC, without a signal.
pub(crate) const SYNC: [u64; 2] = [0x46, 0];

/// An SMMU like QEMU's.
pub(crate) const FEATURES: Features = Features {
    sid_bits: 16,
    ssid_bits: 0,
    output_bits: 44,
    coherent: true,
    wide_asids: true,
    range_invalidation: true,
    granule_16k: true,
    granule_64k: true,
};

/// All of it.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) smmu: Smmu,
    pub(crate) machine: Machine,
    prod: u32,
}

impl Guest {
    /// A guest with these streams, whose SMMU is as after reset.
    pub(crate) fn new(features: Features, sids: &[u32]) -> Self {
        let mut machine = Machine::new(features, sids.len());
        let mut smmu = Smmu::new(features, sids).expect("a list of streams");
        smmu.reset(&mut machine);
        machine.calls.clear();
        Self { smmu, machine, prod: 0 }
    }

    /// A guest whose driver has enabled everything, with a linear stream table of aborting entries.
    pub(crate) fn running(features: Features, sids: &[u32]) -> Self {
        let mut guest = Self::new(features, sids);
        for sid in 0..256 {
            guest.machine.ram.store(STREAMS + 64 * sid, 1);
        }
        guest.write64(at::STRTAB_BASE, STREAMS);
        guest.write(at::STRTAB_BASE_CFG, 8);
        guest.write64(at::CMDQ_BASE, COMMANDS | 8);
        guest.write64(at::EVENTQ_BASE, EVENTS | 7);
        guest.write(at::IRQ_CTRL, 5);
        guest.write(at::CR0, 0xd);
        guest.machine.calls.clear();
        guest
    }

    /// The guest reboots.
    pub(crate) fn reset(&mut self) {
        self.machine.heard = false;
        self.smmu.reset(&mut self.machine);
    }

    pub(crate) fn access(&mut self, offset: u64, width: Width, value: u64) {
        self.machine.heard = false;
        self.smmu.write(Place { offset, width }, value, &mut self.machine);
    }

    pub(crate) fn write(&mut self, offset: u64, value: u32) {
        self.access(offset, Width::Word, value.into());
    }

    pub(crate) fn write64(&mut self, offset: u64, value: u64) {
        self.access(offset, Width::Double, value);
    }

    /// What the guest reads, from the frames and from the SMMU, which must agree.
    pub(crate) fn read(&self, offset: u64) -> u32 {
        let framed = self.machine.frames.get(&offset).copied().unwrap_or(0);
        assert_eq!(self.smmu.read(Place { offset, width: Width::Word }), u64::from(framed), "{offset:#x}");
        framed
    }

    pub(crate) fn read64(&self, offset: u64) -> u64 {
        u64::from(self.read(offset)) | u64::from(self.read(offset + 4)) << 32
    }

    /// Puts commands into the queue with one write to CMDQ_PROD; what was asked of the machine.
    pub(crate) fn commands(&mut self, commands: &[[u64; 2]]) -> Vec<Call> {
        for command in commands {
            let slot = COMMANDS + u64::from(self.prod & 0xff) * 16;
            self.machine.ram.store(slot, command[0]);
            self.machine.ram.store(slot + 8, command[1]);
            self.prod = (self.prod + 1) & 0x1ff;
        }
        self.write(at::CMDQ_PROD, self.prod);
        self.calls()
    }

    /// Starts the queue, which is disabled, at its first entry.
    pub(crate) fn restart_queue(&mut self) {
        self.prod = 0;
        self.write(at::CMDQ_PROD, 0);
        self.write(at::CMDQ_CONS, 0);
    }

    /// The same, all of which must succeed.
    pub(crate) fn issue(&mut self, commands: &[[u64; 2]]) -> Vec<Call> {
        let calls = self.commands(commands);
        assert_eq!((self.read(at::CMDQ_CONS), self.errors()), (self.prod, 0));
        calls
    }

    /// What was asked of the machine since the last time.
    pub(crate) fn calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.machine.calls)
    }

    /// Active bits of GERROR.
    pub(crate) fn errors(&self) -> u32 {
        self.read(at::GERROR) ^ self.read(at::GERRORN)
    }

    /// Writes a stream table entry of the linear table.
    pub(crate) fn entry(&mut self, sid: u64, word0: u64, word1: u64) {
        self.machine.ram.store(STREAMS + 64 * sid + 8, word1);
        self.machine.ram.store(STREAMS + 64 * sid, word0);
    }

    /// Gives a stream the descriptors at `table`.
    pub(crate) fn attach(&mut self, sid: u64, table: u64) {
        self.entry(sid, table | 0b1011, 0);
        self.issue(&[[sid << 32 | 3, 1], SYNC]);
    }

    /// A fault of the stream at `index`.
    pub(crate) fn fault(&mut self, index: usize, event: u64, flags: u64, ipa: u64) -> Delivery {
        let stream = StreamId { smmu: 0, sid: 0x1234 };
        let record = Record { event, stream, iova: Iova(0xffff_1234_5678), ipa, flags, dropped: 0 };
        self.machine.heard = false;
        self.smmu.deliver(index, &record, &mut self.machine)
    }
}

/// A table of one descriptor.
pub(crate) fn table(ipa: u64) -> Stage1 {
    Stage1::Table(CdTable { ipa, ..CdTable::default() })
}
