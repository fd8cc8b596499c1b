//! Errors of invocations inside the kernel, with what their replies carry.

use sluice_abi::{Error, LookupFailure};

/// Why an invocation was refused. It has changed nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyscallError {
    /// The argument with this number.
    InvalidArgument(u64),
    /// The capability with this number; 0 is the invoked one.
    InvalidCapability(u64),
    /// The object does not do that, or not now.
    IllegalOperation,
    /// Outside these bounds.
    Range {
        /// Least value allowed.
        min: u64,
        /// Greatest value allowed.
        max: u64,
    },
    /// Not aligned.
    Alignment,
    /// A capability pointer did not resolve.
    FailedLookup {
        /// Whether it was the source's.
        source: bool,
        /// How.
        failure: LookupFailure,
    },
    /// Too few words or capabilities.
    Truncated,
    /// In use.
    DeleteFirst,
    /// Has descendants, or is in use.
    RevokeFirst,
    /// Only so many bytes are left.
    NotEnoughMemory(u64),
}

impl SyscallError {
    /// A failed lookup of a destination.
    #[must_use]
    pub const fn target(failure: LookupFailure) -> Self {
        Self::FailedLookup { source: false, failure }
    }

    /// The label of the reply, its words, and how many of them count.
    #[must_use]
    pub fn reply(self) -> (Error, [u64; 5], usize) {
        match self {
            Self::InvalidArgument(number) => (Error::InvalidArgument, [number, 0, 0, 0, 0], 1),
            Self::InvalidCapability(number) => (Error::InvalidCapability, [number, 0, 0, 0, 0], 1),
            Self::IllegalOperation => (Error::IllegalOperation, [0; 5], 0),
            Self::Range { min, max } => (Error::RangeError, [min, max, 0, 0, 0], 2),
            Self::Alignment => (Error::AlignmentError, [0; 5], 0),
            Self::FailedLookup { source, failure } => {
                let (kind, words, count) = failure.words();
                (Error::FailedLookup, [source.into(), kind, words[0], words[1], words[2]], 2 + count)
            }
            Self::Truncated => (Error::TruncatedMessage, [0; 5], 0),
            Self::DeleteFirst => (Error::DeleteFirst, [0; 5], 0),
            Self::RevokeFirst => (Error::RevokeFirst, [0; 5], 0),
            Self::NotEnoughMemory(bytes) => (Error::NotEnoughMemory, [bytes, 0, 0, 0, 0], 1),
        }
    }
}

/// An interrupt came while a long operation was under way; the system call starts over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Preempted;
