//! Why a well-formed device tree describes no machine that can be worked with.

use core::fmt;

use crate::list::Full;
use crate::specifier::Specifier;
use crate::{NodePath, Region};

/// What is wrong, and where: prints as one line that names the node and the property.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MachineError<'b> {
    /// The node.
    pub node: NodePath<'b>,
    /// The property; empty when the node as such is meant.
    pub property: &'static str,
    /// What is wrong with it.
    pub problem: Problem<'b>,
}

/// What is wrong with a property or node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem<'b> {
    /// It is not there.
    Missing,
    /// It has no child or descendant that is needed.
    NoNode(&'static str),
    /// The length of its value is no multiple of what one entry takes, or it has no entry.
    Length {
        /// Bytes of the value.
        bytes: usize,
        /// Bytes of one entry.
        entry: usize,
    },
    /// Fewer entries than needed.
    TooFew {
        /// Entries there.
        found: usize,
        /// Entries needed.
        needed: usize,
    },
    /// More than can be handled.
    TooMany {
        /// Most that can be handled.
        limit: usize,
    },
    /// A count of cells that cannot be worked with.
    Cells(u32),
    /// The value is no terminated printable string.
    NoString,
    /// A string with a value that is not supported.
    Unsupported {
        /// The value.
        found: &'b str,
        /// What would be.
        wanted: &'static str,
    },
    /// A number with a value that is not supported.
    Number {
        /// The value.
        found: u64,
        /// What would be.
        wanted: &'static str,
    },
    /// An empty range, or one that ends beyond the 44-bit physical address space.
    Range {
        /// First address.
        base: u64,
        /// Bytes.
        size: u64,
    },
    /// A range of PCI addresses that ends beyond what its space has.
    PciRange {
        /// First address.
        base: u64,
        /// Bytes.
        size: u64,
        /// Bits of an address of the space.
        bits: u32,
    },
    /// Two ranges that should have nothing in common.
    Overlap(Region, Region),
    /// An address that the parent buses do not pass on.
    Untranslated(u64),
    /// A range too small for what it holds.
    TooSmall {
        /// The range.
        region: Region,
        /// Bytes needed.
        needed: u64,
    },
    /// No node has this phandle.
    Phandle(u32),
    /// No node has this path, or no alias this name.
    NoSuchPath(&'b str),
    /// The interrupt does not end at the machine's GIC.
    NotTheGic,
    /// A map has no entry for a unit address and interrupt specifier.
    Unmapped(Specifier),
}

impl<'b> MachineError<'b> {
    /// An error about a property.
    #[must_use]
    pub const fn new(node: NodePath<'b>, property: &'static str, problem: Problem<'b>) -> Self {
        Self { node, property, problem }
    }
}

impl From<Full> for Problem<'_> {
    fn from(full: Full) -> Self {
        Self::TooMany { limit: full.capacity }
    }
}

impl fmt::Display for MachineError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device tree: {}: ", self.node)?;
        if !self.property.is_empty() {
            write!(f, "{}: ", self.property)?;
        }
        self.problem.fmt(f)
    }
}

impl fmt::Debug for MachineError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MachineError({self})")
    }
}

impl core::error::Error for MachineError<'_> {}

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Missing => f.write_str("is missing"),
            Self::NoNode(what) => write!(f, "has no {what}"),
            Self::Length { bytes, entry } => write!(f, "has {bytes} bytes, not entries of {entry}"),
            Self::TooFew { found, needed } => write!(f, "has {found} entries where {needed} are needed"),
            Self::TooMany { limit } => write!(f, "more than the {limit} that can be handled"),
            Self::Cells(cells) => write!(f, "{cells} cells cannot be worked with"),
            Self::NoString => f.write_str("is no terminated printable string"),
            Self::Unsupported { found, wanted } => write!(f, "\"{found}\" is not supported, only {wanted}"),
            Self::Number { found, wanted } => write!(f, "{found} is not supported, only {wanted}"),
            Self::Range { size: 0, base } => write!(f, "the range at {base:#x} is empty"),
            Self::Range { base, size } => {
                write!(f, "{size:#x} bytes at {base:#x} reach beyond the 44-bit physical address space")
            }
            Self::PciRange { base, size, bits } => {
                write!(f, "{size:#x} bytes at {base:#x} reach beyond the {bits}-bit PCI address space")
            }
            Self::Overlap(first, second) => write!(f, "{first} and {second} overlap"),
            Self::Untranslated(address) => {
                write!(f, "{address:#x} is in no range that the parent buses pass on")
            }
            Self::TooSmall { region, needed } => write!(f, "{region} is smaller than the {needed:#x} bytes needed"),
            Self::Phandle(phandle) => write!(f, "no node has the phandle {phandle:#x}"),
            Self::NoSuchPath(path) => write!(f, "there is no \"{path}\""),
            Self::NotTheGic => f.write_str("does not end at the machine's GIC"),
            Self::Unmapped(specifier) => write!(f, "has no entry for {specifier}"),
        }
    }
}
