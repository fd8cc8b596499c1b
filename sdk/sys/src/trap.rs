//! The one system-call instruction.

use sluice_abi::Syscall;

/// Registers `x0`..`x5` at a system call.
pub(crate) type Registers = [u64; 6];

/// Enters the kernel with `call` in `x7`; all registers but `x0`..`x5` are preserved by the interface.
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub(crate) fn trap(call: Syscall, registers: Registers) -> Registers {
    let [mut x0, mut x1, mut x2, mut x3, mut x4, mut x5] = registers;
    // SAFETY: the interface clobbers x0..x5 only, which are declared; the stack is not touched; memory may change
    // (the IPC buffer, mappings), which is the default assumption of `asm!`. What a call does to memory that this
    // program's objects live in is the capability holder's responsibility, see the crate's documentation.
    unsafe {
        core::arch::asm!(
            "svc #0",
            inout("x0") x0, inout("x1") x1, inout("x2") x2, inout("x3") x3, inout("x4") x4, inout("x5") x5,
            in("x7") call.word(),
            options(nostack),
        );
    }
    [x0, x1, x2, x3, x4, x5]
}

/// There is no kernel below a host test.
#[cfg(not(all(target_arch = "aarch64", target_os = "none")))]
pub(crate) fn trap(call: Syscall, _registers: Registers) -> Registers {
    panic!("{call:?}: system calls exist on the target only")
}
