//! The boot image as its writer and the kernel agree on it.
//!
//! A boot image is the kernel's flat binary, one page that starts with a [`BootHeader`], and the *user pages*: the
//! root task's memory image and whatever is appended to it. The kernel binary starts with the 64-byte header of the
//! arm64 boot protocol ([`arm64`]), so that ordinary loaders take the file.

use core::fmt;

use crate::{PAGE_BITS, PAGE_SIZE, USER_TOP, VirtAddr};

/// First word of a boot header.
pub const BOOT_MAGIC: u64 = u64::from_le_bytes(*b"SLUICEIM");
/// Version of the format described here.
pub const BOOT_VERSION: u64 = 1;
/// Fewest slots of a root CNode, as log2: the fixed capabilities, every Untyped of the list and a small image fit.
pub const MIN_CNODE_BITS: u64 = 10;
/// Most slots of a root CNode, as log2.
pub const MAX_CNODE_BITS: u64 = 20;

/// The header of the arm64 boot protocol (Linux documentation, "Booting AArch64 Linux", section 4).
pub mod arm64 {
    /// Bytes of the header.
    pub const LEN: usize = 64;
    /// Offset of the image's load offset from a 2 MiB boundary, 64 bits.
    pub const TEXT_OFFSET: usize = 8;
    /// Offset of the image's size in memory, 64 bits.
    pub const IMAGE_SIZE: usize = 16;
    /// Offset of the flags, 64 bits.
    pub const FLAGS: usize = 24;
    /// Offset of the magic number.
    pub const MAGIC_AT: usize = 56;
    /// The magic number.
    pub const MAGIC: [u8; 4] = *b"ARM\x64";
    /// `image_size` is the file's size rounded up to a multiple of this.
    pub const SIZE_GRANULE: u64 = 0x1_0000;
}

/// What the kernel must know to start the root task.
///
/// A value from [`BootHeader::decode`] describes page-aligned user pages within a VSpace, an entry point inside them,
/// and a root CNode of a size the kernel can make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BootHeader {
    /// Where the first user page is mapped.
    pub user_vstart: VirtAddr,
    /// Number of user pages.
    pub user_pages: u64,
    /// Where the root thread starts.
    pub user_entry: VirtAddr,
    /// log2 of the root CNode's slots.
    pub cnode_bits: u64,
    /// [`Checksum`] of the user pages.
    pub checksum: u64,
}

/// Why words are no boot header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootHeaderError {
    /// The magic number is another: the kernel runs without a root task behind it.
    Magic(u64),
    /// The format is of another version.
    Version(u64),
    /// The user pages are none, unaligned, or do not fit a VSpace.
    Range,
    /// The entry point is outside the user pages.
    Entry(VirtAddr),
    /// The root CNode cannot have this many slots.
    CNodeBits(u64),
}

impl fmt::Display for BootHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic(word) => write!(f, "no boot header behind the kernel (found {word:#x})"),
            Self::Version(version) => write!(f, "boot header has version {version}, not {BOOT_VERSION}"),
            Self::Range => write!(f, "boot header's user pages do not fit a VSpace"),
            Self::Entry(entry) => write!(f, "entry point {entry} is outside the user pages"),
            Self::CNodeBits(bits) => {
                write!(f, "root CNode of 2^{bits} slots is not within 2^{MIN_CNODE_BITS}..2^{MAX_CNODE_BITS}")
            }
        }
    }
}

impl BootHeader {
    /// Little-endian words at the start of the header page; the rest of the page is zero.
    pub const WORDS: usize = 7;

    /// The header as words.
    #[must_use]
    pub const fn encode(&self) -> [u64; Self::WORDS] {
        [
            BOOT_MAGIC,
            BOOT_VERSION,
            self.user_vstart.0,
            self.user_pages,
            self.user_entry.0,
            self.cnode_bits,
            self.checksum,
        ]
    }

    /// The header in words. The checksum is not compared: that takes the pages.
    ///
    /// # Errors
    /// [`BootHeaderError`] when the words are no header or describe something that cannot be.
    pub fn decode(words: [u64; Self::WORDS]) -> Result<Self, BootHeaderError> {
        let [magic, version, user_vstart, user_pages, user_entry, cnode_bits, checksum] = words;
        if magic != BOOT_MAGIC {
            return Err(BootHeaderError::Magic(magic));
        }
        if version != BOOT_VERSION {
            return Err(BootHeaderError::Version(version));
        }
        let size = user_pages.checked_mul(PAGE_SIZE).filter(|size| *size > 0).ok_or(BootHeaderError::Range)?;
        let end = user_vstart.checked_add(size).ok_or(BootHeaderError::Range)?;
        if !VirtAddr(user_vstart).is_aligned(PAGE_BITS) || end > USER_TOP + 1 {
            return Err(BootHeaderError::Range);
        }
        if !(user_vstart..end).contains(&user_entry) {
            return Err(BootHeaderError::Entry(VirtAddr(user_entry)));
        }
        if !(MIN_CNODE_BITS..=MAX_CNODE_BITS).contains(&cnode_bits) {
            return Err(BootHeaderError::CNodeBits(cnode_bits));
        }
        Ok(Self {
            user_vstart: VirtAddr(user_vstart),
            user_pages,
            user_entry: VirtAddr(user_entry),
            cnode_bits,
            checksum,
        })
    }
}

/// Checksum of the user pages, taken one little-endian word after the other.
///
/// It finds a truncated or overwritten image; it is no protection against somebody who wants it to match.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checksum(u64);

impl Checksum {
    /// The checksum after one more word.
    #[must_use]
    pub const fn add(self, word: u64) -> Self {
        Self((self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The checksum of `words`.
    #[must_use]
    pub fn of(words: impl IntoIterator<Item = u64>) -> Self {
        words.into_iter().fold(Self::default(), Self::add)
    }

    /// The value for [`BootHeader::checksum`].
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: BootHeader = BootHeader {
        user_vstart: VirtAddr(0x40_0000),
        user_pages: 3,
        user_entry: VirtAddr(0x40_2ffc),
        cnode_bits: 13,
        checksum: 0x1234,
    };

    fn with(index: usize, value: u64) -> Result<BootHeader, BootHeaderError> {
        let mut words = GOOD.encode();
        words[index] = value;
        BootHeader::decode(words)
    }

    #[test]
    fn a_header_survives_encoding() {
        assert_eq!(BootHeader::decode(GOOD.encode()), Ok(GOOD));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(with(0, 0), Err(BootHeaderError::Magic(0)));
        assert_eq!(with(1, 2), Err(BootHeaderError::Version(2)));
        assert_eq!(with(2, 0x40_0800), Err(BootHeaderError::Range));
        assert_eq!(with(2, USER_TOP + 1 - 2 * PAGE_SIZE), Err(BootHeaderError::Range));
        assert_eq!(with(3, 0), Err(BootHeaderError::Range));
        assert_eq!(with(3, u64::MAX), Err(BootHeaderError::Range));
        assert_eq!(with(4, 0x40_3000), Err(BootHeaderError::Entry(VirtAddr(0x40_3000))));
        assert_eq!(with(4, 0x3f_fffc), Err(BootHeaderError::Entry(VirtAddr(0x3f_fffc))));
        assert_eq!(with(5, 9), Err(BootHeaderError::CNodeBits(9)));
        assert_eq!(with(5, 21), Err(BootHeaderError::CNodeBits(21)));
    }

    #[test]
    fn the_checksum_sees_value_order_and_length() {
        let sum = |words: &[u64]| Checksum::of(words.iter().copied()).value();
        assert_eq!(sum(&[]), 0);
        assert_eq!(sum(&[1]), 0x9e37_79b9_7f4a_7c15);
        assert_ne!(sum(&[1, 2]), sum(&[2, 1]));
        assert_ne!(sum(&[1]), sum(&[1, 0]));
    }
}
