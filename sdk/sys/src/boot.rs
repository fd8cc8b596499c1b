//! How a root thread begins: without a stack, and with the address of the boot information in `x0`.

use sluice_abi::bootinfo::{BootInfo, EXTRA_PADDING, ExtraHeader};
use sluice_abi::{PAGE_SIZE, VirtAddr};

/// Boot information and the chunks behind it, none of which ever changes.
#[derive(Clone, Copy)]
pub struct Boot {
    /// What the kernel made, and in which slots.
    pub info: &'static BootInfo,
    /// Chunks of extra information; [`extra_chunk`] finds one.
    pub extra: &'static [u8],
}

impl Boot {
    /// # Safety
    /// `info` must be the address the kernel passed in `x0`. The kernel guarantees then that the boot information is
    /// there and extra information one page on; the program must not have unmapped either.
    #[must_use]
    pub unsafe fn find(info: u64) -> Self {
        let pointer = core::ptr::with_exposed_provenance::<BootInfo>(info as usize);
        // SAFETY: by the caller's promise a valid `BootInfo` lies there for ever.
        let boot: &'static BootInfo = unsafe { &*pointer };
        let extra = core::ptr::with_exposed_provenance::<u8>((info + PAGE_SIZE) as usize);
        // SAFETY: by the caller's promise `extra_len` bytes are mapped there and never change.
        let extra = unsafe { core::slice::from_raw_parts(extra, boot.extra_len as usize) };
        Self { info: boot, extra }
    }

    /// Address of the root thread's IPC buffer.
    #[must_use]
    pub const fn ipc_buffer(&self) -> VirtAddr {
        VirtAddr(self.info.ipc_buffer)
    }

    /// The content of the first chunk of a kind.
    #[must_use]
    pub fn chunk(&self, kind: u64) -> Option<&'static [u8]> {
        extra_chunk(self.extra, kind)
    }
}

/// The content of the first chunk of a kind in extra boot information; `None` when there is none, or it is cut short.
#[must_use]
pub fn extra_chunk(extra: &[u8], kind: u64) -> Option<&[u8]> {
    const HEADER: usize = size_of::<ExtraHeader>();
    let mut rest = extra;
    loop {
        let id = word(rest, 0)?;
        let len = usize::try_from(word(rest, 8)?).ok()?;
        if id == kind && id != EXTRA_PADDING {
            return rest.get(HEADER..len);
        }
        rest = rest.get(len.max(HEADER)..)?;
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

/// Makes `unsafe extern "C" fn(u64) -> !` where a root thread begins, with a stack of so many bytes:
/// `root_entry!(64 << 10, enter)`. The function's argument is what the kernel put into `x0`, for [`Boot::find`].
#[macro_export]
macro_rules! root_entry {
    ($stack:expr, $enter:path) => {
        #[repr(align(4096))]
        struct Stack(#[expect(dead_code, reason = "only the assembly refers to it")] ::core::cell::UnsafeCell<[u8; $stack]>);

        // SAFETY: no Rust code refers to the stack by name; it belongs to the root thread.
        unsafe impl Sync for Stack {}

        static STACK: Stack = Stack(::core::cell::UnsafeCell::new([0; $stack]));

        // A zero frame pointer and link register end a back trace.
        ::core::arch::global_asm!(
            ".section .text.start, \"ax\"",
            ".global _start",
            "_start:",
            "adrp x1, {stack}",
            "add x1, x1, :lo12:{stack}",
            "add x1, x1, #{size}",
            "mov sp, x1",
            "mov x29, xzr",
            "mov x30, xzr",
            "b {enter}",
            stack = sym STACK,
            size = const $stack,
            enter = sym $enter,
        );
    };
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use sluice_abi::bootinfo::{EXTRA_DEBUG_CANARY, EXTRA_FDT};

    use super::*;

    fn chunks(list: &[(u64, u64, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (id, len, content) in list {
            bytes.extend(id.to_le_bytes());
            bytes.extend(len.to_le_bytes());
            bytes.extend(*content);
        }
        bytes
    }

    #[test]
    fn chunks_are_found_behind_others() {
        let extra = chunks(&[(0, 24, &[0; 8]), (EXTRA_FDT, 19, b"dtb"), (EXTRA_DEBUG_CANARY, 32, &[7; 16])]);
        assert_eq!(extra_chunk(&extra, EXTRA_FDT), Some(&b"dtb"[..]));
        assert_eq!(extra_chunk(&extra, EXTRA_DEBUG_CANARY), Some(&[7; 16][..]));
        assert_eq!(extra_chunk(&extra, EXTRA_PADDING), None);
        assert_eq!(extra_chunk(&extra, 3), None);
    }

    #[test]
    fn damaged_chunks_are_none() {
        assert_eq!(extra_chunk(&chunks(&[(EXTRA_FDT, 100, b"short")]), EXTRA_FDT), None);
        assert_eq!(extra_chunk(&chunks(&[(EXTRA_FDT, 3, b"short")]), EXTRA_FDT), None);
        assert_eq!(extra_chunk(&chunks(&[(1, 0, b""), (2, u64::MAX, b"")]), EXTRA_FDT), None);
        assert_eq!(extra_chunk(&[], EXTRA_FDT), None);
    }
}
