//! What an SMMU goes by at this moment, for whoever wants to compare that with what should be: its registers and the tables they
//! lead to, and nothing that the driver remembers.

use sluice_abi::PhysAddr;
use sluice_paging::TableMemory;

use super::Smmu;
use crate::regs::{CD0, CD1, CR0, GBPA, L1STD, STRTAB_BASE, STRTAB_BASE_CFG, offset};
use crate::ste::STE_BYTES;
use crate::{Bus, Cd};

/// What decides about streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ruling {
    /// The stream table.
    Table(StreamTable),
    /// Nothing: the SMMU is disabled, and every stream aborts (GBPA).
    Abort,
    /// Nothing: every stream reaches all memory.
    Bypass,
}

/// A stream table as STRTAB_BASE and STRTAB_BASE_CFG describe it (IHI 0070, 6.3.24 and 6.3.25).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamTable {
    base: PhysAddr,
    stream_bits: u32,
    /// log2 of the streams behind each descriptor of the first level; `None`: the table has one level.
    split: Option<u32>,
}

/// A stream's entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The stream.
    pub sid: u32,
    /// Where the entry is.
    pub at: PhysAddr,
    /// Its words.
    pub words: [u64; 8],
}

impl Smmu {
    /// What decides about streams, by the SMMU's registers.
    #[must_use]
    pub fn ruling(&self, bus: &impl Bus) -> Ruling {
        if CR0::SMMUEN.read(self.read(bus, offset::CR0)) == 0 {
            let abort = GBPA::ABORT.read(self.read(bus, offset::GBPA)) != 0;
            return if abort { Ruling::Abort } else { Ruling::Bypass };
        }
        let base = STRTAB_BASE::ADDR.read(bus.read64(self.base.offset(offset::STRTAB_BASE)));
        let config = self.read(bus, offset::STRTAB_BASE_CFG);
        let two_level = STRTAB_BASE_CFG::FMT.read(config) == 1;
        Ruling::Table(StreamTable {
            base: PhysAddr(base << STRTAB_BASE::ADDR.shift),
            // More than the SMMU can tell apart is the same as all (6.3.25).
            stream_bits: STRTAB_BASE_CFG::LOG2SIZE.read(config).min(self.features.sid_bits),
            split: two_level.then(|| STRTAB_BASE_CFG::SPLIT.read(config)),
        })
    }

    /// The table that the kernel's own context descriptor there leads to; `None` when it is none that this driver wrote.
    #[must_use]
    pub fn stage1_root(&self, mem: &impl TableMemory, descriptor: PhysAddr) -> Option<PhysAddr> {
        let words = eight(mem, descriptor);
        let root = PhysAddr(CD1::TTB0.read(words[1]) << CD1::TTB0.shift);
        let asid = CD0::ASID.read(words[0]) as u16;
        (Cd::stage1(&self.features, asid, root).words() == words).then_some(root)
    }
}

impl StreamTable {
    /// Every entry, by ascending stream (3.3.2). Streams without an entry abort.
    pub fn entries<M: TableMemory>(self, mem: &M) -> impl Iterator<Item = Entry> + use<'_, M> {
        let block_bits = self.split.map_or(self.stream_bits, |split| split.min(self.stream_bits));
        (0..1u64 << (self.stream_bits - block_bits)).flat_map(move |block| {
            let (first, count) = self.block(mem, block, block_bits);
            (0..count).map(move |index| {
                let at = first.offset(index * STE_BYTES);
                Entry { sid: (block << block_bits | index) as u32, at, words: eight(mem, at) }
            })
        })
    }

    /// The entries of a block of streams: the first, and how many.
    fn block(self, mem: &impl TableMemory, block: u64, block_bits: u32) -> (PhysAddr, u64) {
        if self.split.is_none() {
            return (self.base, 1 << block_bits);
        }
        let descriptor = mem.load(self.base.offset(block * 8));
        // A span of 0 leads nowhere (5.1). One beyond the split is illegal: an SMMU that takes it finds entries for all streams.
        match L1STD::SPAN.read(descriptor).checked_sub(1) {
            Some(bits) => {
                let table = PhysAddr(L1STD::L2PTR.read(descriptor) << L1STD::L2PTR.shift);
                (table, 1 << bits.min(u64::from(block_bits)))
            }
            None => (PhysAddr(0), 0),
        }
    }
}

fn eight(mem: &impl TableMemory, at: PhysAddr) -> [u64; 8] {
    core::array::from_fn(|word| mem.load(at.offset(8 * word as u64)))
}
