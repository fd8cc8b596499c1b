//! PCI functions of the guest's one bus (PCI 3.0, 6.1 and 6.2.5): found, placed, and let master memory.

use sluice_hostile::place::ECAM;

use crate::machine::{load, store};

/// A function.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    slot: u64,
}

impl Function {
    /// The first one that is called this: device, then vendor.
    pub(crate) fn find(device: u64, vendor: u64) -> Option<Self> {
        let named = |function: &Self| load(function.configuration(), 4) == device << 16 | vendor;
        (0..32).map(|slot| Self { slot }).find(named)
    }

    /// Puts its first BAR at `at`, and lets it decode and master memory, without interrupts.
    pub(crate) fn open(self, at: u64) {
        store(self.configuration() + 0x10, 4, at);
        store(self.configuration() + 4, 2, 0x406);
    }

    /// Its stream behind the guest's SMMU: the requester ID.
    pub(crate) const fn stream(self) -> u64 {
        self.slot << 3
    }

    const fn configuration(self) -> u64 {
        ECAM + (self.slot << 15)
    }
}
