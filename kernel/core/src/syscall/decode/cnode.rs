//! Invocations of CNodes.

use sluice_abi::{CapRights, Label, LookupFailure};

use super::super::invocation::CNodeInvocation;
use super::{Decoded, Request};
use crate::Kernel;
use crate::cap::{CNode, Cap, EndpointCap, mask_rights, update_data};
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::store::SlotRef;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn decode_cnode(
        &self,
        request: &Request,
        label: Option<Label>,
        root: CNode,
    ) -> Decoded<CNodeInvocation> {
        let label = label
            .filter(|label| (Label::CNodeRevoke..=Label::CNodeSaveCaller).contains(label))
            .ok_or(SyscallError::IllegalOperation)?;
        Self::expect(request, 2, 0)?;
        let dest = self.lookup_argument(false, Some(root), self.word(request, 0), self.word(request, 1))?;
        match label {
            Label::CNodeCopy | Label::CNodeMint | Label::CNodeMove | Label::CNodeMutate => {
                self.decode_copy(request, label, dest)
            }
            Label::CNodeRevoke => Ok(CNodeInvocation::Revoke(dest)),
            Label::CNodeDelete => Ok(CNodeInvocation::Delete(dest)),
            Label::CNodeSaveCaller => {
                self.ensure_empty(dest)?;
                Ok(CNodeInvocation::SaveCaller(dest))
            }
            Label::CNodeCancelBadgedSends => match self.read::<EndpointCap>(dest) {
                Some(endpoint) if endpoint.rights == CapRights::all() => {
                    Ok(CNodeInvocation::CancelBadgedSends(endpoint))
                }
                _ => Err(SyscallError::IllegalOperation),
            },
            _ => self.decode_rotate(request, dest),
        }
    }

    fn decode_copy(&self, request: &Request, label: Label, dest: SlotRef) -> Decoded<CNodeInvocation> {
        Self::expect(request, 4, 1)?;
        let source_root = self.extra_as(request, 0)?;
        self.ensure_empty(dest)?;
        let depth = self.word(request, 3);
        let source = self.lookup_argument(true, source_root, self.word(request, 2), depth)?;
        let cap = self.non_null(source, true, depth)?;
        let new = match label {
            Label::CNodeCopy => {
                Self::expect(request, 5, 1)?;
                self.derive(source, mask_rights(cap, self.rights(request, 4)))?.cap
            }
            Label::CNodeMint => {
                Self::expect(request, 6, 1)?;
                let masked = mask_rights(cap, self.rights(request, 4));
                self.derive(source, update_data(false, self.word(request, 5), masked))?.cap
            }
            Label::CNodeMutate => {
                Self::expect(request, 5, 1)?;
                update_data(true, self.word(request, 4), cap)
            }
            _ => cap,
        };
        match (new, label) {
            (Cap::Null, _) => Err(SyscallError::IllegalOperation),
            (cap, Label::CNodeMove | Label::CNodeMutate) => Ok(CNodeInvocation::Move { cap, source, dest }),
            (cap, _) => Ok(CNodeInvocation::Insert { cap, source, dest }),
        }
    }

    fn decode_rotate(&self, request: &Request, dest: SlotRef) -> Decoded<CNodeInvocation> {
        Self::expect(request, 8, 2)?;
        let word = |index| self.word(request, index);
        let (pivot_data, pivot_depth, source_data, source_depth) = (word(2), word(4), word(5), word(7));
        let pivot_root = self.extra_as(request, 0)?;
        let source_root = self.extra_as(request, 1)?;
        let source = self.lookup_argument(true, source_root, word(6), source_depth)?;
        let pivot = self.lookup_argument(true, pivot_root, word(3), pivot_depth)?;
        if pivot == source || pivot == dest {
            return Err(SyscallError::IllegalOperation);
        }
        if source != dest {
            self.ensure_empty(dest)?;
        }
        let source_cap = update_data(true, source_data, self.non_null(source, true, source_depth)?);
        let pivot_cap = update_data(true, pivot_data, self.non_null(pivot, false, pivot_depth)?);
        if source_cap == Cap::Null || pivot_cap == Cap::Null {
            return Err(SyscallError::IllegalOperation);
        }
        Ok(CNodeInvocation::Rotate { source_cap, pivot_cap, source, pivot, dest })
    }

    fn non_null(&self, slot: SlotRef, source: bool, depth: u64) -> Decoded<Cap> {
        match self.cap(slot) {
            Cap::Null => Err(SyscallError::FailedLookup {
                source,
                failure: LookupFailure::MissingCapability { bits_left: depth },
            }),
            cap => Ok(cap),
        }
    }

    fn rights(&self, request: &Request, index: usize) -> CapRights {
        CapRights::from_bits_truncate(self.word(request, index))
    }
}
