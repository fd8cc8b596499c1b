//! Ordinary memory: which Untyped the next object is made of.

use alloc::vec::Vec;

use super::{Block, Untyped};

/// The RAM Untypeds of the boot information.
#[derive(Clone, Debug, Default)]
pub struct Ram {
    blocks: Vec<Block>,
}

/// Where objects will lie once they are retyped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Slot of the Untyped to retype.
    pub untyped: u64,
    /// Physical address the kernel will choose for the first object; the others follow without gaps.
    pub base: u64,
}

impl Ram {
    /// All of `untypeds`, unused.
    #[must_use]
    pub fn new(untypeds: impl IntoIterator<Item = Untyped>) -> Self {
        Self { blocks: untypeds.into_iter().map(Block::new).collect() }
    }

    /// Adds an Untyped, unused.
    pub fn add(&mut self, untyped: Untyped) {
        self.blocks.push(Block::new(untyped));
    }

    /// Room for `count` objects of 2^`size_bits` bytes from one Untyped; `None` when no Untyped has it.
    ///
    /// Rounding the watermark up wastes what lies below, so the Untyped that loses least is taken, and of those the
    /// one with least left: large Untypeds stay whole for large objects.
    pub fn take(&mut self, size_bits: u32, count: u64) -> Option<Piece> {
        let size = 1u64.checked_shl(size_bits)?;
        let bytes = size.checked_mul(count)?;
        let (_, _, index, base) = self
            .blocks
            .iter()
            .enumerate()
            .filter_map(|(index, block)| {
                let base = block.watermark().checked_next_multiple_of(size)?;
                let left = block.end().checked_sub(base.checked_add(bytes)?)?;
                Some((base - block.watermark(), left, index, base))
            })
            .min()?;
        let block = self.blocks.get_mut(index)?;
        block.used = base + bytes - block.untyped.base;
        Some(Piece { untyped: block.untyped.cap, base })
    }

    /// Bytes above all watermarks.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.blocks.iter().map(|block| block.end() - block.watermark()).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn untyped(cap: u64, base: u64, size_bits: u8) -> Untyped {
        Untyped { cap, base, size_bits }
    }

    #[test]
    fn small_objects_leave_the_large_untyped_alone() {
        let mut ram = Ram::new([untyped(1, 0x4000_0000, 21), untyped(2, 0x4020_0000, 12)]);
        assert_eq!(ram.take(4, 1), Some(Piece { untyped: 2, base: 0x4020_0000 }));
        assert_eq!(ram.take(21, 1), Some(Piece { untyped: 1, base: 0x4000_0000 }));
        assert_eq!(ram.take(12, 1), None);
        assert_eq!(ram.take(11, 1), Some(Piece { untyped: 2, base: 0x4020_0800 }));
    }

    #[test]
    fn absurd_sizes_are_refused() {
        let mut ram = Ram::new([untyped(1, 0, 30)]);
        assert_eq!(ram.take(64, 1), None);
        assert_eq!(ram.take(12, u64::MAX), None);
        assert_eq!(ram.take(31, 1), None);
        assert_eq!(ram.left(), 1 << 30);
    }

    proptest! {
        #[test]
        fn pieces_are_aligned_inside_and_disjoint(requests in prop::collection::vec((4u32..22, 1u64..40), 1..80)) {
            let untypeds = [untyped(7, 0x4000_0000, 24), untyped(8, 0x4110_0000, 20), untyped(9, 0x4200_1000, 12)];
            let mut ram = Ram::new(untypeds);
            let mut taken: Vec<(u64, u64)> = Vec::new();
            for (bits, count) in requests {
                let before = ram.left();
                let Some(piece) = ram.take(bits, count) else {
                    prop_assert_eq!(ram.left(), before);
                    continue;
                };
                let end = piece.base + (count << bits);
                let home = untypeds.iter().find(|home| home.cap == piece.untyped).unwrap();
                prop_assert!(piece.base.is_multiple_of(1 << bits));
                prop_assert!(piece.base >= home.base && end <= home.base + (1 << home.size_bits));
                prop_assert!(taken.iter().all(|(from, to)| end <= *from || *to <= piece.base));
                prop_assert!(ram.left() <= before - (count << bits));
                taken.push((piece.base, end));
            }
        }
    }
}
