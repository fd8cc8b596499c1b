//! Where the parts of the kernel are, from the linker script.

use sluice_abi::{PAGE_SIZE, PhysAddr};

unsafe extern "C" {
    static __kernel_base: u8;
    static __text_end: u8;
    static __rodata_end: u8;
    static __kernel_end: u8;
}

/// Offsets of the kernel's parts from its start, all multiples of a page.
pub(crate) struct KernelParts {
    /// End of the code.
    pub(crate) text: u64,
    /// End of the constants.
    pub(crate) rodata: u64,
    /// End of the kernel: where the boot header is.
    pub(crate) end: u64,
}

/// Linked address of the kernel's first byte.
pub(crate) fn base() -> u64 {
    (&raw const __kernel_base) as u64
}

/// The kernel's parts.
pub(crate) fn parts() -> KernelParts {
    let offset = |symbol: *const u8| symbol as u64 - base();
    KernelParts {
        text: offset(&raw const __text_end),
        rodata: offset(&raw const __rodata_end),
        end: offset(&raw const __kernel_end),
    }
}

/// Physical address of the page with the boot header.
pub(crate) fn boot_header(load: PhysAddr) -> PhysAddr {
    debug_assert!(parts().end.is_multiple_of(PAGE_SIZE));
    load.offset(parts().end)
}
