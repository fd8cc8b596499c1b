//! The guest's processors by number.

use crate::layout::MAX_PROCESSORS;

/// A virtual processor's number: below [`MAX_PROCESSORS`], not necessarily that of one that the guest has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Processor(u8);

impl Processor {
    /// The one that boots.
    pub const FIRST: Self = Self(0);

    /// Processor `index`, if a guest can have it.
    #[must_use]
    pub const fn new(index: usize) -> Option<Self> {
        if index < MAX_PROCESSORS { Some(Self(index as u8)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The first `count` of them.
    pub fn first(count: usize) -> impl Iterator<Item = Self> {
        (0..count).map_while(Self::new)
    }

    /// Affinity: Aff0 is the number, Aff1 to Aff3 are zero. In the layout of MPIDR_EL1, PSCI's `target_cpu` and the `reg`
    /// of a device tree's `cpu` node.
    #[must_use]
    pub const fn affinity(self) -> u64 {
        self.0 as u64
    }

    /// The processor with this affinity.
    #[must_use]
    pub const fn from_affinity(affinity: u64) -> Option<Self> {
        if affinity < MAX_PROCESSORS as u64 { Some(Self(affinity as u8)) } else { None }
    }

    /// MPIDR_EL1 as this processor reads it (DDI 0487, D24.2): bit 31 is RES1.
    #[must_use]
    pub const fn mpidr(self) -> u64 {
        1 << 31 | self.affinity()
    }
}
