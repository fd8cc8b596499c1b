//! Copying a message and its capabilities from one thread to another.

use sluice_abi::{CPtr, LookupFailure, MessageInfo};

use super::IpcBuffer;
use crate::Kernel;
use crate::cap::{Cap, Derivation, derivation};
use crate::hal::Hal;
use crate::object::{Endpoint, Tcb};
use crate::store::{Handle, SlotRef};

/// Slots of the capabilities a message carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ExtraCaps([Option<SlotRef>; MessageInfo::MAX_EXTRA_CAPS as usize]);

impl ExtraCaps {
    pub(crate) fn get(&self, index: usize) -> Option<SlotRef> {
        self.0.get(index).copied().flatten()
    }
}

/// A capability of a message that does not resolve.
pub(crate) struct BadExtraCap {
    pub(crate) cptr: CPtr,
    pub(crate) failure: LookupFailure,
}

impl<H: Hal> Kernel<H> {
    /// The capabilities `thread`'s buffer names, as many as `info` says.
    pub(crate) fn lookup_extra_caps(
        &self,
        thread: Handle<Tcb>,
        buffer: Option<IpcBuffer>,
        info: MessageInfo,
    ) -> Result<ExtraCaps, BadExtraCap> {
        let mut caps = ExtraCaps::default();
        let Some(buffer) = buffer else { return Ok(caps) };
        for (index, cap) in caps.0.iter_mut().enumerate().take(info.extra_caps() as usize) {
            let cptr = buffer.cap_pointer(&self.hal, index);
            *cap = Some(self.lookup_slot(thread, cptr).map_err(|failure| BadExtraCap { cptr, failure })?);
        }
        Ok(caps)
    }

    /// Message word `index` of a thread: the first four are registers.
    pub(crate) fn message_word(&self, thread: Handle<Tcb>, buffer: Option<IpcBuffer>, index: usize) -> u64 {
        if index < MessageInfo::REGISTERS {
            self.tcb(thread).context.x[2 + index].get()
        } else {
            buffer.map_or(0, |buffer| buffer.message(&self.hal, index))
        }
    }

    /// Writes message word `index` of a thread; false when it has no place for it.
    pub(crate) fn set_message_word(
        &self,
        thread: Handle<Tcb>,
        buffer: Option<IpcBuffer>,
        index: usize,
        value: u64,
    ) -> bool {
        if index < MessageInfo::REGISTERS {
            self.tcb(thread).context.x[2 + index].set(value);
            return true;
        }
        if let Some(buffer) = buffer {
            buffer.set_message(&self.hal, index, value);
        }
        buffer.is_some()
    }

    /// Gives `receiver` the message of `sender`: its fault if it has one, else what it wrote. A fault whose delivery was
    /// cancelled is told in place of each message until an answer to it comes.
    pub(crate) fn transfer(
        &mut self,
        sender: Handle<Tcb>,
        endpoint: Option<Handle<Endpoint>>,
        badge: u64,
        grant: bool,
        receiver: Handle<Tcb>,
    ) {
        let to = self.ipc_buffer(receiver, true);
        let info = match self.tcb(sender).fault.get() {
            Some(fault) => self.transfer_fault(sender, fault, receiver, to),
            None => self.transfer_message(sender, endpoint, grant, receiver, to),
        };
        let context = &self.tcb(receiver).context;
        context.x[0].set(badge);
        context.x[1].set(info.word());
    }

    fn transfer_message(
        &mut self,
        sender: Handle<Tcb>,
        endpoint: Option<Handle<Endpoint>>,
        grant: bool,
        receiver: Handle<Tcb>,
        to: Option<IpcBuffer>,
    ) -> MessageInfo {
        let from = self.ipc_buffer(sender, false);
        let info = MessageInfo::from_word(self.tcb(sender).context.x[1].get());
        // A sender whose capability pointers do not resolve sends none; only its own invocation would be told.
        let caps =
            if grant { self.lookup_extra_caps(sender, from, info).unwrap_or_default() } else { ExtraCaps::default() };
        let wanted = info.length() as usize;
        let both = from.is_some() && to.is_some();
        let copied = if both { wanted } else { wanted.min(MessageInfo::REGISTERS) };
        for index in 0..copied {
            let word = self.message_word(sender, from, index);
            self.set_message_word(receiver, to, index, word);
        }
        let (unwrapped, received) = self.transfer_caps(caps, endpoint, receiver, to);
        MessageInfo::new(info.label(), unwrapped, received, copied as u64)
    }

    /// Passes capabilities on: those to the endpoint itself as badges, one other into the receive slot.
    fn transfer_caps(
        &mut self,
        caps: ExtraCaps,
        endpoint: Option<Handle<Endpoint>>,
        receiver: Handle<Tcb>,
        to: Option<IpcBuffer>,
    ) -> (u64, u64) {
        let Some(buffer) = to else { return (0, 0) };
        if caps.get(0).is_none() {
            return (0, 0);
        }
        let mut receive_slot = self.receive_slot(receiver, buffer);
        let (mut unwrapped, mut count) = (0, 0);
        while let Some(source) = caps.get(count) {
            let cap = self.cap(source);
            if let Cap::Endpoint(sent) = cap
                && Some(sent.object) == endpoint
            {
                buffer.set_badge(&self.hal, count, sent.badge);
                unwrapped |= 1 << count;
            } else {
                let Some(dest) = receive_slot.take() else { break };
                let derived = match derivation(cap) {
                    Derivation::Cap(derived) => derived,
                    Derivation::IfChildless(derived) if self.ensure_childless(source).is_ok() => derived,
                    Derivation::IfChildless(_) | Derivation::Null | Derivation::Illegal => break,
                };
                self.insert(derived, source, dest);
                self.trace_pass(source, dest);
            }
            count += 1;
        }
        (unwrapped, count as u64)
    }

    fn receive_slot(&self, receiver: Handle<Tcb>, buffer: IpcBuffer) -> Option<SlotRef> {
        let path = buffer.receive_path(&self.hal);
        let root = self.lookup_slot(receiver, path.root).ok()?;
        self.lookup_empty(self.read(root), path.index, path.depth).ok()
    }
}
