//! Physical region pages: how a command names its data (4.3).

use core::fmt;

use sluice_abi::Iova;

/// Bytes of a page (CC.MPS = 0).
pub const PAGE: u64 = 4096;
/// log2 of [`PAGE`].
pub const PAGE_BITS: u32 = 12;

/// The two data pointers of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pointers {
    /// First page, from an offset inside it.
    pub first: Iova,
    /// Nothing, the second page, or the list of all further pages.
    pub second: Iova,
}

/// Where the list of a command may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct List {
    /// Where the controller finds it; entries must not cross a page, as this driver does not chain lists.
    pub iova: Iova,
    /// Entries it has room for.
    pub entries: usize,
}

/// Why a range cannot be named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrpError {
    /// It has no bytes.
    Empty,
    /// Its start is not a multiple of four.
    Misaligned,
    /// It ends beyond the last address.
    Wraps,
    /// It touches more pages than the list has room for.
    TooLong,
}

impl fmt::Display for PrpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty transfer",
            Self::Misaligned => "a transfer that does not start at a multiple of four",
            Self::Wraps => "a transfer beyond the end of the address space",
            Self::TooLong => "a transfer over more pages than a PRP list holds",
        })
    }
}

/// Names the `bytes` from `start` on, which are contiguous for the controller; list entries go to `put`.
///
/// # Errors
/// When the range cannot be named; then nothing was put.
pub fn build(start: Iova, bytes: u64, list: List, mut put: impl FnMut(usize, Iova)) -> Result<Pointers, PrpError> {
    if bytes == 0 {
        return Err(PrpError::Empty);
    }
    if !start.is_aligned(2) {
        return Err(PrpError::Misaligned);
    }
    let last = start.0.checked_add(bytes - 1).ok_or(PrpError::Wraps)?;
    let first_page = start.align_down(PAGE_BITS);
    let further = (last >> PAGE_BITS) - (start.0 >> PAGE_BITS);
    let second = match further {
        0 => Iova(0),
        1 => first_page.offset(PAGE),
        _ => {
            let fits_page = (PAGE - (list.iova.0 & (PAGE - 1))) / 8;
            if further > (list.entries as u64).min(fits_page) {
                return Err(PrpError::TooLong);
            }
            for index in 0..further {
                put(index as usize, first_page.offset((index + 1) * PAGE));
            }
            list.iova
        }
    };
    Ok(Pointers { first: start, second })
}
