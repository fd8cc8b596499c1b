//! Ranges of physical addresses.

use core::fmt;

use sluice_abi::{PHYS_BITS, PhysAddr};

/// A range of physical addresses: not empty, and below 2^44.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region {
    base: PhysAddr,
    size: u64,
}

impl Region {
    /// The range of `size` bytes at `base`; `None` when it is empty or reaches beyond 2^44.
    #[must_use]
    pub const fn new(base: PhysAddr, size: u64) -> Option<Self> {
        match base.0.checked_add(size) {
            Some(end) if size > 0 && end <= 1 << PHYS_BITS => Some(Self { base, size }),
            Some(_) | None => None,
        }
    }

    /// First address.
    #[must_use]
    pub const fn base(&self) -> PhysAddr {
        self.base
    }

    /// Bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// First address behind the range.
    #[must_use]
    pub const fn end(&self) -> PhysAddr {
        PhysAddr(self.base.0 + self.size)
    }

    /// Whether the two have an address in common.
    #[must_use]
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.base.0 < other.end().0 && other.base.0 < self.end().0
    }

    /// Whether every address of `other` is in the range.
    #[must_use]
    pub const fn contains(&self, other: &Self) -> bool {
        self.base.0 <= other.base.0 && other.end().0 <= self.end().0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}..{:#x}", self.base.0, self.end().0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({self})")
    }
}
