//! Memory at boot: what is free, and pieces taken from it.

use sluice_abi::PhysAddr;

/// Ranges a boot can keep apart.
const MAX_RANGES: usize = 64;

/// Bytes `start..end` of physical memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Range {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl Range {
    /// Bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}

/// Disjoint ranges in ascending order.
#[derive(Clone, Debug)]
pub struct Ranges {
    ranges: [Range; MAX_RANGES],
    count: usize,
}

/// More ranges than a boot can keep apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany;

impl Ranges {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: [Range { start: 0, end: 0 }; MAX_RANGES], count: 0 }
    }

    /// The ranges.
    pub fn iter(&self) -> impl Iterator<Item = Range> + '_ {
        self.ranges[..self.count].iter().copied()
    }

    /// Adds a range, merging it with those it touches.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn add(&mut self, new: Range) -> Result<(), TooMany> {
        if new.is_empty() {
            return Ok(());
        }
        let mut merged = new;
        let mut out = Self::new();
        for range in self.iter() {
            if range.end < merged.start || merged.end < range.start {
                out.push(range)?;
            } else {
                merged = Range { start: merged.start.min(range.start), end: merged.end.max(range.end) };
            }
        }
        out.push(merged)?;
        out.ranges[..out.count].sort_unstable_by_key(|range| range.start);
        *self = out;
        Ok(())
    }

    /// Takes a range out.
    ///
    /// # Errors
    /// [`TooMany`], when that splits a range and there is no room.
    pub fn remove(&mut self, gone: Range) -> Result<(), TooMany> {
        let mut out = Self::new();
        for range in self.iter() {
            out.push(Range { start: range.start, end: range.end.min(gone.start).max(range.start) })?;
            out.push(Range { start: range.start.max(gone.end).min(range.end), end: range.end })?;
        }
        *self = out;
        Ok(())
    }

    fn push(&mut self, range: Range) -> Result<(), TooMany> {
        if range.is_empty() {
            return Ok(());
        }
        *self.ranges.get_mut(self.count).ok_or(TooMany)? = range;
        self.count += 1;
        Ok(())
    }

    /// Takes `bytes` aligned to 2^`align_bits` from the end of the last range that has them.
    pub fn allocate(&mut self, bytes: u64, align_bits: u32) -> Option<PhysAddr> {
        let mask = (1u64 << align_bits) - 1;
        let start = self.ranges[..self.count].iter().rev().find_map(|range| {
            let start = range.end.checked_sub(bytes)? & !mask;
            (start >= range.start).then_some(start)
        })?;
        self.remove(Range { start, end: start + bytes }).ok()?;
        Some(PhysAddr(start))
    }
}

impl Default for Ranges {
    fn default() -> Self {
        Self::new()
    }
}

/// The naturally aligned power-of-two blocks that make up a range, ascending: log2 of the size of each.
pub fn blocks(range: Range, min_bits: u32, max_bits: u32) -> impl Iterator<Item = (PhysAddr, u32)> {
    let mut at = range.start;
    core::iter::from_fn(move || {
        loop {
            if at >= range.end {
                return None;
            }
            let fits = (range.end - at).ilog2();
            let bits = fits.min(at.trailing_zeros()).min(max_bits);
            let start = PhysAddr(at);
            at += 1 << bits;
            if bits >= min_bits {
                return Some((start, bits));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    extern crate std;
    use std::vec::Vec;

    #[test]
    fn blocks_cover_a_range_exactly() {
        let range = Range { start: 0x4020_3000, end: 0x8000_0000 };
        let mut at = range.start;
        for (start, bits) in blocks(range, 4, 47) {
            assert_eq!(start.0, at);
            assert_eq!(start.0 % (1 << bits), 0);
            at += 1 << bits;
        }
        assert_eq!(at, range.end);
    }

    #[test]
    fn ranges_merge_split_and_allocate() {
        let mut ranges = Ranges::new();
        ranges.add(Range { start: 0x1000, end: 0x3000 }).unwrap();
        ranges.add(Range { start: 0x5000, end: 0x6000 }).unwrap();
        ranges.add(Range { start: 0x3000, end: 0x5000 }).unwrap();
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [Range { start: 0x1000, end: 0x6000 }]);
        ranges.remove(Range { start: 0x2000, end: 0x2800 }).unwrap();
        assert_eq!(ranges.allocate(0x2000, 13), Some(PhysAddr(0x4000)));
        let left: Vec<_> = ranges.iter().collect();
        assert_eq!(left, [Range { start: 0x1000, end: 0x2000 }, Range { start: 0x2800, end: 0x4000 }]);
        assert_eq!(ranges.allocate(0x10000, 0), None);
    }
}
