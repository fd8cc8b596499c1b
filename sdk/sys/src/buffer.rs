//! The thread's IPC buffer: message words beyond the fourth, capabilities to send, where to receive one.
//!
//! The kernel writes the buffer too, so no reference to it is ever made: volatile word accesses only.

use core::sync::atomic::{AtomicPtr, Ordering};

use sluice_abi::{VirtAddr, ipc_buffer};

use crate::CNode;

/// First word of the buffer; null until [`set_ipc_buffer`].
static BUFFER: AtomicPtr<u64> = AtomicPtr::new(core::ptr::null_mut());

/// Tells the library where the thread's IPC buffer is. One thread, one buffer: later calls change nothing.
///
/// # Safety
/// `address` must be aligned to the buffer's size, mapped readable and writable for as long as the program runs, be the
/// buffer the kernel knows for this thread, and hold nothing else.
pub unsafe fn set_ipc_buffer(address: VirtAddr) {
    debug_assert!(address.is_aligned(ipc_buffer::SIZE_BITS));
    let pointer = core::ptr::with_exposed_provenance_mut::<u64>(address.0 as usize);
    // Losing the exchange means the buffer is set already, which is what the documentation promises to keep.
    if BUFFER.compare_exchange(core::ptr::null_mut(), pointer, Ordering::Release, Ordering::Relaxed).is_err() {
        debug_assert!(core::ptr::eq(BUFFER.load(Ordering::Relaxed), pointer), "a second IPC buffer");
    }
}

/// The word at byte `offset`.
fn word(offset: u64) -> *mut u64 {
    let base = BUFFER.load(Ordering::Acquire);
    assert!(!base.is_null(), "no IPC buffer set");
    assert!(offset < 1 << ipc_buffer::SIZE_BITS && offset.is_multiple_of(8));
    base.wrapping_byte_add(offset as usize)
}

fn store(offset: u64, value: u64) {
    let word = word(offset);
    // SAFETY: `word` checked that the offset is aligned and inside the buffer, which `set_ipc_buffer`'s caller
    // vouched to be mapped, writable and used for nothing else.
    unsafe { word.write_volatile(value) }
}

fn load(offset: u64) -> u64 {
    let word = word(offset);
    // SAFETY: as for `store`; readable by the same promise.
    unsafe { word.read_volatile() }
}

/// Stores message word `index`.
pub(crate) fn store_message(index: usize, value: u64) {
    store(ipc_buffer::message(index), value);
}

/// Message word `index`.
pub(crate) fn load_message(index: usize) -> u64 {
    load(ipc_buffer::message(index))
}

/// Stores the `index`-th capability pointer to send.
pub(crate) fn store_cap(index: usize, value: u64) {
    store(ipc_buffer::cap_or_badge(index), value);
}

/// The badge of the `index`-th capability when it arrived unwrapped.
pub(crate) fn load_badge(index: usize) -> u64 {
    load(ipc_buffer::cap_or_badge(index))
}

/// Where a capability that comes with a message is put; the slot must be empty to receive one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceiveSlot {
    /// Capability of the CNode the lookup starts at.
    pub root: CNode,
    /// Index of the slot.
    pub index: u64,
    /// Bits of the index.
    pub depth: u8,
}

/// Names the slot for received capabilities, until named anew.
pub fn set_receive_slot(slot: ReceiveSlot) {
    store(ipc_buffer::RECEIVE_CNODE, slot.root.cptr().0);
    store(ipc_buffer::RECEIVE_INDEX, slot.index);
    store(ipc_buffer::RECEIVE_DEPTH, u64::from(slot.depth));
}
