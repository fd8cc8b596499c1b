//! The entry.

use crate::machine::Machine;
use sluice_sys::Boot;

sluice_sys::root_entry!(64 << 10, enter);

/// First Rust code of the root thread.
extern "C" fn enter(info: u64) -> ! {
    // SAFETY: `_start` left `x0` as the kernel set it, and the program never unmaps what the kernel mapped.
    let boot = unsafe { Boot::find(info) };
    // SAFETY: the kernel mapped the buffer there, for this thread. Helpers have one of their own at the same address of
    // their own address spaces.
    unsafe { sluice_sys::set_ipc_buffer(boot.ipc_buffer()) };
    crate::run(Machine::new(boot))
}
