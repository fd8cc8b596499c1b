//! Floating point: the registers follow the thread that uses them, when it uses them.
//!
//! A thread's first floating-point instruction after another thread's traps; only then are the registers exchanged. A
//! thread with the `fpuDisabled` flag gets the trap as a fault instead.

use sluice_abi::FPU_DISABLED;

use crate::Kernel;
use crate::hal::Hal;
use crate::object::Tcb;
use crate::store::Handle;

/// Who has the registers.
pub(crate) struct Fpu {
    owner: Option<Handle<Tcb>>,
    /// Whether EL0 may use them at the moment.
    open: bool,
}

impl Fpu {
    pub(crate) const fn new() -> Self {
        Self { owner: None, open: false }
    }
}

impl<H: Hal> Kernel<H> {
    /// Handles the trap of the current thread's floating-point instruction, which starts over.
    pub fn enter_fpu_trap(&mut self, syndrome: u64) {
        let Some(thread) = self.current else { return };
        if self.tcb(thread).flags.get() & FPU_DISABLED != 0 {
            return self.enter_exception(syndrome);
        }
        self.hal.open_fpu(true);
        self.fpu.open = true;
        if self.fpu.owner != Some(thread) {
            if let Some(owner) = self.fpu.owner {
                self.hal.save_fpu(&self.tcb(owner).fpu);
            }
            self.hal.load_fpu(&self.tcb(thread).fpu);
            self.fpu.owner = Some(thread);
        }
    }

    /// Lets the thread that runs next use the registers without a trap if they are its own.
    #[inline(always)]
    pub(crate) fn guard_fpu(&mut self, next: Handle<Tcb>) {
        // Nobody's registers are open to nobody.
        let Some(owner) = self.fpu.owner else { return };
        let open = owner == next;
        if open != self.fpu.open {
            self.hal.open_fpu(open);
            self.fpu.open = open;
        }
    }

    /// The thread's registers are of no use any more, or must not be used by it.
    pub(crate) fn take_fpu_from(&mut self, thread: Handle<Tcb>) {
        if self.fpu.owner == Some(thread) {
            self.hal.open_fpu(true);
            self.hal.save_fpu(&self.tcb(thread).fpu);
            self.hal.open_fpu(false);
            self.fpu = Fpu::new();
        }
    }
}
