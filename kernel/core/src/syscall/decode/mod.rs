//! Decoding: from a message to an [`Invocation`] that cannot fail any more. Nothing here changes anything.

mod cnode;
mod context;
mod domain;
mod interrupt;
mod memory;
mod smmu;
mod tcb;
mod untyped;
mod vcpu;

use sluice_abi::{CapRights, Label};

use super::Manner;
use super::invocation::{Derived, InterruptInvocation, Invocation};
use crate::Kernel;
use crate::cap::{Cap, Derivation, derivation};
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::ipc::{ExtraCaps, IpcBuffer};
use crate::object::Tcb;
use crate::store::{Handle, SlotRef};

/// A message to a kernel object.
#[derive(Clone, Copy)]
pub(super) struct Request {
    pub(super) thread: Handle<Tcb>,
    /// Slot of the invoked capability.
    pub(super) slot: SlotRef,
    pub(super) label: u64,
    /// Message words that can be read.
    pub(super) length: usize,
    pub(super) buffer: Option<IpcBuffer>,
    pub(super) caps: ExtraCaps,
}

type Decoded<T = Invocation> = Result<T, SyscallError>;

impl<H: Hal> Kernel<H> {
    pub(super) fn decode(&self, request: &Request, manner: Manner) -> Decoded {
        let label = Label::from_word(request.label);
        match self.cap(request.slot) {
            Cap::Null | Cap::Zombie(_) => Err(SyscallError::InvalidCapability(0)),
            Cap::Endpoint(cap) if cap.rights.contains(CapRights::WRITE) => {
                Ok(Invocation::Send { cap, blocking: manner.blocking, call: manner.call })
            }
            Cap::Notification(cap) if cap.rights.contains(CapRights::WRITE) => Ok(Invocation::Signal(cap)),
            Cap::Endpoint(_) | Cap::Notification(_) => Err(SyscallError::InvalidCapability(0)),
            Cap::Reply(reply) if reply.master => Err(SyscallError::InvalidCapability(0)),
            Cap::Reply(reply) => Ok(Invocation::Reply(reply)),
            Cap::Thread(thread) => self.decode_tcb(request, label, thread),
            Cap::CNode(_) => self.decode_cnode(request, label),
            Cap::Untyped(untyped) => self.decode_untyped(request, label, untyped),
            Cap::IrqControl => self.decode_irq_control(request, label),
            Cap::IrqHandler(intid) => self.decode_irq_handler(request, label, intid),
            Cap::Domain => self.decode_domain(request, label),
            Cap::Frame(frame) => self.decode_frame(request, label, frame),
            Cap::PageTable(table) => self.decode_page_table(request, label, table),
            Cap::VSpace(vspace) => self.decode_vspace(request, label, vspace),
            Cap::AsidControl => self.decode_asid_control(request, label),
            Cap::AsidPool { pool, base } => self.decode_asid_pool(request, label, pool, base),
            Cap::SidControl => self.decode_sid_control(request, label),
            Cap::Sid(stream) => self.decode_sid(request, label, stream),
            Cap::CbControl => self.decode_cb_control(request, label),
            Cap::Cb { context, .. } => self.decode_cb(request, label, context),
            Cap::Vcpu(vcpu) => self.decode_vcpu(request, label, vcpu),
            Cap::SgiSignal(signal) => Ok(Invocation::Interrupt(InterruptInvocation::SendSgi(signal))),
            Cap::StreamTable { .. } => Err(SyscallError::IllegalOperation),
        }
    }

    /// Message word `index`, which the caller knows to be within the message. Each word is read once.
    fn word(&self, request: &Request, index: usize) -> u64 {
        self.message_word(request.thread, request.buffer, index)
    }

    /// # Errors
    /// [`SyscallError::Truncated`] when the message has fewer words or capabilities.
    fn expect(request: &Request, words: usize, caps: usize) -> Decoded<()> {
        if request.length < words || caps > 0 && request.caps.get(caps - 1).is_none() {
            return Err(SyscallError::Truncated);
        }
        Ok(())
    }

    /// Slot and content of extra capability `index`.
    fn extra(&self, request: &Request, index: usize) -> Decoded<(SlotRef, Cap)> {
        let slot = request.caps.get(index).ok_or(SyscallError::Truncated)?;
        Ok((slot, self.cap(slot)))
    }

    /// What a copy of `cap`, found in `source`, would be; [`Cap::Null`] where there is no copy.
    fn derive(&self, source: SlotRef, cap: Cap) -> Decoded<Derived> {
        let cap = match derivation(cap) {
            Derivation::Cap(cap) => cap,
            Derivation::IfChildless(cap) => {
                self.ensure_childless(source)?;
                cap
            }
            Derivation::Null => Cap::Null,
            Derivation::Illegal => return Err(SyscallError::IllegalOperation),
        };
        Ok(Derived { cap, source })
    }

    /// The empty slot named by root capability 0 and two message words from `first`.
    fn destination(&self, request: &Request, root: usize, first: usize) -> Decoded<SlotRef> {
        let (_, root) = self.extra(request, root)?;
        self.lookup_empty(root, self.word(request, first), self.word(request, first + 1))
    }
}
