//! Registers of other threads.

use sluice_abi::{Register, USER_FRAME_WORDS};

use crate::Kernel;
use crate::hal::Hal;
use crate::object::Tcb;
use crate::store::Handle;

impl<H: Hal> Kernel<H> {
    /// The register as `TCB_ReadRegisters` shows it; the program counter is where the thread would start over.
    pub(super) fn read_register(&self, thread: Handle<Tcb>, register: Register) -> u64 {
        let context = &self.tcb(thread).context;
        match register {
            Register::Pc => context.restart_pc.get(),
            Register::Sp => context.sp.get(),
            Register::Spsr => context.spsr.get(),
            Register::X(number) => context.x[usize::from(number)].get(),
            Register::TpidrEl0 => context.tpidr.get(),
            Register::TpidrroEl0 => context.tpidrro.get(),
        }
    }

    pub(super) fn write_register(&self, thread: Handle<Tcb>, register: Register, value: u64) {
        let context = &self.tcb(thread).context;
        match register {
            Register::Pc => {
                context.restart_pc.set(value);
                context.pc.set(value);
            }
            Register::Sp => context.sp.set(value),
            Register::Spsr => self.tcb(thread).set_pstate(value),
            Register::X(number) => context.x[usize::from(number)].set(value),
            Register::TpidrEl0 => context.tpidr.set(value),
            Register::TpidrroEl0 => context.tpidrro.set(value),
        }
    }

    /// Copies the registers before `USER_FRAME_WORDS` in the message order, those from there on, or both.
    pub(super) fn copy_registers(&self, dest: Handle<Tcb>, source: Handle<Tcb>, frame: bool, integer: bool) {
        for (index, register) in Register::ORDER.into_iter().enumerate() {
            if if index < USER_FRAME_WORDS { frame } else { integer } {
                self.write_register(dest, register, self.read_register(source, register));
            }
        }
    }
}
