//! The entry.

use super::{given, heap, run};

sluice_sys::root_entry!(128 << 10, enter);

/// First Rust code of the root thread.
extern "C" fn enter(info: u64) -> ! {
    // SAFETY: `_start` branches here once, before anything could have allocated.
    unsafe { heap::init() };
    // SAFETY: `_start` left `x0` as the kernel set it.
    let memory = unsafe { given::Memory::find(info) };
    // SAFETY: the kernel mapped the buffer there for this thread, and `find` took nothing from that page on.
    unsafe { sluice_sys::set_ipc_buffer(memory.ipc_buffer()) };
    run(&memory)
}
