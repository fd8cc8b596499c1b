//! Address spaces: partial maps from pages to frames, and the tables that make room for them.

use sluice_abi::{FrameSize, PhysAddr, VirtAddr};

use crate::{Map, Rights};

/// Levels whose entries can lead to a table; the entries of the one below are pages of 4 KiB.
pub(crate) const TABLE_LEVELS: u8 = 3;

/// log2 of the bytes an entry of a level stands for.
#[must_use]
pub(crate) const fn coverage_bits(level: u8) -> u32 {
    39 - 9 * level as u32
}

/// The level at which a frame of this size is an entry.
#[must_use]
pub(crate) const fn level_of(size: FrameSize) -> u8 {
    match size {
        FrameSize::Huge => 1,
        FrameSize::Large => 2,
        FrameSize::Small => 3,
    }
}

/// What an address leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Page {
    /// The frame.
    pub frame: PhysAddr,
    /// Its size.
    pub size: FrameSize,
    /// Loads and stores that pass; both false for a page nobody can use.
    pub rights: Rights,
    /// Whether instructions can be fetched.
    pub execute: bool,
    /// Whether it is ordinary memory rather than Device.
    pub cacheable: bool,
}

/// An address space.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Space {
    /// Its object.
    pub root: PhysAddr,
    /// Tables, by the level and the first address of the entry that leads to them.
    pub tables: Map<(u8, VirtAddr), PhysAddr>,
    /// Pages, by their first address.
    pub pages: Map<VirtAddr, Page>,
    /// Whether it is for devices alone, for good: it was given to an SMMU whose tables a CPU cannot walk.
    pub for_devices: bool,
    /// Whether a CPU has used it.
    pub walked: bool,
}

impl Space {
    /// One without anything.
    #[must_use]
    pub fn empty(root: PhysAddr) -> Self {
        Self { root, tables: Map::new(), pages: Map::new(), for_devices: false, walked: false }
    }

    /// The level a walk for `at` comes to.
    #[must_use]
    pub(crate) fn level_at(&self, at: VirtAddr) -> u8 {
        (0..TABLE_LEVELS)
            .find(|level| !self.tables.contains_key(&(*level, at.align_down(coverage_bits(*level)))))
            .unwrap_or(TABLE_LEVELS)
    }

    /// The page that `at` is in.
    #[must_use]
    pub fn page_at(&self, at: VirtAddr) -> Option<(VirtAddr, Page)> {
        let (first, page) = self.pages.range(..=at).next_back()?;
        (at.0 - first.0 < page.size.bytes()).then_some((*first, *page))
    }

    /// Takes out the table whose memory is `base` on the way to `at`, with everything below it.
    pub(crate) fn remove_table(&mut self, at: VirtAddr, base: PhysAddr) {
        let entry = (0..TABLE_LEVELS)
            .map(|level| (level, at.align_down(coverage_bits(level))))
            .find(|key| self.tables.get(key) == Some(&base));
        let Some((level, first)) = entry else { return };
        let below = |at: &VirtAddr| at.align_down(coverage_bits(level)) == first;
        self.tables.retain(|(other, at), _| *other < level || !below(at));
        self.pages.retain(|at, _| !below(at));
    }
}
