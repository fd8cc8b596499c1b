//! The guest's memory as the VMM maps it.

use sluice_rt::Memory;
use sluice_vmm::layout::RAM_BASE;
use sluice_vmm::memory::{GuestMemory, GuestPhysAddr, OutsideRam};

/// All of the guest's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ram(pub(crate) Memory);

impl Ram {
    /// Where `bytes` bytes at `at` are in the VMM's view.
    fn offset(self, at: GuestPhysAddr, bytes: usize) -> Result<usize, OutsideRam> {
        let offset = at.0.checked_sub(RAM_BASE).and_then(|offset| usize::try_from(offset).ok()).ok_or(OutsideRam)?;
        let end = offset.checked_add(bytes).ok_or(OutsideRam)?;
        if end <= self.0.len() { Ok(offset) } else { Err(OutsideRam) }
    }
}

impl Ram {
    /// Copies the first bytes of `from`.
    pub(crate) fn copy_from(&mut self, at: GuestPhysAddr, from: &Memory, bytes: usize) -> Result<(), OutsideRam> {
        self.0.copy_from(self.offset(at, bytes)?, from, bytes);
        Ok(())
    }
}

impl GuestMemory for Ram {
    fn read(&self, at: GuestPhysAddr, into: &mut [u8]) -> Result<(), OutsideRam> {
        self.0.read(self.offset(at, into.len())?, into);
        Ok(())
    }

    fn write(&mut self, at: GuestPhysAddr, from: &[u8]) -> Result<(), OutsideRam> {
        self.0.write(self.offset(at, from.len())?, from);
        Ok(())
    }

    fn read_u64(&self, at: GuestPhysAddr) -> Result<u64, OutsideRam> {
        let offset = self.offset(at, 8)?;
        if offset.is_multiple_of(8) {
            return Ok(self.0.read64(offset));
        }
        let mut bytes = [0; 8];
        self.0.read(offset, &mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }
}
