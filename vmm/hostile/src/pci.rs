//! Configuration space, and the functions that the guest is given.

use sluice_hostile::place::ECAM;

use crate::machine::{load, store};

/// Command: memory answers.
pub(crate) const MEMORY: u64 = 1 << 1;
/// Command: may master.
pub(crate) const MASTER: u64 = 1 << 2;

/// A function by its slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Function(pub(crate) u64);

impl Function {
    /// The function with this vendor and device number.
    pub(crate) fn find(id: u64) -> Option<Self> {
        (1..32).map(Self).find(|function| function.read(0) == id)
    }

    pub(crate) fn at(self, register: u64) -> u64 {
        ECAM + (self.0 << 15) + register
    }

    pub(crate) fn read(self, register: u64) -> u64 {
        load(self.at(register), 4)
    }

    pub(crate) fn write(self, register: u64, value: u64) {
        store(self.at(register), 4, value);
    }

    /// The address in BAR 0.
    pub(crate) fn bar(self) -> u64 {
        self.read(0x10) & !0xf
    }

    /// Lets it answer at `bar`, and master.
    pub(crate) fn enable(self, bar: u64) {
        self.write(0x04, 0);
        self.write(0x10, bar);
        self.write(0x04, MEMORY | MASTER);
    }

    /// Its StreamID.
    pub(crate) const fn stream(self) -> u64 {
        self.0 << 3
    }
}
