//! PCI functions of a guest's one bus (PCI 3.0, 6.1 and 6.2.5): found, placed, and let master memory.

use crate::machine::{load, store};
use crate::place::ECAM;

/// Offsets in a function's configuration space: vendor and device, command, revision and class, the first BAR.
const NAME: u64 = 0x00;
const COMMAND: u64 = 0x04;
const CLASS: u64 = 0x08;
const BAR: u64 = 0x10;
/// COMMAND: memory, mastering, no interrupt.
const WORKS: u64 = 0x406;
/// A BAR's type, and that of one of 64 bits.
const TYPE: u64 = 6;
const WIDE: u64 = 4;

/// A function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    slot: u64,
}

impl Function {
    /// The first that is called this.
    #[must_use]
    pub fn named(vendor: u64, device: u64) -> Option<Self> {
        Self::all().find(|function| load(function.at(NAME), 4) == device << 16 | vendor)
    }

    /// The first of this class: class, subclass, interface.
    #[must_use]
    pub fn of_class(class: u64) -> Option<Self> {
        Self::all().find(|function| load(function.at(CLASS), 4) >> 8 == class)
    }

    fn all() -> impl Iterator<Item = Self> {
        (0..32).map(|slot| Self { slot })
    }

    /// Puts its first BAR at `to`, below 4 GiB, and lets it decode and master memory, without interrupts.
    pub fn open(self, to: u64) {
        let is_wide = load(self.at(BAR), 4) & TYPE == WIDE;
        store(self.at(BAR), 4, to);
        if is_wide {
            store(self.at(BAR + 4), 4, 0);
        }
        store(self.at(COMMAND), 2, WORKS);
    }

    /// Its stream behind the guest's SMMU: the requester ID.
    #[must_use]
    pub const fn stream(self) -> u64 {
        self.slot << 3
    }

    const fn at(self, offset: u64) -> u64 {
        ECAM + (self.slot << 15) + offset
    }
}
