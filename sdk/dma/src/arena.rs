//! A block of I/O addresses that are given out once, one behind the other, until all of them come back.

use alloc::vec::Vec;

use sluice_abi::{FrameSize, Iova};
use sluice_sys::Slot;

use crate::translation::BLOCK_BITS;

/// Pages of a block: what one last-level table maps.
pub(crate) const CAPACITY: u64 = 1 << (BLOCK_BITS - FrameSize::Small.bits());

/// A block of addresses and what became of them.
#[derive(Debug)]
pub(crate) struct Arena {
    block: Iova,
    /// Pages given out since the block was empty; their addresses are not given out again before it is.
    given: u64,
    /// Mappings in use.
    in_use: usize,
    /// Pages that were returned and are still reachable.
    buried: Vec<Slot>,
    /// When the first of them was returned.
    oldest: Option<u64>,
}

impl Arena {
    /// Nothing is mapped in `block`.
    pub(crate) const fn new(block: Iova) -> Self {
        Self { block, given: 0, in_use: 0, buried: Vec::new(), oldest: None }
    }

    pub(crate) const fn block(&self) -> Iova {
        self.block
    }

    pub(crate) fn holds(&self, iova: Iova) -> bool {
        iova.align_down(BLOCK_BITS) == self.block
    }

    pub(crate) const fn has_room(&self, pages: u64) -> bool {
        self.given + pages <= CAPACITY
    }

    /// The address of what is given next.
    pub(crate) const fn next(&self) -> Iova {
        self.block.offset(self.given * FrameSize::Small.bytes())
    }

    /// A mapping of `pages` pages is in use at [`Arena::next`].
    pub(crate) const fn give(&mut self, pages: u64) {
        self.given += pages;
        self.in_use += 1;
    }

    /// A mapping is not in use any more; its pages stay reachable for now.
    pub(crate) fn bury(&mut self, pages: Vec<Slot>, now: u64) {
        self.in_use -= 1;
        self.oldest = self.oldest.or(Some(now));
        self.buried.extend(pages);
    }

    /// When the first of the buried pages was returned.
    pub(crate) const fn oldest(&self) -> Option<u64> {
        self.oldest
    }

    pub(crate) const fn pending(&self) -> usize {
        self.buried.len()
    }

    /// Whether no mapping is in use.
    pub(crate) const fn is_unused(&self) -> bool {
        self.in_use == 0
    }

    /// The buried pages, which the caller discards. Where nothing is in use, all addresses can be given out again then.
    pub(crate) fn exhume(&mut self) -> Vec<Slot> {
        self.oldest = None;
        if self.in_use == 0 {
            self.given = 0;
        }
        core::mem::take(&mut self.buried)
    }
}
