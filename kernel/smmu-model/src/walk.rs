//! Stream table and stage-2 walks over the bytes in memory.

use sluice_smmu::regs::{L1STD, STE2, STE3, STRTAB_BASE, STRTAB_BASE_CFG};

use crate::state::{Entry, State};

const TWO_LEVEL: u32 = 1;
/// Bits 47:12 of a descriptor.
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
const INPUT_BITS: u32 = 44;

/// One page of a translation: where it leads and what it permits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leaf {
    /// Output page number.
    pub(crate) page: u64,
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// log2 of the pages of the leaf this page came from.
    pub(crate) order: u32,
}

/// Why a walk ended without a leaf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WalkFault {
    Translation,
    Access,
}

impl State {
    pub(crate) fn two_level(&self) -> bool {
        STRTAB_BASE_CFG::FMT.read(self.registers.strtab_cfg) == TWO_LEVEL
    }

    pub(crate) fn stream_bits(&self) -> u32 {
        STRTAB_BASE_CFG::LOG2SIZE.read(self.registers.strtab_cfg)
    }

    pub(crate) fn strtab(&self) -> u64 {
        STRTAB_BASE::ADDR.read(self.registers.strtab_base) << 6
    }

    /// Address of a stream's entry by a first-level descriptor; `None` when it covers no entries.
    pub(crate) fn entry_of(descriptor: u64, sid: u32) -> Option<u64> {
        let span = L1STD::SPAN.read(descriptor);
        let index = u64::from(sid & 0xff);
        (span != 0 && index < 1 << (span - 1)).then(|| (L1STD::L2PTR.read(descriptor) << 6) + 64 * index)
    }

    /// Address of a stream's entry as memory says now.
    pub(crate) fn entry_address(&self, sid: u32) -> Option<u64> {
        if u64::from(sid) >> self.stream_bits() != 0 {
            return None;
        }
        if self.two_level() {
            Self::entry_of(self.word(self.strtab() + 8 * u64::from(sid >> 8)), sid)
        } else {
            Some(self.strtab() + 64 * u64::from(sid))
        }
    }

    /// The stream whose entry lies at `at`.
    pub(crate) fn sid_of(&self, at: u64) -> Option<u32> {
        if self.strtab() == 0 {
            return None;
        }
        if !self.two_level() {
            let index = at.checked_sub(self.strtab())? / 64;
            return (index >> self.stream_bits() == 0).then_some(index as u32);
        }
        let tables = 1u64 << (self.stream_bits().saturating_sub(8));
        (0..tables).find_map(|index| {
            let first = Self::entry_of(self.word(self.strtab() + 8 * index), 0)?;
            let entry = at.checked_sub(first)? / 64;
            (entry < 256).then_some((index * 256 + entry) as u32)
        })
    }

    pub(crate) fn may_be_entry(&self, at: u64) -> bool {
        self.sid_of(at).is_some()
    }

    /// Whether an entry's stage-2 fields are ones the architecture and this model accept.
    pub(crate) fn stage2_legal(entry: &Entry) -> bool {
        let word = entry[2];
        STE2::S2AA64.is_set(word)
            && STE2::S2T0SZ.read(word) == u64::from(64 - INPUT_BITS)
            && STE2::S2SL0.read(word) == 2
            && STE2::S2TG.read(word) == 0
            && STE2::S2PS.read(word) == 4
            && !STE2::S2ENDI.is_set(word)
            && !STE2::S2S.is_set(word)
    }

    pub(crate) fn root_of(entry: &Entry) -> (u16, u64) {
        (STE2::S2VMID.read(entry[2]) as u16, STE3::S2TTB.read(entry[3]) << 4)
    }

    pub(crate) fn walk(&self, root: u64, iova: u64) -> Result<Leaf, WalkFault> {
        if iova >> INPUT_BITS != 0 {
            return Err(WalkFault::Translation);
        }
        let mut table = root;
        for level in 0..4u32 {
            let shift = 39 - 9 * level;
            let word = self.word(table + 8 * (iova >> shift & 0x1ff));
            match (word & 3, level) {
                (3, 0..=2) => table = word & ADDRESS,
                (1, 1 | 2) | (3, 3) => return leaf(word, iova, shift),
                _ => return Err(WalkFault::Translation),
            }
        }
        Err(WalkFault::Translation)
    }

    /// Every page below `root`, by input page number.
    pub(crate) fn pages(&self, root: u64) -> Vec<(u64, Leaf)> {
        let mut found = Vec::new();
        self.pages_below(root, 0, 0, &mut found);
        found
    }

    fn pages_below(&self, table: u64, level: u32, base: u64, found: &mut Vec<(u64, Leaf)>) {
        let shift = 39 - 9 * level;
        let entries = if level == 0 { 32 } else { 512 };
        for index in 0..entries {
            let word = self.word(table + 8 * index);
            let iova = base + (index << shift);
            match (word & 3, level) {
                (3, 0..=2) => self.pages_below(word & ADDRESS, level + 1, iova, found),
                (1, 1 | 2) | (3, 3) => {
                    for page in 0..1u64 << (shift - 12) {
                        let at = iova + (page << 12);
                        found.extend(leaf(word, at, shift).ok().map(|leaf| (at >> 12, leaf)));
                    }
                }
                _ => {}
            }
        }
    }
}

fn leaf(word: u64, iova: u64, shift: u32) -> Result<Leaf, WalkFault> {
    if word & 1 << 10 == 0 {
        return Err(WalkFault::Access);
    }
    let inside = iova & ((1 << shift) - 1);
    let output = (word & ADDRESS & !((1 << shift) - 1)) + inside;
    Ok(Leaf { page: output >> 12, read: word & 1 << 6 != 0, write: word & 1 << 7 != 0, order: shift - 12 })
}
