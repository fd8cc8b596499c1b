//! What a confined thread executes: one system call, and one that no kernel knows, whose fault tells the root task.

use core::arch::global_asm;

use sluice_abi::{CapRights, PAGE_SIZE, VirtAddr, VmAttributes};
use sluice_sys::{Frame, VSpace};

use crate::machine::{Machine, done};

/// The number of the system call that ends each call.
pub(crate) const DONE: u64 = !0x5100;

global_asm!(
    ".section .text.stub, \"ax\"",
    ".balign 16",
    ".global fuzz_stub",
    "fuzz_stub:",
    "svc #0",
    "movn x7, #0x5100",
    "svc #0",
    "b fuzz_stub",
);

unsafe extern "C" {
    /// The code above; no function of this program's calling convention.
    fn fuzz_stub();
}

/// Slot of the frame that holds the code, and its address there and for confined threads.
pub(crate) struct Stub {
    frame: u64,
    pub(crate) entry: u64,
}

impl Stub {
    pub(crate) fn find(machine: &Machine) -> Self {
        let entry = fuzz_stub as *const () as u64;
        let frames = machine.info.user_image_frames;
        // The image ends where the buffer's page starts.
        let start = machine.info.ipc_buffer - (frames.end - frames.start) * PAGE_SIZE;
        Self { frame: frames.start + (entry - start) / PAGE_SIZE, entry: ENTRY_PAGE + entry % PAGE_SIZE }
    }

    /// Slot of the frame's capability.
    pub(crate) const fn frame(&self) -> u64 {
        self.frame
    }

    /// Maps `copy`, a copy of the frame's capability, where confined threads execute it.
    pub(crate) fn map(&self, copy: Frame, vspace: VSpace) {
        done(copy.map(vspace, VirtAddr(ENTRY_PAGE), CapRights::READ, VmAttributes::DEFAULT));
    }
}

/// Where confined threads have the code: in the last page of the span of the table at [`sluice_fuzz::MAPPED`], which no
/// call is likely to name.
const ENTRY_PAGE: u64 = sluice_fuzz::MAPPED + (1 << 21) - PAGE_SIZE;
