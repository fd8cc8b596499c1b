//! Errors of invocations: the label of the reply.

use crate::numbered::numbered;

numbered! {
    /// Why an invocation was refused. A refused invocation has changed nothing.
    pub enum Error: u64 {
        /// MR0 = number of the argument.
        InvalidArgument = 1,
        /// MR0 = number of the capability, 0 being the invoked one.
        InvalidCapability = 2,
        /// The object does not do that, or not now.
        IllegalOperation = 3,
        /// MR0 = least, MR1 = greatest value allowed.
        RangeError = 4,
        /// An address or size has bits set below its alignment.
        AlignmentError = 5,
        /// MR0 = 1 when the source lookup failed; MR1.. = [`LookupFailure`].
        FailedLookup = 6,
        /// Fewer words or capabilities than the invocation needs.
        TruncatedMessage = 7,
        /// The slot, or the mapping, is in use.
        DeleteFirst = 8,
        /// The object has descendants or is in use.
        RevokeFirst = 9,
        /// MR0 = bytes still free.
        NotEnoughMemory = 10,
    }
}

impl Error {
    /// The error a reply's label names; 0 is success.
    #[must_use]
    pub fn from_label(label: u64) -> Option<Self> {
        let index = usize::try_from(label.checked_sub(1)?).ok()?;
        Self::ALL.get(index).copied()
    }
}

/// Why a capability pointer did not lead to a capability.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LookupFailure {
    /// The root is not a CNode.
    InvalidRoot,
    /// The slot is empty.
    MissingCapability {
        /// Bits of the pointer not yet used.
        bits_left: u64,
    },
    /// The pointer ran out of bits, or had some left.
    DepthMismatch {
        /// Bits of the pointer not yet used.
        bits_left: u64,
        /// Bits the CNode resolves.
        bits_found: u64,
    },
    /// A CNode's guard differs from the pointer's bits.
    GuardMismatch {
        /// Bits of the pointer not yet used.
        bits_left: u64,
        /// The guard.
        guard_found: u64,
        /// Bits of the guard.
        guard_bits: u64,
    },
}

impl LookupFailure {
    /// Every kind, in the order of their numbers from 1 on: name, and the words that describe it.
    pub const KINDS: [(&'static str, &'static [&'static str]); 4] = [
        ("InvalidRoot", &[]),
        ("MissingCapability", &["bits of the pointer not yet used"]),
        ("DepthMismatch", &["bits of the pointer not yet used", "bits the CNode resolves"]),
        ("GuardMismatch", &["bits of the pointer not yet used", "the CNode's guard", "bits of the guard"]),
    ];

    /// The failure's number and up to three words that describe it, with how many of those count.
    #[must_use]
    pub const fn words(self) -> (u64, [u64; 3], usize) {
        match self {
            Self::InvalidRoot => (1, [0; 3], 0),
            Self::MissingCapability { bits_left } => (2, [bits_left, 0, 0], 1),
            Self::DepthMismatch { bits_left, bits_found } => (3, [bits_left, bits_found, 0], 2),
            Self::GuardMismatch { bits_left, guard_found, guard_bits } => (4, [bits_left, guard_found, guard_bits], 3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_described_as_they_are_sent() {
        let each = [
            LookupFailure::InvalidRoot,
            LookupFailure::MissingCapability { bits_left: 1 },
            LookupFailure::DepthMismatch { bits_left: 1, bits_found: 2 },
            LookupFailure::GuardMismatch { bits_left: 1, guard_found: 2, guard_bits: 3 },
        ];
        for (index, failure) in each.into_iter().enumerate() {
            let (number, _, count) = failure.words();
            let (_, words) = LookupFailure::KINDS[index];
            assert_eq!(number, index as u64 + 1);
            assert_eq!(count, words.len());
        }
    }

    #[test]
    fn labels_of_replies_name_errors() {
        assert_eq!(Error::from_label(0), None);
        assert_eq!(Error::ALL.map(|error| Error::from_label(error as u64)), Error::ALL.map(Some));
        assert_eq!(Error::from_label(11), None);
    }
}
