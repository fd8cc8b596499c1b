//! The kernel's file, and where it, its first file system and its device tree go.
//!
//! Linux, Documentation/arch/arm64/booting.rst: an arm64 `Image` begins with a header of 64 bytes; it is put at a 2 MiB
//! boundary plus `text_offset`, and needs `image_size` bytes from there. The device tree is at most 2 MiB and is put where
//! no block of 2 MiB holds anything else; the initial file system is within 32 GiB of the kernel, counted from a boundary of
//! 1 GiB.

use core::error::Error;
use core::fmt;

use crate::layout::{RAM_BASE, Range};
use crate::memory::GuestPhysAddr;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 64;
/// Boundary of the kernel, and of everything beside it.
pub const ALIGNMENT: u64 = 2 << 20;
/// Most bytes of a device tree.
pub const MAX_TREE_BYTES: u64 = 2 << 20;

/// `ARM\x64`, at byte 0x38.
const MAGIC: u32 = u32::from_le_bytes(*b"ARM\x64");
/// No guest-physical address is wider than 48 bits; sums of offsets in RAM do not wrap.
const MOST_RAM: u64 = 1 << 48;
/// Farthest end of the initial file system from the base of RAM, which is a boundary of 1 GiB.
const WINDOW: u64 = 32 << 30;
const _: () = assert!(RAM_BASE.is_multiple_of(1 << 30));

/// What the header of an arm64 `Image` says, and how long the file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Image {
    text_offset: u64,
    bytes: u64,
}

/// Where the guest's files go, in its physical addresses. The ranges are in RAM and no two share a block of [`ALIGNMENT`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placement {
    /// From the kernel's first byte, with all the memory that it needs before it reads the device tree.
    pub kernel: Range,
    /// The initial file system, as long as it is.
    pub initrd: Option<Range>,
    /// Room for the device tree.
    pub tree: Range,
}

/// Why a guest cannot be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// The file is shorter than a header.
    Short {
        /// Its bytes.
        bytes: u64,
    },
    /// There is no arm64 header.
    NoImage {
        /// What is where [`MAGIC`] should be.
        found: u32,
    },
    /// The kernel is for processors that run big-endian.
    BigEndian,
    /// The header is of before Linux 3.17 and does not say how much memory the kernel needs.
    SizeUnknown,
    /// The kernel wants to be at an impossible distance from its boundary.
    TextOffset {
        /// The distance.
        offset: u64,
    },
    /// RAM does not hold everything.
    RamTooSmall {
        /// What does not fit.
        what: Part,
        /// Its bytes.
        bytes: u64,
        /// What is left for it.
        left: u64,
        /// All of RAM.
        ram: u64,
    },
    /// The initial file system would end too far from the kernel.
    TooFar {
        /// Bytes from the base of RAM to its end.
        end: u64,
    },
}

/// One of a guest's files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The kernel with its memory.
    Kernel,
    /// The device tree.
    Tree,
    /// The initial file system.
    Initrd,
}

impl Image {
    /// Reads the header of a file of `bytes` bytes that begins with `start`.
    ///
    /// # Errors
    /// When it is no arm64 `Image` for a little-endian processor.
    pub fn read(start: &[u8], bytes: u64) -> Result<Self, LoadError> {
        let header = start.first_chunk::<HEADER_BYTES>().filter(|_| bytes >= HEADER_BYTES as u64);
        let header = header.ok_or(LoadError::Short { bytes: bytes.min(start.len() as u64) })?;
        let double = |at: usize| u64::from_le_bytes(core::array::from_fn(|byte| header[at + byte]));
        let (text_offset, image_size, flags) = (double(0x08), double(0x10), double(0x18));
        let found = double(0x38) as u32;
        if found != MAGIC {
            return Err(LoadError::NoImage { found });
        }
        if flags & 1 != 0 {
            return Err(LoadError::BigEndian);
        }
        if image_size == 0 {
            return Err(LoadError::SizeUnknown);
        }
        if text_offset >= ALIGNMENT || !text_offset.is_multiple_of(0x1000) {
            return Err(LoadError::TextOffset { offset: text_offset });
        }
        // Zeroed memory behind the file is part of `image_size`; a signature behind the kernel is not.
        Ok(Self { text_offset, bytes: image_size.max(bytes) })
    }

    /// Places everything in `ram` bytes of RAM: the kernel at the start, then room for the device tree, then the initial
    /// file system of `initrd` bytes.
    ///
    /// # Errors
    /// When it does not fit; the error names what.
    pub fn place(&self, initrd: Option<u64>, ram: u64) -> Result<Placement, LoadError> {
        let ram = ram.min(MOST_RAM);
        let mut next = self.text_offset;
        let mut take = |what: Part, bytes: u64| {
            let left = ram.saturating_sub(next);
            if bytes > left {
                return Err(LoadError::RamTooSmall { what, bytes, left, ram });
            }
            let range = Range { base: RAM_BASE + next, size: bytes };
            next = (next + bytes).next_multiple_of(ALIGNMENT);
            Ok(range)
        };
        let kernel = take(Part::Kernel, self.bytes)?;
        let tree = take(Part::Tree, MAX_TREE_BYTES)?;
        let initrd = initrd.filter(|bytes| *bytes > 0).map(|bytes| take(Part::Initrd, bytes)).transpose()?;
        match initrd.map(|range| range.base - RAM_BASE + range.size) {
            Some(end) if end > WINDOW => Err(LoadError::TooFar { end }),
            _ => Ok(Placement { kernel, initrd, tree }),
        }
    }
}

impl Placement {
    /// Where the first processor starts; it finds [`Placement::tree`]'s address in x0, and zeros in x1 to x3.
    #[must_use]
    pub const fn entry(&self) -> GuestPhysAddr {
        GuestPhysAddr(self.kernel.base)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "the kernel",
            Self::Tree => "the device tree",
            Self::Initrd => "the initial file system",
        })
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { bytes } => {
                write!(f, "the kernel has {bytes} bytes, which is less than an arm64 Image's header")
            }
            Self::NoImage { found } => write!(
                f,
                "the kernel is no arm64 Image: {found:#010x} at byte 0x38 instead of {MAGIC:#010x} (a compressed kernel \
                 must be unpacked first)"
            ),
            Self::BigEndian => f.write_str("the kernel is big-endian"),
            Self::SizeUnknown => {
                f.write_str("the kernel does not say how much memory it needs; Linux 3.17 and later do")
            }
            Self::TextOffset { offset } => {
                write!(f, "the kernel wants to be {offset:#x} bytes behind a boundary of 2 MiB")
            }
            Self::RamTooSmall { what, bytes, left, ram } => write!(
                f,
                "{what} needs {bytes} bytes, and {left} are left for it of the guest's {} MiB of RAM",
                ram >> 20
            ),
            Self::TooFar { end } => {
                write!(
                    f,
                    "the initial file system ends {end:#x} bytes into RAM, and Linux wants it within 32 GiB of itself"
                )
            }
        }
    }
}

impl Error for LoadError {}

#[cfg(test)]
mod tests;
