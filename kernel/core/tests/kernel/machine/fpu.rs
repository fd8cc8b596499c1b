//! Floating-point registers, which must be open to be touched.

use std::cell::Cell;

use sluice_core::object::FpuContext;

#[derive(Default)]
pub(crate) struct Fpu {
    open: Cell<bool>,
    v: [Cell<u128>; 32],
    status: [Cell<u64>; 2],
}

impl Fpu {
    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    pub(super) fn set_open(&self, open: bool) {
        self.open.set(open);
    }

    /// What an instruction of EL0 finds in `q31` and FPCR, and leaves there.
    pub(crate) fn exchange(&self, value: u64) -> (u128, u64) {
        assert!(self.open.get(), "the instruction traps");
        (self.v[31].replace(value.into()), self.status[1].replace(value))
    }

    pub(super) fn save(&self, to: &FpuContext) {
        assert!(self.open.get(), "the kernel traps on itself");
        self.v.iter().zip(&to.v).for_each(|(from, to)| to.set(from.get()));
        to.fpsr.set(self.status[0].get());
        to.fpcr.set(self.status[1].get());
    }

    pub(super) fn load(&self, from: &FpuContext) {
        assert!(self.open.get(), "the kernel traps on itself");
        self.v.iter().zip(&from.v).for_each(|(to, from)| to.set(from.get()));
        self.status[0].set(from.fpsr.get());
        self.status[1].set(from.fpcr.get());
    }
}
