//! What the kernel and the image put into memory before the root thread starts.

use sluice_abi::{PAGE_SIZE, VirtAddr};
use sluice_root_task::boot::Given;
use sluice_sys::Boot;

/// Boot information and payload, neither of which ever changes.
pub(super) struct Memory {
    boot: Boot,
    payload: &'static [u8],
}

unsafe extern "C" {
    /// End of the image, from the linker.
    static _end: u8;
}

impl Memory {
    /// # Safety
    /// `info` must be the address the kernel passed in `x0`. The kernel then guarantees that the user pages, whose last
    /// part is the payload, end where the IPC buffer's page starts; and it changes none of them.
    pub(super) unsafe fn find(info: u64) -> Self {
        // SAFETY: by the caller's promise; nothing of what the kernel mapped is ever unmapped.
        let boot = unsafe { Boot::find(info) };
        let start = (&raw const _end as u64).next_multiple_of(PAGE_SIZE);
        let len = boot.info.ipc_buffer.saturating_sub(start);
        let payload = core::ptr::with_exposed_provenance::<u8>(start as usize);
        // SAFETY: by the caller's promise the user pages reach from the image to the IPC buffer; nothing of this
        // program lies behind `_end`.
        let payload = unsafe { core::slice::from_raw_parts(payload, len as usize) };
        Self { boot, payload }
    }

    pub(super) fn view(&self) -> Given<'_> {
        Given { info: self.boot.info, extra: self.boot.extra, payload: self.payload }
    }

    pub(super) fn ipc_buffer(&self) -> VirtAddr {
        self.boot.ipc_buffer()
    }
}
