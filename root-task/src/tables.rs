//! Page tables a VSpace still needs.
//!
//! A VSpace starts with its root only. Each level below covers less: 512 GiB, 1 GiB, 2 MiB per table (Arm ARM DDI
//! 0487, D8.2, 4 KiB granule). `PageTable_Map` fills the first gap on the way down, so tables are named here by the
//! addresses to call it with, in the order to do so.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use sluice_abi::FrameSize;

/// log2 of the bytes one table of each level covers, top first.
const COVERAGE_BITS: [u32; 3] = [39, 30, 21];

/// The tables a VSpace has.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    present: BTreeSet<(u32, u64)>,
}

impl Tables {
    /// Addresses of the tables that must be mapped before a frame of `size` can be at `at`; they count as mapped
    /// from now on.
    pub fn missing(&mut self, at: u64, size: FrameSize) -> Vec<u64> {
        let needed = COVERAGE_BITS.into_iter().filter(|bits| *bits > size.bits());
        needed.filter(|bits| self.present.insert((*bits, at >> bits))).map(|_| at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_needs_three_tables_once() {
        let mut tables = Tables::default();
        assert_eq!(tables.missing(0x40_0000, FrameSize::Small).len(), 3);
        assert_eq!(tables.missing(0x40_1000, FrameSize::Small).len(), 0);
        assert_eq!(tables.missing(0x60_0000, FrameSize::Small).len(), 1);
        assert_eq!(tables.missing(0x4000_0000, FrameSize::Small).len(), 2);
        assert_eq!(tables.missing(0x80_0000_0000, FrameSize::Small).len(), 3);
    }

    #[test]
    fn larger_frames_need_fewer_tables() {
        let mut tables = Tables::default();
        assert_eq!(tables.missing(0x20_0000, FrameSize::Large).len(), 2);
        assert_eq!(tables.missing(0x40_0000, FrameSize::Large).len(), 0);
        assert_eq!(tables.missing(0x60_0000, FrameSize::Small).len(), 1);
        assert_eq!(Tables::default().missing(0x4000_0000, FrameSize::Huge).len(), 1);
    }
}
