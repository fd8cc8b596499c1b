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
        registers.set(Register::Spsr, 0);
        registers
    }
}

impl Registers {
    /// What is in one.
    #[must_use]
    pub fn get(&self, register: Register) -> u64 {
        self.0.get(&register).copied().unwrap_or(0)
    }

    /// Puts a value into one; of SPSR only the condition flags are the thread's own.
    pub fn set(&mut self, register: Register, value: u64) {
        let value = if register == Register::Spsr { value & PSTATE_FLAGS | PSTATE_USER } else { value };
        if value == 0 {
            self.0.remove(&register);
        } else {
            self.0.insert(register, value);
        }
    }
}
