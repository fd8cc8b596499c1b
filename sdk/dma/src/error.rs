//! What keeps a device from getting memory, or memory from being taken from it.

use core::fmt;

use sluice_rt::RtError;
use sluice_sys::Failure;

use crate::ranges::RangeError;

/// Why a device cannot be given memory, or it cannot be taken away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DmaError {
    /// The addresses.
    Range(RangeError),
    /// The runtime or the kernel.
    Rt(RtError),
    /// There are no pages in what is to be mapped.
    Empty,
    /// Pages of several sizes cannot be laid end to end.
    MixedSizes,
    /// The space has no translation table of its own at this address to take out.
    NoTable(sluice_abi::Iova),
}

impl From<RangeError> for DmaError {
    fn from(error: RangeError) -> Self {
        Self::Range(error)
    }
}

impl From<RtError> for DmaError {
    fn from(error: RtError) -> Self {
        Self::Rt(error)
    }
}

impl fmt::Display for DmaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(error) => error.fmt(f),
            Self::Rt(error) => error.fmt(f),
            Self::Empty => f.write_str("there are no pages to map"),
            Self::MixedSizes => f.write_str("pages of several sizes cannot be mapped end to end"),
            Self::NoTable(iova) => write!(f, "no translation table was made for {:#x}", iova.0),
        }
    }
}

impl core::error::Error for DmaError {}

impl DmaError {
    /// The kernel's refusal, if it is one.
    #[must_use]
    pub const fn refusal(&self) -> Option<Failure> {
        match self {
            Self::Rt(RtError::Refused { failure, .. }) => Some(*failure),
            Self::Rt(
                RtError::Missing(_)
                | RtError::NoSlots
                | RtError::Answer { .. }
                | RtError::Server { .. }
                | RtError::Address(_),
            )
            | Self::Range(_)
            | Self::Empty
            | Self::MixedSizes
            | Self::NoTable(_) => None,
        }
    }
}
