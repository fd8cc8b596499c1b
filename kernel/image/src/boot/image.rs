//! The root task behind the kernel.

use core::fmt;

use sluice_abi::image::{BootHeader, BootHeaderError, Checksum};
use sluice_abi::{PAGE_SIZE, PhysAddr};
use sluice_core::boot::{Ranges, RootImage};

use crate::{layout, phys};

/// Why there is no root task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ImageError {
    /// The header is none.
    Header(BootHeaderError),
    /// The pages do not lie in memory.
    Outside,
    /// The pages are damaged.
    Checksum {
        /// What the header says.
        expected: u64,
        /// What the pages have.
        found: u64,
    },
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(error) => write!(f, "{error}"),
            Self::Outside => write!(f, "the boot image reaches beyond memory"),
            Self::Checksum { expected, found } => {
                write!(f, "the boot image is damaged: checksum {found:#x}, its header says {expected:#x}")
            }
        }
    }
}

/// Finds the root task behind the kernel, and checks it.
pub(super) fn find(load: PhysAddr, ram: &Ranges) -> Result<RootImage, ImageError> {
    let header_at = layout::boot_header(load);
    let words = core::array::from_fn(|index| phys::load(header_at.offset(8 * index as u64)));
    let header = BootHeader::decode(words).map_err(ImageError::Header)?;
    let at = header_at.offset(PAGE_SIZE);
    let bytes = header.user_pages * PAGE_SIZE;
    if !ram.iter().any(|range| range.start <= at.0 && at.0 + bytes <= range.end) {
        return Err(ImageError::Outside);
    }
    let found = Checksum::of((0..bytes / 8).map(|index| phys::load(at.offset(8 * index)))).value();
    if found != header.checksum {
        return Err(ImageError::Checksum { expected: header.checksum, found });
    }
    Ok(RootImage {
        at,
        pages: header.user_pages,
        vaddr: header.user_vstart.0,
        entry: header.user_entry.0,
        cnode_bits: header.cnode_bits as u32,
    })
}
