//! Pieces of memory that component and device share.

use sluice_abi::Iova;
use sluice_rt::{DmaView, Memory};

use crate::ranges::{RangeError, Ranges};

/// A piece of shared memory: the component's view and the device's address of the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Buffer {
    /// The component's view.
    pub memory: Memory,
    /// The device's address of its first byte.
    pub iova: Iova,
}

/// Gives out a region in pieces.
#[derive(Clone, Debug)]
pub struct Pool {
    view: DmaView,
    offsets: Ranges,
}

/// Least alignment of a piece: what a CPU view needs.
const WORD: u64 = 8;

impl Pool {
    /// All of a region.
    #[must_use]
    pub fn new(view: DmaView) -> Self {
        let offsets = Ranges::new(0, view.memory.len() as u64);
        Self { view, offsets }
    }

    /// A piece of `bytes` bytes; its device address and its place in the region are multiples of `align` when the
    /// region's own address is.
    ///
    /// # Errors
    /// When there is no such piece left.
    pub fn allocate(&mut self, bytes: usize, align: u64) -> Result<Buffer, RangeError> {
        let size = (bytes as u64).checked_next_multiple_of(WORD).ok_or(RangeError::Full)?;
        let offset = self.offsets.allocate(size, align.max(WORD))?;
        let memory = self.view.memory.part(offset as usize, bytes).ok_or(RangeError::Foreign)?;
        Ok(Buffer { memory, iova: self.view.iova.offset(offset) })
    }

    /// Takes a piece back.
    ///
    /// # Errors
    /// When it is none of this pool's, or was taken back already.
    pub fn release(&mut self, buffer: Buffer) -> Result<(), RangeError> {
        let offset = buffer.iova.0.checked_sub(self.view.iova.0).ok_or(RangeError::Foreign)?;
        self.offsets.release(offset, (buffer.memory.len() as u64).next_multiple_of(WORD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use sluice_abi::VirtAddr;
    use sluice_manifest::{Perms, layout};

    fn pool() -> Pool {
        let memory = Memory::at(VirtAddr(layout::REGIONS), 0x3000).expect("where regions are");
        let perms = Perms { read: true, write: true, execute: false };
        Pool::new(DmaView { memory, iova: Iova(0x10_0000), perms, frames: Vec::new() })
    }

    #[test]
    fn both_addresses_of_a_piece_are_of_the_same_bytes() {
        let mut pool = pool();
        let small = pool.allocate(12, 1).expect("room");
        let page = pool.allocate(0x1000, 0x1000).expect("room");
        assert_eq!((small.memory.len(), small.iova), (12, Iova(0x10_0000)));
        assert_eq!((page.memory.address(), page.iova), (VirtAddr(layout::REGIONS + 0x1000), Iova(0x10_1000)));
        assert_eq!(pool.allocate(0x2000, 8), Err(RangeError::Full));
    }

    #[test]
    fn pieces_come_back_once() {
        let mut pool = pool();
        let piece = pool.allocate(12, 1).expect("room");
        assert_eq!(pool.release(piece), Ok(()));
        assert_eq!(pool.release(piece), Err(RangeError::Foreign));
        assert!(pool.allocate(0x3000, 8).is_ok(), "all of it is free again");
    }
}
