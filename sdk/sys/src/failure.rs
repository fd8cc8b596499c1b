//! Why the kernel refused an invocation, with what it says about it.

use core::fmt;

use sluice_abi::{Error, LookupFailure};

/// A refused invocation; nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// An argument has no meaning.
    InvalidArgument {
        /// Its number.
        number: u64,
    },
    /// A capability is of the wrong kind, or lacks a right.
    InvalidCapability {
        /// Its number, 0 being the invoked one.
        number: u64,
    },
    /// The object does not do that, or not now.
    IllegalOperation,
    /// A value is out of range.
    Range {
        /// Least value allowed.
        min: u64,
        /// Greatest value allowed.
        max: u64,
    },
    /// An address or size has bits set below its alignment.
    Alignment,
    /// A capability pointer led nowhere.
    Lookup {
        /// Whether it was the source of the operation.
        source: bool,
        /// Why.
        failure: LookupFailure,
    },
    /// Fewer words or capabilities than the invocation needs.
    Truncated,
    /// The slot, or the mapping, is in use.
    DeleteFirst,
    /// The object has descendants or is in use.
    RevokeFirst,
    /// The Untyped is too small.
    NotEnoughMemory {
        /// Bytes it still has.
        available: u64,
    },
    /// The reply is none the interface knows: kernel and library disagree.
    Malformed {
        /// Label of the reply.
        label: u64,
    },
}

impl Failure {
    /// What a reply with this label and these words says; `None` is success. Words that are missing read as 0.
    #[must_use]
    pub fn from_reply(label: u64, words: &[u64]) -> Option<Self> {
        if label == 0 {
            return None;
        }
        let word = |index: usize| words.get(index).copied().unwrap_or(0);
        let Some(error) = Error::from_label(label) else { return Some(Self::Malformed { label }) };
        Some(match error {
            Error::InvalidArgument => Self::InvalidArgument { number: word(0) },
            Error::InvalidCapability => Self::InvalidCapability { number: word(0) },
            Error::IllegalOperation => Self::IllegalOperation,
            Error::RangeError => Self::Range { min: word(0), max: word(1) },
            Error::AlignmentError => Self::Alignment,
            Error::FailedLookup => match lookup(word(1), word(2), word(3), word(4)) {
                Some(failure) => Self::Lookup { source: word(0) != 0, failure },
                None => Self::Malformed { label },
            },
            Error::TruncatedMessage => Self::Truncated,
            Error::DeleteFirst => Self::DeleteFirst,
            Error::RevokeFirst => Self::RevokeFirst,
            Error::NotEnoughMemory => Self::NotEnoughMemory { available: word(0) },
        })
    }

    /// The interface's error; `None` for a reply it does not know.
    #[must_use]
    pub const fn error(self) -> Option<Error> {
        Some(match self {
            Self::InvalidArgument { .. } => Error::InvalidArgument,
            Self::InvalidCapability { .. } => Error::InvalidCapability,
            Self::IllegalOperation => Error::IllegalOperation,
            Self::Range { .. } => Error::RangeError,
            Self::Alignment => Error::AlignmentError,
            Self::Lookup { .. } => Error::FailedLookup,
            Self::Truncated => Error::TruncatedMessage,
            Self::DeleteFirst => Error::DeleteFirst,
            Self::RevokeFirst => Error::RevokeFirst,
            Self::NotEnoughMemory { .. } => Error::NotEnoughMemory,
            Self::Malformed { .. } => return None,
        })
    }
}

/// Decodes a lookup failure; the numbers are the positions `LookupFailure::words` gives.
const fn lookup(kind: u64, first: u64, second: u64, third: u64) -> Option<LookupFailure> {
    Some(match kind {
        1 => LookupFailure::InvalidRoot,
        2 => LookupFailure::MissingCapability { bits_left: first },
        3 => LookupFailure::DepthMismatch { bits_left: first, bits_found: second },
        4 => LookupFailure::GuardMismatch { bits_left: first, guard_found: second, guard_bits: third },
        _ => return None,
    })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidArgument { number } => write!(f, "argument {number} is invalid"),
            Self::InvalidCapability { number } => write!(f, "capability {number} is invalid"),
            Self::IllegalOperation => f.write_str("illegal operation"),
            Self::Range { min, max } => write!(f, "out of the range {min:#x}..={max:#x}"),
            Self::Alignment => f.write_str("not aligned"),
            Self::Lookup { source, failure } => {
                write!(f, "lookup of the {} failed: {failure:?}", if *source { "source" } else { "capability" })
            }
            Self::Truncated => f.write_str("message too short"),
            Self::DeleteFirst => f.write_str("in use, delete it first"),
            Self::RevokeFirst => f.write_str("has descendants, revoke it first"),
            Self::NotEnoughMemory { available } => write!(f, "not enough memory, {available} bytes are left"),
            Self::Malformed { label } => write!(f, "reply {label:#x} is none of the interface"),
        }
    }
}

impl core::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_the_interface_decodes_to_itself() {
        for error in Error::ALL {
            let failure = Failure::from_reply(error as u64, &[1, 2, 3, 4, 5]).expect("a label above 0 is a failure");
            assert_eq!(failure.error(), Some(error));
        }
        assert_eq!(Failure::from_reply(0, &[9, 9]), None);
        assert_eq!(Failure::from_reply(11, &[]), Some(Failure::Malformed { label: 11 }));
        assert_eq!(Failure::from_reply(11, &[]).and_then(Failure::error), None);
    }

    #[test]
    fn lookup_failures_decode_as_the_kernel_encodes_them() {
        let failures = [
            LookupFailure::InvalidRoot,
            LookupFailure::MissingCapability { bits_left: 11 },
            LookupFailure::DepthMismatch { bits_left: 3, bits_found: 8 },
            LookupFailure::GuardMismatch { bits_left: 64, guard_found: 5, guard_bits: 51 },
        ];
        for failure in failures {
            for source in [false, true] {
                let (kind, [a, b, c], count) = failure.words();
                let reply = [u64::from(source), kind, a, b, c];
                let decoded = Failure::from_reply(Error::FailedLookup as u64, &reply[..2 + count]);
                assert_eq!(decoded, Some(Failure::Lookup { source, failure }));
            }
        }
        assert_eq!(Failure::from_reply(6, &[0, 7]), Some(Failure::Malformed { label: 6 }));
    }

    #[test]
    fn details_are_in_the_text() {
        extern crate std;
        use std::string::ToString;
        let failure = Failure::from_reply(Error::RangeError as u64, &[0, 0x3ff]).expect("a failure");
        assert_eq!(failure.to_string(), "out of the range 0x0..=0x3ff");
        let failure = Failure::from_reply(Error::NotEnoughMemory as u64, &[4096]).expect("a failure");
        assert!(failure.to_string().contains("4096"));
    }
}
