//! A thread's IPC buffer in a frame that others, devices included, may write at any time: every word is read once and
//! copied before it is judged.

use sluice_abi::{CPtr, CapRights, PhysAddr, ipc_buffer};

use crate::Kernel;
use crate::cap::Frame;
use crate::hal::Hal;
use crate::object::{Tcb, TcbSlot};
use crate::store::Handle;

/// The physical address of a buffer, inside a frame of ordinary memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IpcBuffer(PhysAddr);

/// Where a thread wants a received capability.
pub(crate) struct ReceivePath {
    pub(crate) root: CPtr,
    pub(crate) index: u64,
    pub(crate) depth: u64,
}

impl IpcBuffer {
    pub(crate) fn message(self, hal: &impl Hal, index: usize) -> u64 {
        hal.frame_load(self.0.offset(ipc_buffer::message(index)))
    }

    pub(crate) fn set_message(self, hal: &impl Hal, index: usize, value: u64) {
        hal.frame_store(self.0.offset(ipc_buffer::message(index)), value);
    }

    pub(crate) fn cap_pointer(self, hal: &impl Hal, index: usize) -> CPtr {
        CPtr(hal.frame_load(self.0.offset(ipc_buffer::cap_or_badge(index))))
    }

    pub(crate) fn set_badge(self, hal: &impl Hal, index: usize, badge: u64) {
        hal.frame_store(self.0.offset(ipc_buffer::cap_or_badge(index)), badge);
    }

    pub(crate) fn receive_path(self, hal: &impl Hal) -> ReceivePath {
        let load = |offset| hal.frame_load(self.0.offset(offset));
        ReceivePath {
            root: CPtr(load(ipc_buffer::RECEIVE_CNODE)),
            index: load(ipc_buffer::RECEIVE_INDEX),
            depth: load(ipc_buffer::RECEIVE_DEPTH),
        }
    }
}

impl<H: Hal> Kernel<H> {
    /// A thread's buffer, if its frame is ordinary memory it may read (and write, to `receive`).
    pub(crate) fn ipc_buffer(&self, thread: Handle<Tcb>, receive: bool) -> Option<IpcBuffer> {
        let frame: Frame = self.read(thread.slot(TcbSlot::Buffer as u64))?;
        let needed = if receive { CapRights::READ | CapRights::WRITE } else { CapRights::READ };
        if frame.device || !frame.rights.contains(needed) {
            return None;
        }
        let offset = self.tcb(thread).ipc_buffer.get() & (frame.size.bytes() - 1);
        Some(IpcBuffer(frame.base.offset(offset)))
    }
}
