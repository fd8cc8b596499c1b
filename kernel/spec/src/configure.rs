//! What a thread can name, where it runs, and where its messages are.

use sluice_abi::{PhysAddr, ipc_buffer};

use crate::cnode::with_data;
use crate::step::Stepped;
use crate::{Asid, Cap, Refused, Slot, State, ThreadSlot};

/// The new capability and address space of a thread.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NewSpace {
    /// Capability pointer of its fault handler.
    pub handler: u64,
    /// Slot of a CNode capability.
    pub cspace: Slot,
    /// Its guard in the thread; 0 leaves it as it is.
    pub cspace_data: u64,
    /// Slot of an address space's capability.
    pub vspace: Slot,
    /// Means nothing.
    pub vspace_data: u64,
}

/// The new IPC buffer of a thread.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NewBuffer {
    /// Its address; 0 for none.
    pub address: u64,
    /// Slot of a frame's capability.
    pub frame: Slot,
}

impl State {
    pub(crate) fn configure(&self, slot: Slot, space: Option<NewSpace>, buffer: Option<NewBuffer>) -> Stepped {
        let thread = self.invoked_thread(slot)?;
        let own = |which| Slot::Thread { thread, which };
        let buffer = buffer.map(|buffer| Ok((buffer, self.frame_for(&buffer)?))).transpose()?;
        let space = space.map(|space| Ok((space, self.roots_for(thread, &space)?))).transpose()?;
        Ok(self.changed(|after| {
            if let Some((space, [cspace, vspace])) = space {
                if let Some(thread) = after.thread_mut(thread) {
                    thread.handler = space.handler;
                }
                after.refill(slot, space.cspace, cspace, own(ThreadSlot::CSpace));
                after.refill(slot, space.vspace, vspace, own(ThreadSlot::VSpace));
            }
            if let Some((NewBuffer { address, frame }, cap)) = buffer {
                after.delete(own(ThreadSlot::Buffer));
                if let Some(thread) = after.thread_mut(thread) {
                    thread.buffer = address;
                }
                if let Some(cap) = cap {
                    after.refill(slot, frame, cap, own(ThreadSlot::Buffer));
                }
            }
        }))
    }

    /// Replaces what is in a thread's slot, unless that takes the thread or the new capability's source with it.
    fn refill(&mut self, invoked: Slot, source: Slot, cap: Cap, dest: Slot) {
        let (thread, object) = (self.cap(invoked), cap.object());
        self.delete(dest);
        if self.cap(invoked) == thread && self.cap(source).and_then(|cap| cap.object()) == object {
            self.insert_copy(source, cap, dest);
        }
    }

    fn frame_for(&self, buffer: &NewBuffer) -> Result<Option<Cap>, Refused> {
        if buffer.address == 0 {
            return Ok(None);
        }
        let cap = self.derived_with(buffer.frame, 0)?;
        let Some(Cap::Frame { device: false, .. }) = cap else { return Err(Refused::IllegalOperation) };
        if !buffer.address.is_multiple_of(1 << ipc_buffer::SIZE_BITS) {
            return Err(Refused::Alignment);
        }
        Ok(cap)
    }

    fn roots_for(&self, thread: PhysAddr, space: &NewSpace) -> Result<[Cap; 2], Refused> {
        // To take a whole CNode apart takes long, for which this invocation could not be interrupted.
        if self.is_last(Slot::Thread { thread, which: ThreadSlot::CSpace }) {
            return Err(Refused::IllegalOperation);
        }
        let Some(cspace @ Cap::CNode { .. }) = self.derived_with(space.cspace, space.cspace_data)? else {
            return Err(Refused::IllegalOperation);
        };
        match self.derived_with(space.vspace, space.vspace_data)? {
            Some(vspace @ Cap::VSpace { asid: Some(asid), .. }) if !self.is_for_devices(asid) => Ok([cspace, vspace]),
            _ => Err(Refused::IllegalOperation),
        }
    }

    fn is_for_devices(&self, asid: Asid) -> bool {
        self.spaces.get(&asid).is_some_and(|space| space.for_devices)
    }

    fn derived_with(&self, source: Slot, data: u64) -> Result<Option<Cap>, Refused> {
        let Some(cap) = self.cap(source) else { return Ok(None) };
        let cap = if data == 0 { Some(cap) } else { with_data(cap, data, true) };
        cap.map(|cap| self.derived(source, cap)).transpose()
    }
}
