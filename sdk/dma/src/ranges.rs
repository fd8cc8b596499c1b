//! Which parts of an address range are free.

use alloc::vec::Vec;
use core::fmt;

/// Addresses `start..end`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Range {
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
}

/// Why addresses cannot be given or taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeError {
    /// No free part is large enough.
    Full,
    /// The addresses are not all free.
    Taken,
    /// The addresses are outside the whole, or were free already.
    Foreign,
    /// The size is 0, or the alignment no power of two.
    Shape,
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no free range is large enough",
            Self::Taken => "the range is in use",
            Self::Foreign => "the range was not given out",
            Self::Shape => "the size is 0 or the alignment no power of two",
        })
    }
}

impl core::error::Error for RangeError {}

/// The free parts of a range: disjoint, not adjacent, ascending.
///
/// First fit from the lowest address, so that devices with few address bits find room as long as there is any.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ranges {
    whole: Range,
    free: Vec<Range>,
}

impl Ranges {
    /// All of `start..end` is free; an empty range when they are the wrong way round.
    #[must_use]
    pub fn new(start: u64, end: u64) -> Self {
        let whole = Range { start, end: end.max(start) };
        let free = if whole.start < whole.end { alloc::vec![whole] } else { Vec::new() };
        Self { whole, free }
    }

    /// The addresses that a device with `address_bits` bits can emit and a table of `table_bits` bits can translate,
    /// without the first `keep_clear`: a device that was not told an address mostly uses 0.
    #[must_use]
    pub fn for_device(address_bits: u8, table_bits: u32, keep_clear: u64) -> Self {
        let bits = u32::from(address_bits).min(table_bits).min(63);
        Self::new(keep_clear, 1 << bits)
    }

    /// The lowest free `size` addresses aligned to `align`.
    ///
    /// # Errors
    /// When there are none.
    pub fn allocate(&mut self, size: u64, align: u64) -> Result<u64, RangeError> {
        if size == 0 || !align.is_power_of_two() {
            return Err(RangeError::Shape);
        }
        let fitting = self.free.iter().find_map(|range| {
            let start = range.start.checked_next_multiple_of(align)?;
            (start.checked_add(size)? <= range.end).then_some(start)
        });
        let start = fitting.ok_or(RangeError::Full)?;
        self.reserve(start, size)?;
        Ok(start)
    }

    /// Takes exactly `size` addresses from `start` on.
    ///
    /// # Errors
    /// When they are not all free.
    pub fn reserve(&mut self, start: u64, size: u64) -> Result<(), RangeError> {
        let end = start.checked_add(size).filter(|end| *end > start).ok_or(RangeError::Shape)?;
        let inside = |range: &Range| range.start <= start && end <= range.end;
        let index = self.free.iter().position(inside).ok_or(RangeError::Taken)?;
        let hole = self.free[index];
        let parts = [Range { start: hole.start, end: start }, Range { start: end, end: hole.end }];
        self.free.splice(index..=index, parts.into_iter().filter(|part| part.start < part.end));
        Ok(())
    }

    /// Takes back addresses that were given out, in one piece or in parts.
    ///
    /// # Errors
    /// When some of them are free already, or outside the whole.
    pub fn release(&mut self, start: u64, size: u64) -> Result<(), RangeError> {
        let end = start.checked_add(size).filter(|end| *end > start).ok_or(RangeError::Shape)?;
        let next = self.free.partition_point(|range| range.start < start);
        let before = next.checked_sub(1).map(|index| self.free[index].end);
        let after = self.free.get(next).map(|range| range.start);
        let overlaps = before.is_some_and(|before| before > start) || after.is_some_and(|after| after < end);
        if overlaps || start < self.whole.start || end > self.whole.end {
            return Err(RangeError::Foreign);
        }
        match (before == Some(start), after == Some(end)) {
            (true, true) => self.free[next - 1].end = self.free.remove(next).end,
            (true, false) => self.free[next - 1].end = end,
            (false, true) => self.free[next].start = start,
            (false, false) => self.free.insert(next, Range { start, end }),
        }
        Ok(())
    }

    /// The free parts, ascending.
    #[must_use]
    pub fn free(&self) -> &[Range] {
        &self.free
    }
}

#[cfg(test)]
mod tests;
