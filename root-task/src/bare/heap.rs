//! The heap: a fixed array, for decoded specs, plans and lines of text.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};

use buddy_system_allocator::Heap;
use spin::Mutex;

/// Bytes; the boot of a system with a dozen components needs a small part.
const SIZE: usize = 1 << 20;
/// Size classes, up to 2^(ORDERS - 1) bytes.
const ORDERS: usize = 21;

#[repr(align(4096))]
struct Memory(UnsafeCell<[u8; SIZE]>);

// SAFETY: nothing but the allocator, which is behind a lock, ever touches the memory.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; SIZE]));

struct Allocator(Mutex<Heap<ORDERS>>);

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(Mutex::new(Heap::new()));

/// Gives the allocator its memory.
///
/// # Safety
/// To be called once, before the first allocation.
pub(super) unsafe fn init() {
    // SAFETY: the caller's promise makes this the only use of `MEMORY`, which is mapped, writable and lives for ever.
    unsafe { ALLOCATOR.0.lock().init(MEMORY.0.get() as usize, SIZE) }
}

// SAFETY: `Heap` returns blocks of at least the layout's size and alignment that overlap no other live block, or an
// error, which becomes null; the lock serialises all of it.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.lock().alloc(layout).map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(block) else { return };
        // SAFETY: the caller promises that `block` came from `alloc` with the same layout.
        unsafe { self.0.lock().dealloc(block, layout) }
    }
}
