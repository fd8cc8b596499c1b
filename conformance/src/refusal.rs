//! How the interface says no.

use sluice_abi::{Error, LookupFailure};

/// An error with everything its reply says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The argument with this number.
    InvalidArgument(u64),
    /// The capability with this number; 0 is the invoked one.
    InvalidCapability(u64),
    /// The object does not do that, or not now.
    IllegalOperation,
    /// Outside these bounds.
    Range(u64, u64),
    /// Not aligned.
    Alignment,
    /// A lookup for the destination failed.
    Target(LookupFailure),
    /// A lookup for the source failed.
    Source(LookupFailure),
    /// Too few words or capabilities.
    Truncated,
    /// In use.
    DeleteFirst,
    /// Has descendants, or is in use.
    RevokeFirst,
    /// So many bytes are left.
    NotEnoughMemory(u64),
}

impl Refusal {
    /// Label of the reply, its words, and how many of them count.
    #[must_use]
    pub fn reply(self) -> (u64, [u64; 5], usize) {
        let lookup = |source: u64, failure: LookupFailure| {
            let (kind, [a, b, c], count) = failure.words();
            (Error::FailedLookup, [source, kind, a, b, c], 2 + count)
        };
        let (error, words, count) = match self {
            Self::InvalidArgument(number) => (Error::InvalidArgument, [number, 0, 0, 0, 0], 1),
            Self::InvalidCapability(number) => (Error::InvalidCapability, [number, 0, 0, 0, 0], 1),
            Self::IllegalOperation => (Error::IllegalOperation, [0; 5], 0),
            Self::Range(min, max) => (Error::RangeError, [min, max, 0, 0, 0], 2),
            Self::Alignment => (Error::AlignmentError, [0; 5], 0),
            Self::Target(failure) => lookup(0, failure),
            Self::Source(failure) => lookup(1, failure),
            Self::Truncated => (Error::TruncatedMessage, [0; 5], 0),
            Self::DeleteFirst => (Error::DeleteFirst, [0; 5], 0),
            Self::RevokeFirst => (Error::RevokeFirst, [0; 5], 0),
            Self::NotEnoughMemory(bytes) => (Error::NotEnoughMemory, [bytes, 0, 0, 0, 0], 1),
        };
        (error as u64, words, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers as seL4's reference manual has them, written out once more on purpose.
    #[test]
    fn labels_and_words_are_those_of_the_manual() {
        let missing = LookupFailure::MissingCapability { bits_left: 7 };
        let depth = LookupFailure::DepthMismatch { bits_left: 7, bits_found: 8 };
        let guard = LookupFailure::GuardMismatch { bits_left: 7, guard_found: 8, guard_bits: 9 };
        for (refusal, label, words) in [
            (Refusal::InvalidArgument(2), 1, &[2][..]),
            (Refusal::InvalidCapability(1), 2, &[1]),
            (Refusal::IllegalOperation, 3, &[]),
            (Refusal::Range(1, 64), 4, &[1, 64]),
            (Refusal::Alignment, 5, &[]),
            (Refusal::Target(LookupFailure::InvalidRoot), 6, &[0, 1]),
            (Refusal::Source(missing), 6, &[1, 2, 7]),
            (Refusal::Target(depth), 6, &[0, 3, 7, 8]),
            (Refusal::Source(guard), 6, &[1, 4, 7, 8, 9]),
            (Refusal::Truncated, 7, &[]),
            (Refusal::DeleteFirst, 8, &[]),
            (Refusal::RevokeFirst, 9, &[]),
            (Refusal::NotEnoughMemory(4096), 10, &[4096]),
        ] {
            let (found, all, count) = refusal.reply();
            assert_eq!((found, &all[..count]), (label, words), "{refusal:?}");
        }
    }
}
