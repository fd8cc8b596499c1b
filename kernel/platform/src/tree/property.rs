//! Values of properties.

/// A value read as big-endian cells from its start.
#[derive(Clone, Copy)]
pub(crate) struct Cells<'b> {
    rest: &'b [u8],
}

impl<'b> Cells<'b> {
    pub(crate) fn new(value: &'b [u8]) -> Self {
        Self { rest: value }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next cell.
    pub(crate) fn word(&mut self) -> Option<u32> {
        let (first, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u32::from_be_bytes(*first))
    }

    /// The next `cells` cells as one number: none is 0, more than two must have leading zeros.
    pub(crate) fn number(&mut self, cells: u32) -> Option<u64> {
        let mut value = 0u64;
        for _ in 0..cells {
            if value >> 32 != 0 {
                return None;
            }
            value = value << 32 | u64::from(self.word()?);
        }
        Some(value)
    }

    /// The next `cells` cells as they are.
    pub(crate) fn take(&mut self, cells: u32) -> Option<Self> {
        let bytes = (cells as usize).checked_mul(4)?;
        let (first, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(Self { rest: first })
    }
}

/// The value as one terminated, printable string.
pub(crate) fn text(value: &[u8]) -> Option<&str> {
    let (last, text) = value.split_last()?;
    let printable = text.iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic());
    if *last == 0 && printable { core::str::from_utf8(text).ok() } else { None }
}

/// The terminated, printable strings of a list; what is not printable is left out.
pub(crate) fn strings(value: &[u8]) -> impl Iterator<Item = &str> {
    value.split_inclusive(|&byte| byte == 0).filter_map(text)
}
