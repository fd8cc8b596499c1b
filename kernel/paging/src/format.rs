//! One configuration of the walker: how the attributes of a leaf are written.

use sluice_abi::{FrameSize, PAGE_BITS, PHYS_BITS, PhysAddr};

use crate::descriptor::{self as bits, stage1, stage2};
use crate::{Access, Entry, Leaf, MemoryType};

/// log2 of the entries of a table below the root.
const INDEX_BITS: u32 = 9;

/// TxSZ for the 44-bit input address of every format: the T0SZ of VTCR_EL2, the S2T0SZ of an STE, the T0SZ of a CD.
pub const T0SZ: u64 = 64 - PHYS_BITS as u64;
/// SL0 of VTCR_EL2 and S2SL0 of an STE: the stage-2 walk starts at level 0 (4 KiB granule).
pub const STAGE2_SL0: u64 = 2;
/// MAIR that the attribute indices of [`Format::STAGE1`] refer to: byte 0 Normal write-back, byte 1 Device-nGnRnE.
pub const STAGE1_MAIR: u64 = 0x00ff;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    One,
    Two,
}

/// A descriptor format: four levels (0..=3), 4 KiB granule, 44-bit input addresses.
///
/// Level 0 covers 512 GiB an entry, so that 32 of the 512 words of a root are ever walked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    stage: Stage,
}

impl Format {
    /// Stage 2, as the CPU (VTCR_EL2) and an SMMU (STE) walk it. No contiguous bit, no FEAT_S2FWB.
    pub const STAGE2: Self = Self { stage: Stage::Two };
    /// Stage 1 of an SMMU context whose context descriptor the kernel owns: every leaf is non-global and serves
    /// unprivileged transactions like privileged ones.
    pub const STAGE1: Self = Self { stage: Stage::One };

    /// log2 of the bytes one entry of `level` (0..=3) covers.
    #[must_use]
    pub const fn coverage_bits(level: u8) -> u32 {
        PAGE_BITS + INDEX_BITS * (3 - level as u32)
    }

    /// Index of the entry of `level` (0..=3) that translates `va`.
    #[must_use]
    pub const fn index(level: u8, va: u64) -> u64 {
        (va >> Self::coverage_bits(level)) & ((1 << INDEX_BITS) - 1)
    }

    /// The level at which a frame of this size is mapped.
    #[must_use]
    pub const fn level_of(size: FrameSize) -> u8 {
        match size {
            FrameSize::Huge => 1,
            FrameSize::Large => 2,
            FrameSize::Small => 3,
        }
    }

    /// The size of a frame mapped at `level`; level 0 maps none.
    #[must_use]
    pub const fn size_at(level: u8) -> Option<FrameSize> {
        match level {
            1 => Some(FrameSize::Huge),
            2 => Some(FrameSize::Large),
            3 => Some(FrameSize::Small),
            _ => None,
        }
    }

    /// The descriptor of a table at `table`, a multiple of 4 KiB below 2^44.
    #[must_use]
    pub const fn encode_table(&self, table: PhysAddr) -> u64 {
        debug_assert!(table.0 & !bits::ADDRESS == 0);
        (table.0 & bits::ADDRESS) | bits::TABLE_OR_PAGE | bits::VALID
    }

    /// The block or page descriptor of `leaf`.
    ///
    /// Stage 1 cannot express "no reads": such a leaf is encoded with the access flag clear, so that it occupies its
    /// address and every use of it faults. What is asked for beyond what can be expressed is never granted.
    #[must_use]
    pub const fn encode_leaf(&self, leaf: &Leaf) -> u64 {
        let address = leaf.address.0 & bits::ADDRESS & !(leaf.size.bytes() - 1);
        debug_assert!(address == leaf.address.0);
        let kind = match leaf.size {
            FrameSize::Small => bits::TABLE_OR_PAGE,
            FrameSize::Large | FrameSize::Huge => 0,
        };
        let attributes = match self.stage {
            Stage::One => stage1_attributes(leaf.access, leaf.memory),
            Stage::Two => stage2_attributes(leaf.access, leaf.memory),
        };
        address | attributes | bits::INNER_SHAREABLE | kind | bits::VALID
    }

    /// The table that `word` leads to in a table of `level`, if it is such a word.
    #[inline(always)]
    #[must_use]
    pub(crate) const fn table(level: u8, word: u64) -> Option<PhysAddr> {
        if level < 3 && word & !bits::ADDRESS == bits::TABLE_OR_PAGE | bits::VALID {
            Some(PhysAddr(word & bits::ADDRESS))
        } else {
            None
        }
    }

    /// What `word` means in a table of `level`.
    ///
    /// A word that the encoders of this format do not produce is [`Entry::Invalid`]: a block at level 0, a reserved
    /// encoding, a misaligned or too large address, an attribute nobody asked for, a level beyond 3.
    #[must_use]
    pub fn decode(&self, level: u8, word: u64) -> Entry {
        if word & bits::VALID == 0 || level > 3 {
            return Entry::Invalid;
        }
        if level < 3 && word & bits::TABLE_OR_PAGE != 0 {
            return Self::table(level, word).map_or(Entry::Invalid, Entry::Table);
        }
        let Some(size) = Self::size_at(level) else { return Entry::Invalid };
        let address = PhysAddr(word & bits::ADDRESS & !(size.bytes() - 1));
        let (access, memory) = match self.stage {
            Stage::One => stage1_meaning(word),
            Stage::Two => stage2_meaning(word),
        };
        let leaf = Leaf { address, size, access, memory };
        if self.encode_leaf(&leaf) == word { Entry::Leaf(leaf) } else { Entry::Invalid }
    }

    /// The leaf that a walk finds after `leaf` was encoded: itself, but for access this format cannot express.
    #[must_use]
    pub const fn effective(&self, leaf: Leaf) -> Leaf {
        match self.stage {
            Stage::One if !leaf.access.read => Leaf { access: Access::NONE, ..leaf },
            Stage::One | Stage::Two => leaf,
        }
    }
}

const fn stage2_attributes(access: Access, memory: MemoryType) -> u64 {
    let memory = match memory {
        MemoryType::Normal => stage2::NORMAL,
        MemoryType::Device => stage2::DEVICE,
    };
    let read = if access.read { stage2::READ } else { 0 };
    let write = if access.write { stage2::WRITE } else { 0 };
    let execute = if access.execute { 0 } else { stage2::EXECUTE_NEVER };
    bits::ACCESSED | memory | read | write | execute
}

fn stage2_meaning(word: u64) -> (Access, MemoryType) {
    let access = Access {
        read: word & stage2::READ != 0,
        write: word & stage2::WRITE != 0,
        execute: word & stage2::EXECUTE_NEVER == 0,
    };
    let memory = if word & stage2::NORMAL == stage2::NORMAL { MemoryType::Normal } else { MemoryType::Device };
    (access, memory)
}

const fn stage1_attributes(access: Access, memory: MemoryType) -> u64 {
    let memory = match memory {
        MemoryType::Normal => stage1::NORMAL,
        MemoryType::Device => stage1::DEVICE,
    };
    if !access.read {
        return stage1::NOT_GLOBAL | stage1::READ_ONLY | stage1::EXECUTE_NEVER | memory;
    }
    let write = if access.write { 0 } else { stage1::READ_ONLY };
    let execute = if access.execute { 0 } else { stage1::EXECUTE_NEVER };
    bits::ACCESSED | stage1::NOT_GLOBAL | stage1::UNPRIVILEGED | memory | write | execute
}

fn stage1_meaning(word: u64) -> (Access, MemoryType) {
    let memory = if word & stage1::DEVICE != 0 { MemoryType::Device } else { MemoryType::Normal };
    if word & bits::ACCESSED == 0 {
        return (Access::NONE, memory);
    }
    let access =
        Access { read: true, write: word & stage1::READ_ONLY == 0, execute: word & stage1::EXECUTE_NEVER == 0 };
    (access, memory)
}
