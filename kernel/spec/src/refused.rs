//! Refusals, with what the answer says about them.

use alloc::vec::Vec;

use sluice_abi::{Error, LookupFailure};

/// Why an invocation is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The argument with this number.
    InvalidArgument(u64),
    /// The capability with this number; 0 is the invoked one.
    InvalidCapability(u64),
    /// The object does not do that, or not now.
    IllegalOperation,
    /// Not between these, both allowed.
    Range {
        /// Least.
        min: u64,
        /// Greatest.
        max: u64,
    },
    /// Bits are set below an alignment.
    Alignment,
    /// A name led nowhere.
    FailedLookup {
        /// Whether it was to name what is copied or moved.
        source: bool,
        /// How far it led.
        failure: LookupFailure,
    },
    /// Too few words or capabilities.
    Truncated,
    /// The place is in use.
    DeleteFirst,
    /// It has descendants, or is in use.
    RevokeFirst,
    /// Only so many bytes are left.
    NotEnoughMemory(u64),
}

impl Refused {
    /// A destination whose name led nowhere.
    pub(crate) const fn target(failure: LookupFailure) -> Self {
        Self::FailedLookup { source: false, failure }
    }

    /// Label and words of the answer.
    #[must_use]
    pub fn answer(&self) -> (Error, Vec<u64>) {
        let (error, words): (_, &[u64]) = match self {
            Self::InvalidArgument(number) => (Error::InvalidArgument, &[*number]),
            Self::InvalidCapability(number) => (Error::InvalidCapability, &[*number]),
            Self::IllegalOperation => (Error::IllegalOperation, &[]),
            Self::Range { min, max } => (Error::RangeError, &[*min, *max]),
            Self::Alignment => (Error::AlignmentError, &[]),
            Self::FailedLookup { source, failure } => {
                let (kind, words, count) = failure.words();
                let first = [u64::from(*source), kind];
                return (Error::FailedLookup, first.iter().chain(&words[..count]).copied().collect());
            }
            Self::Truncated => (Error::TruncatedMessage, &[]),
            Self::DeleteFirst => (Error::DeleteFirst, &[]),
            Self::RevokeFirst => (Error::RevokeFirst, &[]),
            Self::NotEnoughMemory(bytes) => (Error::NotEnoughMemory, &[*bytes]),
        };
        (error, words.to_vec())
    }
}
