//! Decoding: from a message to an invocation that cannot be refused any more. Nothing here changes anything.

mod cnode;
mod context;
mod domain;
mod interrupt;
mod memory;
mod smmu;
mod tcb;
mod untyped;
mod vcpu;

use super::invocation::Derived;
use crate::Kernel;
use crate::cap::{Cap, Derivation, Packed, derivation};
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

/// What a message was decoded to, or why it is refused.
pub(super) type Decoded<T> = Result<T, SyscallError>;

impl<H: Hal> Kernel<H> {
    /// Message word `index`, which the caller knows to be within the message. Each word is read once.
    pub(super) fn word(&self, request: &Request, index: usize) -> u64 {
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

    /// Slot of extra capability `index`.
    fn extra_slot(request: &Request, index: usize) -> Decoded<SlotRef> {
        request.caps.get(index).ok_or(SyscallError::Truncated)
    }

    /// Slot and content of extra capability `index`.
    fn extra(&self, request: &Request, index: usize) -> Decoded<(SlotRef, Cap)> {
        let slot = Self::extra_slot(request, index)?;
        Ok((slot, self.cap(slot)))
    }

    /// Extra capability `index`, if it is of one kind.
    fn extra_as<T: Packed>(&self, request: &Request, index: usize) -> Decoded<Option<T>> {
        Self::extra_slot(request, index).map(|slot| self.read(slot))
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
        let root = self.extra_as(request, root)?;
        self.lookup_empty(root, self.word(request, first), self.word(request, first + 1))
    }
}
