//! The guest's stream table, linear or with two levels (IHI 0070, 3.3.1, 5.1).

use super::formats::L1STD;
use super::regs::{STRTAB_BASE, STRTAB_BASE_CFG};
use crate::memory::{GuestMemory, GuestPhysAddr};

/// log2 of the bytes of an entry.
const ENTRY_BITS: u32 = 6;
/// Words of an entry.
pub(super) const ENTRY_WORDS: usize = 8;
/// log2 of the bytes of a first-level descriptor.
const DESCRIPTOR_BITS: u32 = 3;

/// Where the guest's stream table is.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamTable {
    base: u64,
    /// log2 of the streams.
    bits: u32,
    /// log2 of the entries of a second-level table, where there are two levels.
    split: Option<u32>,
    /// One past the last address that can be put out.
    end: u64,
}

impl StreamTable {
    /// The table of STRTAB_BASE and STRTAB_BASE_CFG, for StreamIDs of `sid_bits` bits (6.3.24, 6.3.25). Reserved
    /// formats are linear, and the reserved sizes of second-level tables the smallest.
    pub(super) fn new(base: u64, config: u32, sid_bits: u32, end: u64) -> Self {
        let bits = STRTAB_BASE_CFG::LOG2SIZE.read(config).min(sid_bits);
        let two_level = STRTAB_BASE_CFG::FMT::TwoLevel.matches_all(config);
        let split = two_level.then(|| match STRTAB_BASE_CFG::SPLIT.read(config) {
            split @ (8 | 10) => split,
            _ => 6,
        });
        let bytes_bits = match split {
            None => bits + ENTRY_BITS,
            Some(split) => (bits.saturating_sub(split) + DESCRIPTOR_BITS).max(ENTRY_BITS),
        };
        let base = STRTAB_BASE::ADDR.read(base) << STRTAB_BASE::ADDR.shift;
        Self { base: base & (u64::MAX << bytes_bits), bits, split, end }
    }

    /// Reads the entry of a stream, each word once; `None` where there is none, or it cannot be read.
    pub(super) fn fetch(&self, sid: u32, memory: &impl GuestMemory) -> Option<[u64; ENTRY_WORDS]> {
        if u64::from(sid) >> self.bits != 0 {
            return None;
        }
        let (table, index) = match self.split {
            None => (self.base, sid),
            Some(split) => {
                (self.second_level(sid >> split, sid & ((1 << split) - 1), split, memory)?, sid & ((1 << split) - 1))
            }
        };
        let mut bytes = [0; 8 * ENTRY_WORDS];
        memory.read(self.reachable(table + (u64::from(index) << ENTRY_BITS))?, &mut bytes).ok()?;
        let (words, _) = bytes.as_chunks();
        let mut entry = [0; ENTRY_WORDS];
        for (word, bytes) in entry.iter_mut().zip(words) {
            *word = u64::from_le_bytes(*bytes);
        }
        Some(entry)
    }

    /// Address of the second-level table that the descriptor at `index` names, if it has an entry `within`.
    fn second_level(&self, index: u32, within: u32, split: u32, memory: &impl GuestMemory) -> Option<u64> {
        let at = self.reachable(self.base + (u64::from(index) << DESCRIPTOR_BITS))?;
        let descriptor = memory.read_u64(at).ok()?;
        let span = L1STD::SPAN.read(descriptor) as u32;
        // Span 0 is no table; one that is larger than the split allows is reserved.
        if span == 0 || span > split + 1 || within >> (span - 1) != 0 {
            return None;
        }
        let table = L1STD::L2PTR.read(descriptor) << L1STD::L2PTR.shift;
        Some(table & (u64::MAX << (span - 1 + ENTRY_BITS)))
    }

    const fn reachable(&self, at: u64) -> Option<GuestPhysAddr> {
        if at < self.end { Some(GuestPhysAddr(at)) } else { None }
    }
}
