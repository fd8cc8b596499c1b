//! A stage 1 for a device: a context descriptor and tables of three levels, written as the guest likes.
//!
//! DDI 0487, D8.3: 39 bits from level 1, granule of 4 KiB. IHI 0070, 5.4: the descriptor.

use sluice_bare::machine::{barrier, store};

/// Bytes of memory that it needs.
pub(crate) const BYTES: u64 = 0x4000;
/// Where identity begins: below are pages, above every GiB leads to itself.
pub(crate) const IDENTITY: u64 = 1 << 30;

/// A stage 1 whose descriptor is the first thing in its memory.
#[derive(Clone, Copy)]
pub(crate) struct Stage1 {
    memory: u64,
    /// What is added to an address of the guest's to write it into a descriptor or a table.
    offset: u64,
}

/// A page with read and write: accessed, inner shareable, AP 0b01, of attributes 0.
pub(crate) const fn page(address: u64) -> u64 {
    address & !0xfff | 0x743
}

/// A table of the next level.
pub(crate) const fn table(address: u64) -> u64 {
    address & !0xfff | 3
}

impl Stage1 {
    /// One in [`BYTES`] bytes from `memory`, a multiple of a page, which maps no page and, from [`IDENTITY`] on, everything to
    /// itself.
    pub(crate) fn new(memory: u64) -> Self {
        Self::at(memory, 0)
    }

    /// One that says of everything that it is `offset` further than the guest has it.
    pub(crate) fn at(memory: u64, offset: u64) -> Self {
        let stage1 = Self { memory, offset };
        (memory..memory + BYTES).step_by(8).for_each(|word| store(word, 8, 0));
        stage1.root(stage1.level(1) + offset);
        stage1.entry(1, 0, table(stage1.level(2) + offset));
        stage1.entry(2, 0, table(stage1.level(3) + offset));
        // Blocks of level 1.
        (1..512).for_each(|index| stage1.entry(1, index, index << 30 | 0x741));
        stage1
    }

    /// Where its context descriptor is, as an SMMU is told.
    pub(crate) const fn descriptor(self) -> u64 {
        self.memory + self.offset
    }

    /// Where the guest has the table of a level.
    pub(crate) const fn level(self, level: u64) -> u64 {
        self.memory + level * 0x1000
    }

    /// Writes the descriptor: tables begin at `root`.
    pub(crate) fn root(self, root: u64) {
        // ASET, A, R, AA64; 40 bits out; V, EPD1; T0SZ 25, write-back, inner shareable.
        let word0 = 1 << 47 | 1 << 46 | 1 << 45 | 1 << 41 | 2 << 32 | 1 << 31 | 1 << 30 | 0x3519;
        store(self.memory + 8, 8, root);
        store(self.memory + 24, 8, 0xff);
        store(self.memory, 8, word0);
        barrier();
    }

    /// Writes an entry of a table.
    pub(crate) fn entry(self, level: u64, index: u64, entry: u64) {
        store(self.level(level) + 8 * index, 8, entry);
        barrier();
    }

    /// Maps page `number` to `address`, as it is.
    pub(crate) fn page(self, number: u64, address: u64) {
        self.entry(3, number, page(address));
    }
}
