//! The guest's memory, as the VMM reaches it.

use core::fmt;

/// An address as the guest's stage 1 puts it out: what stage 2 translates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPhysAddr(pub u64);

impl fmt::Debug for GuestPhysAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GPA {:#x}", self.0)
    }
}

/// Some byte of the range is not in the guest's RAM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutsideRam;

/// The guest's RAM. The guest, and its devices, change it at any time: nothing read twice need be the same.
pub trait GuestMemory {
    /// Copies the bytes at `at` to `into`.
    ///
    /// # Errors
    /// [`OutsideRam`]; `into` is then unchanged.
    fn read(&self, at: GuestPhysAddr, into: &mut [u8]) -> Result<(), OutsideRam>;

    /// Copies `from` to the bytes at `at`.
    ///
    /// # Errors
    /// [`OutsideRam`]; memory is then unchanged.
    fn write(&mut self, at: GuestPhysAddr, from: &[u8]) -> Result<(), OutsideRam>;

    /// The little-endian doubleword at `at`, which is read by one load when it is aligned.
    ///
    /// # Errors
    /// [`OutsideRam`].
    fn read_u64(&self, at: GuestPhysAddr) -> Result<u64, OutsideRam> {
        let mut bytes = [0; 8];
        self.read(at, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}
