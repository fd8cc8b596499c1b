//! Answers are those of the reference, and the reference's are answers.

use std::collections::BTreeSet;

use sluice_abi::cap::CapTag;
use sluice_abi::invocation::{Invocation, Refusal};
use sluice_abi::{Error, Label};
use sluice_fuzz::START;

/// What was seen of each label: acceptance, or errors with the number in their first word.
#[derive(Default)]
pub(super) struct Seen {
    accepted: BTreeSet<u64>,
    refused: BTreeSet<(u64, u64, Option<u64>)>,
}

/// What no fuzzer of this size can meet.
const OUT_OF_REACH: &[(Label, &str)] = &[
    (Label::AsidControlMakePool, "there are 128 pools"),
    (Label::AsidPoolAssign, "the pool is full"),
    (Label::CbAssignVspace, "the SMMU has no stage 2"),
];

/// Invocations of the capabilities a fuzzer has.
fn within_reach() -> impl Iterator<Item = &'static Invocation> {
    Invocation::ALL.iter().copied().filter(|shape| START.iter().any(|(_, gift)| gift.kind() == shape.object))
}

fn number_of(error: Error, word: u64) -> Option<u64> {
    match error {
        Error::InvalidArgument | Error::InvalidCapability | Error::FailedLookup => Some(word),
        Error::IllegalOperation
        | Error::RangeError
        | Error::AlignmentError
        | Error::TruncatedMessage
        | Error::DeleteFirst
        | Error::RevokeFirst
        | Error::NotEnoughMemory => None,
    }
}

fn allows(refusal: &Refusal, error: Error, number: Option<u64>) -> bool {
    refusal.error == error && (refusal.number.is_none() || refusal.number == number)
}

impl Seen {
    /// Takes note of an answer to an invocation of a capability of kind `object`, which must be one of the reference's.
    pub(super) fn note(&mut self, object: CapTag, label: u64, answer: u64, word: u64) {
        let shape = Label::from_word(label).map(Invocation::of).filter(|shape| shape.object == object);
        let Some(error) = Error::from_label(answer) else {
            assert_eq!(answer, 0, "no error has the number {answer}");
            assert!(shape.is_some(), "{object:?} did what label {label} asks for");
            self.accepted.insert(label);
            return;
        };
        let number = number_of(error, word);
        match shape {
            Some(shape) => {
                let listed = shape.own_refusals().chain(shape.common()).any(|known| allows(known, error, number));
                assert!(
                    listed,
                    "{:?} was refused with {error:?} {number:?}, which the reference does not list",
                    shape.label
                );
                self.refused.insert((label, error as u64, number));
            }
            // Not an invocation of the object: its own state may be looked at first.
            None => assert!(
                matches!((error, number), (Error::IllegalOperation, _) | (Error::InvalidCapability, Some(0)))
                    || error == Error::TruncatedMessage,
                "{object:?} refuses label {label} with {error:?} {number:?}"
            ),
        }
    }

    /// Labels that the kernel takes and never accepted.
    pub(super) fn never_accepted(&self) -> Vec<Label> {
        let refused = |shape: &Invocation| shape.own_refusals().any(|refusal| refusal.when.starts_with("always"));
        let missing = within_reach().filter(|shape| !refused(shape) && !self.accepted.contains(&(shape.label as u64)));
        missing.map(|shape| shape.label).collect()
    }

    /// Refusals of the reference that were never met.
    pub(super) fn never_refused(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for shape in within_reach() {
            for refusal in shape.own_refusals() {
                let met = self.refused.iter().any(|(label, error, number)| {
                    *label == shape.label as u64
                        && Error::from_label(*error).is_some_and(|error| allows(refusal, error, *number))
                });
                let excused = OUT_OF_REACH.iter().any(|(label, when)| *label == shape.label && *when == refusal.when);
                if !met && !excused {
                    missing.push(format!("{:?}: {:?}, {}", shape.label, refusal.error, refusal.when));
                }
            }
        }
        missing
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        (self.accepted.len(), self.refused.len())
    }
}
