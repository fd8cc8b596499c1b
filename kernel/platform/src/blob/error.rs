//! Why bytes are no device tree that can be read safely.

use core::fmt;

use super::{MAX_BLOB_BYTES, MAX_DEPTH, MAX_PROPERTIES};

/// A part of the blob that the header places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Block {
    /// Memory reservation block.
    Reservations,
    /// Structure block.
    Structure,
    /// Strings block.
    Strings,
}

/// What is wrong with a blob. Offsets count bytes from its first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlobError {
    /// Fewer bytes than a header, or than the header announces.
    Truncated {
        /// Bytes needed.
        needed: u64,
        /// Bytes there.
        found: usize,
    },
    /// The first word is not 0xd00dfeed.
    Magic(u32),
    /// Written for readers that this is not.
    Version {
        /// Version of the blob.
        version: u32,
        /// Oldest version it claims to be readable as.
        compatible: u32,
    },
    /// `totalsize` is beyond what the boot protocol permits.
    TooLarge(u32),
    /// The header places a block outside the blob.
    OutOfBounds(Block),
    /// The header places a block at an address its words do not allow.
    Misaligned(Block),
    /// The reservation block has no terminating entry.
    UnterminatedReservations,
    /// A reserved range ends beyond 2^64.
    ReservationOverflow {
        /// Where its entry is.
        offset: usize,
    },
    /// The structure block ends inside a token, name or value.
    CutOff {
        /// Where what was cut off begins.
        offset: usize,
    },
    /// A word that is no token, or a token where it cannot be.
    UnexpectedToken {
        /// The word.
        token: u32,
        /// Where it is.
        offset: usize,
    },
    /// A NOP token. The specification allows it, the tree reader does not survive it;
    /// [`remove_nops`](super::remove_nops) takes it out.
    Nop {
        /// Where it is.
        offset: usize,
    },
    /// A node name with characters that no path can hold, or none at all, or a root that has one.
    NodeName {
        /// Where the name is.
        offset: usize,
    },
    /// A property whose name is outside the strings block, unterminated or unprintable.
    PropertyName {
        /// Where the property is.
        offset: usize,
    },
    /// A property that the node already has.
    DuplicateProperty {
        /// Where the second is.
        offset: usize,
    },
    /// More properties in one node than is sensible.
    TooManyProperties {
        /// Where the first too many is.
        offset: usize,
    },
    /// Nodes nested too deeply.
    TooDeep {
        /// Where the first node too deep is.
        offset: usize,
    },
    /// `#address-cells`, `#size-cells`, `#interrupt-cells` or `phandle` is not one word.
    CellLength {
        /// Where the property is.
        offset: usize,
    },
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reservations => "reservation block",
            Self::Structure => "structure block",
            Self::Strings => "strings block",
        })
    }
}

impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("device tree blob: ")?;
        match *self {
            Self::Truncated { needed, found } => write!(f, "{found} bytes where {needed} are needed"),
            Self::Magic(word) => write!(f, "starts with {word:#010x}, not 0xd00dfeed"),
            Self::Version { version, compatible } => {
                write!(f, "version {version} (compatible with {compatible}) cannot be read, only 17")
            }
            Self::TooLarge(bytes) => write!(f, "{bytes} bytes, more than the {MAX_BLOB_BYTES} a boot loader may pass"),
            Self::OutOfBounds(block) => write!(f, "the {block} lies outside the blob"),
            Self::Misaligned(block) => write!(f, "the {block} is misaligned"),
            Self::UnterminatedReservations => f.write_str("the reservation block has no end"),
            Self::ReservationOverflow { offset } => {
                write!(f, "the reservation at offset {offset:#x} ends beyond 2^64")
            }
            Self::CutOff { offset } => write!(f, "the structure block ends inside what begins at offset {offset:#x}"),
            Self::UnexpectedToken { token, offset } => {
                write!(f, "unexpected token {token:#x} at offset {offset:#x}")
            }
            Self::Nop { offset } => write!(f, "NOP token at offset {offset:#x}; recompile the tree with dtc"),
            Self::NodeName { offset } => write!(f, "bad node name at offset {offset:#x}"),
            Self::PropertyName { offset } => write!(f, "bad property name at offset {offset:#x}"),
            Self::DuplicateProperty { offset } => write!(f, "duplicate property at offset {offset:#x}"),
            Self::TooManyProperties { offset } => {
                write!(f, "more than {MAX_PROPERTIES} properties in the node around offset {offset:#x}")
            }
            Self::TooDeep { offset } => {
                write!(f, "nodes nested deeper than {MAX_DEPTH} at offset {offset:#x}")
            }
            Self::CellLength { offset } => write!(f, "property at offset {offset:#x} is not one 32-bit word"),
        }
    }
}

impl core::error::Error for BlobError {}
