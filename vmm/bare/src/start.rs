//! The image's header and its first instructions (Linux, Documentation/arch/arm64/booting.rst): MMU off, x0 the device tree's
//! address.

use fdt::Fdt;

/// What a guest is given.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// Its command line; empty where there is none.
    pub line: &'static str,
    /// Bytes of its memory; 0 where nothing says.
    pub memory: u64,
}

impl Given {
    /// What the device tree at `tree` says.
    ///
    /// # Safety
    /// A device tree must be there, and stay as it is for as long as the guest runs.
    #[must_use]
    pub unsafe fn at(tree: *const u8) -> Self {
        // SAFETY: by the caller.
        let Ok(tree) = (unsafe { Fdt::from_ptr(tree) }) else { return Self { line: "", memory: 0 } };
        let memory = tree.memory().regions().next().and_then(|region| region.size);
        Self { line: tree.chosen().bootargs().unwrap_or_default(), memory: memory.unwrap_or(0) as u64 }
    }

    /// The value of the command line's word `name`, which ends with its `=`.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<&'static str> {
        self.line.split_ascii_whitespace().find_map(|word| word.strip_prefix(name))
    }
}

/// Makes a program a guest that begins with this function: `fn(Given) -> !`.
///
/// It is called with the MMU off, interrupts masked, no vectors, and the stack of the link script.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        core::arch::global_asm!(
            ".pushsection .head, \"ax\"",
            ".global _head",
            "_head:",
            "b 1f",
            ".word 0",
            // The offset from a 2 MiB boundary, the size; little-endian, pages of 4 KiB, anywhere in memory.
            ".quad 0",
            ".quad __image_bytes",
            ".quad 0xa",
            ".quad 0, 0, 0",
            ".ascii \"ARM\\x64\"",
            ".word 0",
            "1: msr daifset, #0xf",
            "adrp x1, __stack_top",
            "mov sp, x1",
            "b {begin}",
            ".popsection",
            begin = sym begin,
        );

        extern "C" fn begin(tree: *const u8) -> ! {
            let main: fn($crate::Given) -> ! = $main;
            // SAFETY: x0 held the device tree's address, and the program writes elsewhere.
            main(unsafe { $crate::Given::at(tree) })
        }
    };
}
