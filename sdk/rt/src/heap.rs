//! The heap, at the place and of the size the root task gave.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;

use sluice_manifest::layout;
use spin::Mutex;

/// Largest block 2^31 bytes: more than the heap's address range.
const ORDERS: usize = 32;

struct Heap(Mutex<buddy_system_allocator::Heap<ORDERS>>);

#[global_allocator]
static HEAP: Heap = Heap(Mutex::new(buddy_system_allocator::Heap::new()));

/// Hands the heap's memory to the allocator.
///
/// # Safety
/// To be called once; `bytes` bytes at `layout::HEAP` must be mapped and used for nothing else.
pub(crate) unsafe fn init(bytes: u64) {
    // SAFETY: the caller vouches for the memory, and that it is added once.
    unsafe { HEAP.0.lock().init(layout::HEAP as usize, bytes as usize) };
}

// SAFETY: blocks come from the buddy allocator, which hands out disjoint blocks of at least the layout's size and
// alignment, and its state is behind a lock. Allocation neither unwinds nor allocates.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.lock().alloc(layout).map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(pointer) {
            // SAFETY: the caller of `dealloc` passes a block of this allocator with the layout it was allocated with.
            unsafe { self.0.lock().dealloc(block, layout) };
        }
    }
}
