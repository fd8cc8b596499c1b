//! Registers of a thread.

use alloc::collections::BTreeMap;

use sluice_abi::{PSTATE_FLAGS, PSTATE_USER, Register};

/// What a thread's registers hold; the program counter is where it starts over.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Registers(BTreeMap<Register, u64>);

impl Default for Registers {
    /// Those of a new thread.
    fn default() -> Self {
        let mut registers = Self(BTreeMap::new());
        registers.set(Register::Spsr, PSTATE_USER);
        registers
    }
}

impl Registers {
    /// What is in one.
    #[must_use]
    pub fn get(&self, register: Register) -> u64 {
        self.0.get(&register).copied().unwrap_or(0)
    }

    /// Puts a value into one.
    pub fn set(&mut self, register: Register, value: u64) {
        if value == 0 {
            self.0.remove(&register);
        } else {
            self.0.insert(register, value);
        }
    }
}

/// What becomes of a PSTATE that is wanted for a thread: with a virtual processor it may be at EL1 (DDI 0487, C5.2.19, M[4:0] of
/// EL0t, EL1t and EL1h) and mask what it likes; else only the condition flags are its own.
pub(crate) const fn allowed_pstate(wanted: u64, guest: bool) -> u64 {
    const MODE: u64 = 0x1f;
    if guest && matches!(wanted & MODE, 0 | 4 | 5) { wanted } else { wanted & PSTATE_FLAGS | PSTATE_USER }
}
