//! Why a component cannot be laid out.

use alloc::string::String;
use core::fmt;

/// A spec that contradicts itself; `capdl-gen` writes none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlanError {
    /// A position lies outside the list it refers to.
    Reference(&'static str),
    /// A region is to be written but not read, which stage 2 does not do.
    WriteOnly(String),
    /// A size or address is no multiple of its pages.
    Unaligned(u64),
    /// The range is outside the area for it.
    Outside {
        /// First address.
        at: u64,
        /// Bytes.
        size: u64,
    },
    /// The range holds something already.
    Overlap(u64),
    /// There are more signals than badge bits.
    Signals,
    /// A guest cannot have a stage 1 of its own.
    Nested(&'static str),
    /// A guest's function has another number of streams than the one that the guest can tell it by.
    Streams(String, usize),
    /// The component's devices share an interrupt that is edge-triggered for one only.
    Trigger(u32),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference(what) => write!(f, "the spec refers to a {what} it does not contain"),
            Self::WriteOnly(region) => write!(f, "region {region} cannot be writable and not readable"),
            Self::Unaligned(at) => write!(f, "{at:#x} is no multiple of the page size"),
            Self::Outside { at, size } => write!(f, "{at:#x}+{size:#x} is outside the address range for it"),
            Self::Overlap(at) => write!(f, "something is mapped at {at:#x} already"),
            Self::Signals => f.write_str("more signals than a notification has bits for"),
            Self::Nested(why) => f.write_str(why),
            Self::Streams(device, streams) => {
                write!(f, "{device}: a guest's device has one stream, and this {streams}")
            }
            Self::Trigger(intid) => write!(f, "interrupt {intid} is both level- and edge-triggered"),
        }
    }
}
