//! Messages to CNodes and Untyped.

use sluice_abi::{Label, LookupFailure, MAX_UNTYPED_BITS, ObjectType};

use super::{Decoded, Request, rights};
use crate::name::NO_OBJECT;
use crate::{Cap, Invocation, Refused, Slot};

impl Request<'_> {
    pub(super) fn of_cnode(&self) -> Decoded {
        let label = self.label.filter(|label| (Label::CNodeRevoke..=Label::CNodeSaveCaller).contains(label));
        let label = label.ok_or(Refused::IllegalOperation)?;
        self.expect(2, 0)?;
        let dest = self.state.lookup_path(false, self.state.cap(self.slot), self.words[0], self.words[1])?;
        match label {
            Label::CNodeRevoke => Ok(Invocation::Revoke(dest)),
            Label::CNodeDelete => Ok(Invocation::Delete(dest)),
            Label::CNodeCancelBadgedSends => Ok(Invocation::CancelBadgedSends(dest)),
            Label::CNodeSaveCaller => Ok(Invocation::SaveCaller(dest)),
            Label::CNodeRotate => self.rotate(dest),
            _ => self.transfer(label, dest),
        }
    }

    fn transfer(&self, label: Label, dest: Slot) -> Decoded {
        self.expect(4, 1)?;
        self.state.expect_empty(dest)?;
        let source = self.source_path(0, 2)?;
        self.expect_full(source, true, self.words[3])?;
        Ok(match label {
            Label::CNodeCopy => {
                self.expect(5, 1)?;
                Invocation::Copy { source, dest, rights: rights(self.words[4]) }
            }
            Label::CNodeMint => {
                self.expect(6, 1)?;
                Invocation::Mint { source, dest, rights: rights(self.words[4]), data: self.words[5] }
            }
            Label::CNodeMutate => {
                self.expect(5, 1)?;
                Invocation::Mutate { source, dest, data: self.words[4] }
            }
            _ => Invocation::Move { source, dest },
        })
    }

    fn rotate(&self, dest: Slot) -> Decoded {
        self.expect(8, 2)?;
        let source = self.source_path(1, 6)?;
        let pivot = self.source_path(0, 3)?;
        if pivot == source || pivot == dest {
            return Err(Refused::IllegalOperation);
        }
        if source != dest {
            self.state.expect_empty(dest)?;
        }
        self.expect_full(source, true, self.words[7])?;
        self.expect_full(pivot, false, self.words[4])?;
        Ok(Invocation::Rotate { source, source_data: self.words[5], pivot, pivot_data: self.words[2], dest })
    }

    pub(super) fn of_untyped(&self) -> Decoded {
        if self.label != Some(Label::UntypedRetype) {
            return Err(Refused::IllegalOperation);
        }
        self.expect(6, 1)?;
        let kind = ObjectType::from_word(self.words[0]).ok_or(Refused::InvalidArgument(0))?;
        let too_large = Refused::Range { min: 0, max: MAX_UNTYPED_BITS.into() };
        // What no size can be stands for sizes that fit into no number.
        let bits = u32::try_from(self.words[1]).unwrap_or(u32::MAX);
        let (offset, count) = (self.words[4], self.words[5]);
        let retype = |node| Invocation::Retype { untyped: self.slot, kind, bits, node, offset, count };
        let (root, depth) = (self.extra(0)?, self.words[3]);
        let found = if depth == 0 { Ok(root) } else { self.path(0, 2) };
        let failure = LookupFailure::MissingCapability { bits_left: depth };
        let node = found.and_then(|slot| match self.state.cap(slot) {
            Some(Cap::CNode { base, .. }) => Ok(base),
            _ => Err(Refused::FailedLookup { source: false, failure }),
        });
        match node {
            Ok(node) => Ok(retype(node)),
            // Faults of kind and size come first.
            Err(failed) => match self.state.after(NO_OBJECT, &retype(NO_OBJECT)) {
                Err(first @ (Refused::InvalidArgument(_) | Refused::Range { .. })) => Err(first),
                _ if bits >= u64::BITS => Err(too_large),
                _ => Err(failed),
            },
        }
    }
}
