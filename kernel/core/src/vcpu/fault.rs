//! Addresses of faults: a native thread's are virtual, a guest's are what its own translation made of them.

use crate::Kernel;
use crate::hal::Hal;
use crate::object::Fault;

/// An address is not known: neither the hardware nor stage 1 says.
const UNKNOWN: u64 = u64::MAX;

/// Bits of ESR_EL2 that the interface shows.
const SYNDROME: u64 = 0xffff_ffff;

/// Whether HPFAR_EL2 holds the page for this ESR_EL2 (DDI 0487, D24.2.61): faults of translation, access flag and address
/// size, and any of a table walk.
const fn page_is_reported(syndrome: u64) -> bool {
    const WALK: u64 = 1 << 7;
    const LAST_BEFORE_PERMISSION: u64 = 0xb;
    syndrome & WALK != 0 || syndrome & 0x3f <= LAST_BEFORE_PERMISSION
}

impl<H: Hal> Kernel<H> {
    /// Handles an abort of the current thread: ESR_EL2 and FAR_EL2, and whether it was an instruction fetch.
    pub fn enter_abort(&mut self, syndrome: u64, address: u64, instruction: bool) {
        let address = if self.vcpus.running.is_some() { self.intermediate(syndrome, address) } else { address };
        self.enter_fault(Fault::Vm { address, syndrome: syndrome & SYNDROME, instruction });
    }

    fn intermediate(&self, syndrome: u64, address: u64) -> u64 {
        const OFFSET: u64 = 0xfff;
        const PAGE: u64 = 0xffff_ffff_f000;
        if page_is_reported(syndrome) {
            // FIPA, HPFAR_EL2[39:4], is bits 47:12 of the address.
            return self.hal.faulting_page() << 8 & PAGE | address & OFFSET;
        }
        match self.hal.translate_stage1(address) {
            translated if translated & 1 == 0 => translated & PAGE | address & OFFSET,
            _ => UNKNOWN,
        }
    }

    /// Handles any other exception of the current thread: instructions that are none are its own mistake, everything else
    /// is for whoever emulates the rest of its machine. The interface does not ask whether it has a virtual processor.
    pub fn enter_exception(&mut self, syndrome: u64) {
        /// ESR_EL2 of an exception without a reason, from a 32-bit instruction.
        const UNKNOWN_REASON: u64 = 1 << 25;
        self.enter_fault(match syndrome & SYNDROME {
            UNKNOWN_REASON => Fault::User { number: UNKNOWN_REASON, code: 0 },
            syndrome => Fault::Vcpu { syndrome },
        });
    }
}
