//! Memory that capabilities make real: accessed by address, a word at a time, never by reference.

use core::ptr::with_exposed_provenance_mut;

use sluice_abi::ipc_buffer;

/// The word at `address`.
///
/// Every address a check uses lies in a page that it mapped, outside of this program's own image.
pub(crate) fn load(address: u64) -> u64 {
    let word = with_exposed_provenance_mut::<u64>(address as usize);
    // SAFETY: the caller mapped a frame there, in which no Rust object lies; an address without one faults and stops
    // this thread, which the scripts notice.
    unsafe { word.read_volatile() }
}

/// Stores a word at `address`.
pub(crate) fn store(address: u64, value: u64) {
    let word = with_exposed_provenance_mut::<u64>(address as usize);
    // SAFETY: as for `load`.
    unsafe { word.write_volatile(value) }
}

/// The 32-bit register at `address`.
pub(crate) fn load32(address: u64) -> u32 {
    let word = with_exposed_provenance_mut::<u32>(address as usize);
    // SAFETY: as for `load`.
    unsafe { word.read_volatile() }
}

/// Stores to the 32-bit register at `address`.
pub(crate) fn store32(address: u64, value: u32) {
    let word = with_exposed_provenance_mut::<u32>(address as usize);
    // SAFETY: as for `load`.
    unsafe { word.write_volatile(value) }
}

/// An IPC buffer, by its address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Buffer(pub(crate) u64);

impl Buffer {
    pub(crate) fn word(self, index: usize) -> u64 {
        load(self.0 + ipc_buffer::message(index))
    }

    pub(crate) fn set_word(self, index: usize, value: u64) {
        store(self.0 + ipc_buffer::message(index), value);
    }

    pub(crate) fn cap(self, index: usize) -> u64 {
        load(self.0 + ipc_buffer::cap_or_badge(index))
    }

    pub(crate) fn set_cap(self, index: usize, value: u64) {
        store(self.0 + ipc_buffer::cap_or_badge(index), value);
    }

    /// Names the slot for a received capability.
    pub(crate) fn set_receive(self, root: u64, index: u64, depth: u64) {
        store(self.0 + ipc_buffer::RECEIVE_CNODE, root);
        store(self.0 + ipc_buffer::RECEIVE_INDEX, index);
        store(self.0 + ipc_buffer::RECEIVE_DEPTH, depth);
    }
}
