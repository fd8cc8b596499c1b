//! Messages to CNodes and Untyped.

use sluice_abi::{Error, Label, ObjectType};
use sluice_abstract::{Cap, Invocation, Slot};

use super::{Demand, Demanded, Effect, Message, NO_OBJECT};
use crate::initial::rights;
use crate::place::lookup;

impl Message<'_> {
    pub(super) fn of_cnode(&self) -> Demanded {
        let label = self.label.filter(|label| (Label::CNodeRevoke..=Label::CNodeSaveCaller).contains(label));
        let label = label.ok_or(Error::IllegalOperation)?;
        self.expect(2, 0)?;
        let dest = lookup(self.state, self.state.cap(self.slot), self.words[0], self.words[1])?;
        match label {
            Label::CNodeRevoke => Ok(Demand::Step(Invocation::Revoke(dest))),
            Label::CNodeDelete => Ok(Demand::Step(Invocation::Delete(dest))),
            Label::CNodeCancelBadgedSends => Ok(Demand::Beside(Effect::NONE)),
            Label::CNodeCopy | Label::CNodeMint | Label::CNodeMove | Label::CNodeMutate => self.transfer(label, dest),
            // Rotate moves two capabilities at once; SaveCaller fills a slot with what is not modelled.
            _ => Ok(Demand::Unknown),
        }
    }

    fn transfer(&self, label: Label, dest: Slot) -> Demanded {
        self.expect(4, 1)?;
        if self.state.cap(dest).is_some() {
            return Err(Error::DeleteFirst);
        }
        let source = self.path(0, 2)?;
        if self.state.cap(source).is_none() {
            return Err(Error::FailedLookup);
        }
        Ok(Demand::Step(match label {
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
        }))
    }

    pub(super) fn of_untyped(&self) -> Demanded {
        if self.label != Some(Label::UntypedRetype) {
            return Err(Error::IllegalOperation);
        }
        self.expect(6, 1)?;
        let kind = ObjectType::from_word(self.words[0]).filter(|kind| *kind != ObjectType::Vcpu);
        let kind = kind.ok_or(Error::InvalidArgument)?;
        let bits = u32::try_from(self.words[1]).map_err(|_| Error::RangeError)?;
        let (offset, count) = (self.words[4], self.words[5]);
        let retype = |node| Invocation::Retype { untyped: self.slot, kind, bits, node, offset, count };
        let root = self.extra(0)?;
        let found = if self.words[3] == 0 { Ok(root) } else { self.path(0, 2) };
        let node = found.and_then(|slot| {
            if let Some(Cap::CNode { base, .. }) = self.state.cap(slot) { Ok(base) } else { Err(Error::FailedLookup) }
        });
        match node {
            Ok(node) => Ok(Demand::Step(retype(node))),
            // Faults of kind and size come first.
            Err(failed) => match self.state.after(&retype(NO_OBJECT)) {
                Err(first) if first != Error::FailedLookup => Err(first),
                _ => Err(failed),
            },
        }
    }
}
