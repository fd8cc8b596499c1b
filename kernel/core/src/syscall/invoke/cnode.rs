//! CNodes.

use super::super::invocation::CNodeInvocation;
use super::super::reply::Outcome;
use crate::Kernel;
use crate::cap::Cap;
use crate::error::Preempted;
use crate::hal::Hal;
use crate::object::{Tcb, TcbSlot};
use crate::store::Handle;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn invoke_cnode(
        &mut self,
        thread: Handle<Tcb>,
        invocation: CNodeInvocation,
    ) -> Result<Outcome, Preempted> {
        match invocation {
            CNodeInvocation::Insert { cap, source, dest } => self.insert(cap, source, dest),
            CNodeInvocation::Move { cap, source, dest } => self.move_cap(cap, source, dest),
            CNodeInvocation::Rotate { source_cap, pivot_cap, source, pivot, dest } if source == dest => {
                self.swap(source_cap, source, pivot_cap, pivot);
            }
            CNodeInvocation::Rotate { source_cap, pivot_cap, source, pivot, dest } => {
                self.move_cap(pivot_cap, pivot, dest);
                self.move_cap(source_cap, source, pivot);
            }
            CNodeInvocation::Revoke(slot) => self.revoke(slot)?,
            CNodeInvocation::Delete(slot) => self.delete(slot)?,
            CNodeInvocation::SaveCaller(dest) => {
                let source = thread.slot(TcbSlot::Caller as u64);
                let cap = self.cap(source);
                if let Cap::Reply(reply) = cap
                    && !reply.master
                {
                    self.move_cap(cap, source, dest);
                }
            }
            CNodeInvocation::CancelBadgedSends(endpoint) => {
                if endpoint.badge != 0 {
                    self.cancel_badged_sends(endpoint.object, endpoint.badge);
                }
            }
        }
        Ok(Outcome::Done)
    }
}
