//! Device registers.

use sluice_abi::VirtAddr;

use crate::barrier;
use crate::window::{Window, Word};

/// One range of a device's registers, mapped as Device memory.
///
/// A store is visible to the device after all earlier stores to memory; loads from memory after a register load see
/// what the device had stored before. Offsets outside the range and unaligned ones panic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registers(Window);

impl Registers {
    pub(crate) fn at(base: VirtAddr, bytes: u64) -> Option<Self> {
        Window::new(base, bytes).map(Self)
    }

    /// Bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.bytes()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn load<W: Word>(&self, offset: usize) -> W {
        let value = W::load(self.0, offset);
        barrier::after_register_read();
        value
    }

    fn store<W: Word>(&self, offset: usize, value: W) {
        barrier::before_register_write();
        value.store(self.0, offset);
    }

    /// Reads 8 bits.
    #[must_use]
    pub fn read8(&self, offset: usize) -> u8 {
        self.load(offset)
    }

    /// Reads 16 bits.
    #[must_use]
    pub fn read16(&self, offset: usize) -> u16 {
        self.load(offset)
    }

    /// Reads 32 bits.
    #[must_use]
    pub fn read32(&self, offset: usize) -> u32 {
        self.load(offset)
    }

    /// Reads 64 bits.
    #[must_use]
    pub fn read64(&self, offset: usize) -> u64 {
        self.load(offset)
    }

    /// Writes 8 bits.
    pub fn write8(&self, offset: usize, value: u8) {
        self.store(offset, value);
    }

    /// Writes 16 bits.
    pub fn write16(&self, offset: usize, value: u16) {
        self.store(offset, value);
    }

    /// Writes 32 bits.
    pub fn write32(&self, offset: usize, value: u32) {
        self.store(offset, value);
    }

    /// Writes 64 bits.
    pub fn write64(&self, offset: usize, value: u64) {
        self.store(offset, value);
    }
}
