//! Field positions of the packed form: the one place that knows them.
//!
//! Word 0 holds the type tag in bits 4:0, small fields in bits 19:5 and, where there is an object, its physical address
//! divided by 16 in bits 59:20. Word 1 is the type's own.

use sluice_abi::PhysAddr;

/// A packed capability.
pub type RawCap = [u64; 2];

/// An empty slot's capability.
pub const NULL: RawCap = [0, 0];

/// A field of a word: its lowest bit and how many.
#[derive(Clone, Copy)]
pub struct Field {
    low: u32,
    bits: u32,
}

impl Field {
    /// The field of `bits` bits that starts at bit `low`.
    #[must_use]
    pub const fn new(low: u32, bits: u32) -> Self {
        assert!(bits < 64 && low + bits <= 64);
        Self { low, bits }
    }

    /// Its value in `word`.
    #[must_use]
    pub const fn get(self, word: u64) -> u64 {
        word >> self.low & ((1 << self.bits) - 1)
    }

    /// A word with all bits of the field set.
    #[must_use]
    pub const fn mask(self) -> u64 {
        ((1 << self.bits) - 1) << self.low
    }

    /// A word with the field set to `value`, which must fit, and the rest zero.
    #[must_use]
    pub const fn put(self, value: u64) -> u64 {
        debug_assert!(value < 1 << self.bits);
        (value & ((1 << self.bits) - 1)) << self.low
    }
}

/// Type tag.
pub const TAG: Field = Field::new(0, 5);
/// Object address divided by 16.
pub const ADDRESS: Field = Field::new(20, 40);
/// Rights (endpoint, notification, frame).
pub const RIGHTS: Field = Field::new(5, 4);
/// Untyped: log2 of the size.
pub const UNTYPED_BITS: Field = Field::new(5, 6);
/// Untyped: device memory.
pub const UNTYPED_DEVICE: Field = Field::new(11, 1);
/// CNode, zombie: radix.
pub const RADIX: Field = Field::new(5, 6);
/// CNode: bits of the guard.
pub const GUARD_BITS: Field = Field::new(11, 6);
/// Zombie: 1 for a CNode.
pub const ZOMBIE_CNODE: Field = Field::new(11, 1);
/// Reply: master.
pub const REPLY_MASTER: Field = Field::new(5, 1);
/// Reply: may send capabilities.
pub const REPLY_GRANT: Field = Field::new(6, 1);
/// Frame: size.
pub const FRAME_SIZE: Field = Field::new(9, 2);
/// Frame: device memory.
pub const FRAME_DEVICE: Field = Field::new(11, 1);
/// Frame, page table, VSpace, stream table: mapped.
pub const MAPPED: Field = Field::new(12, 1);
/// VSpace, CB: the hidden copy of a binding.
pub const BOUND: Field = Field::new(13, 1);
/// SGI signal: the interrupt.
pub const SGI_INTID: Field = Field::new(5, 4);
/// Word 1 of SGI signal: affinity of the core.
pub const SGI_TARGET: Field = Field::new(0, 32);
/// Word 1 of frame and page table: page number of the address.
pub const MAPPED_PAGE: Field = Field::new(12, 36);
/// Word 1 of frame, page table, VSpace, ASID pool: ASID.
pub const ASID: Field = Field::new(48, 16);
/// Word 1 of SID, CB, stream table: stream number.
pub const SID: Field = Field::new(0, 32);
/// Word 1 of SID, stream table, and of a bound CB or VSpace: SMMU number.
pub const SMMU: Field = Field::new(32, 4);
/// Word 1 of CB, and of a bound VSpace: context number (a CB needs no ASID, a bound VSpace no stream number).
pub const CB: Field = Field::new(36, 10);

/// Tag of a packed capability.
#[must_use]
pub const fn tag(cap: RawCap) -> u64 {
    TAG.get(cap[0])
}

/// Object address of a packed capability.
#[must_use]
pub const fn address(cap: RawCap) -> PhysAddr {
    PhysAddr(ADDRESS.get(cap[0]) << 4)
}
