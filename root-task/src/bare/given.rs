//! What the kernel and the image put into memory before the root thread starts.

use sluice_abi::bootinfo::BootInfo;
use sluice_abi::{PAGE_SIZE, VirtAddr};
use sluice_root_task::boot::Given;

/// Boot information, extra information and payload, none of which ever changes.
pub(super) struct Memory {
    info: &'static BootInfo,
    extra: &'static [u8],
    payload: &'static [u8],
}

unsafe extern "C" {
    /// End of the image, from the linker.
    static _end: u8;
}

impl Memory {
    /// # Safety
    /// `info` must be the address the kernel passed in `x0`. The kernel then guarantees that the boot information is
    /// there, that extra information starts one page on, and that the user pages, whose last part is the payload, end
    /// where the IPC buffer's page starts; and it changes none of them.
    pub(super) unsafe fn find(info: u64) -> Self {
        let info_pointer = core::ptr::with_exposed_provenance::<BootInfo>(info as usize);
        // SAFETY: by the caller's promise a valid `BootInfo` lies there for ever.
        let info_reference: &'static BootInfo = unsafe { &*info_pointer };
        let extra = core::ptr::with_exposed_provenance::<u8>((info + PAGE_SIZE) as usize);
        // SAFETY: by the caller's promise `extra_len` bytes are mapped there and never change.
        let extra = unsafe { core::slice::from_raw_parts(extra, info_reference.extra_len as usize) };
        let start = (&raw const _end as u64).next_multiple_of(PAGE_SIZE);
        let len = info_reference.ipc_buffer.saturating_sub(start);
        let payload = core::ptr::with_exposed_provenance::<u8>(start as usize);
        // SAFETY: by the caller's promise the user pages reach from the image to the IPC buffer; nothing of this
        // program lies behind `_end`.
        let payload = unsafe { core::slice::from_raw_parts(payload, len as usize) };
        Self { info: info_reference, extra, payload }
    }

    pub(super) fn view(&self) -> Given<'_> {
        Given { info: self.info, extra: self.extra, payload: self.payload }
    }

    pub(super) fn ipc_buffer(&self) -> VirtAddr {
        VirtAddr(self.info.ipc_buffer)
    }
}
