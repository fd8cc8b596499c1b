//! System-call stubs of the shape that C libraries for the interface have: message registers live in the IPC buffer, and
//! each call loads four of them before and stores four after.

use core::arch::asm;

use sluice_abi::{Syscall, ipc_buffer};

/// The caller's IPC buffer.
#[derive(Clone, Copy)]
pub(crate) struct Buffer(*mut u64);

impl Buffer {
    /// The buffer at an address that is one in every address space of the program.
    pub(crate) fn at(address: u64) -> Self {
        Self(core::ptr::with_exposed_provenance_mut(address as usize))
    }

    #[inline(always)]
    fn load(self, index: usize) -> u64 {
        // SAFETY: the buffer is mapped at this address in every address space of the program, and `index` is a message
        // word of it.
        unsafe { self.0.wrapping_byte_add(ipc_buffer::message(index) as usize).read_volatile() }
    }

    #[inline(always)]
    fn store(self, index: usize, value: u64) {
        // SAFETY: as for `load`.
        unsafe { self.0.wrapping_byte_add(ipc_buffer::message(index) as usize).write_volatile(value) }
    }

    #[inline(always)]
    fn exchange(self, call: Syscall, cptr: u64, info: u64) -> (u64, u64) {
        let (first, answer): (u64, u64);
        let (mut x2, mut x3, mut x4, mut x5) = (self.load(0), self.load(1), self.load(2), self.load(3));
        // SAFETY: the interface clobbers x0..x5 only, which are declared; the stack is not touched; memory may change,
        // which is the default assumption of `asm!`.
        unsafe {
            asm!("svc #0", inout("x0") cptr => first, inout("x1") info => answer, inout("x2") x2, inout("x3") x3,
                 inout("x4") x4, inout("x5") x5, in("x7") call.word(), options(nostack));
        }
        self.store(0, x2);
        self.store(1, x3);
        self.store(2, x4);
        self.store(3, x5);
        (first, answer)
    }

    /// `seL4_Call`: the answer's information word.
    #[inline(never)]
    pub(crate) fn call(self, endpoint: u64, info: u64) -> u64 {
        self.exchange(Syscall::Call, endpoint, info).1
    }

    /// `seL4_ReplyRecv`: badge and information word of what was received.
    #[inline(never)]
    pub(crate) fn reply_recv(self, endpoint: u64, info: u64) -> (u64, u64) {
        self.exchange(Syscall::ReplyRecv, endpoint, info)
    }

    /// `seL4_Recv`.
    pub(crate) fn recv(self, endpoint: u64) -> (u64, u64) {
        self.exchange(Syscall::Recv, endpoint, 0)
    }
}
