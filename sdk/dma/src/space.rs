//! The I/O address space of a managed device.

use core::fmt;

use sluice_abi::{CapRights, FrameSize, Iova, PHYS_BITS, VirtAddr, VmAttributes};
use sluice_rt::{Device, RtError, Tables};
use sluice_sys::{Failure, Frame, VSpace};

use crate::ranges::{RangeError, Ranges};

/// Addresses left unused at the bottom: 0 and what is near it are where devices that were told nothing go.
const KEEP_CLEAR: u64 = 0x1_0000;

/// What a device may do with a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
}

impl Access {
    const fn rights(self) -> CapRights {
        match self {
            Self::Read => CapRights::READ,
            Self::ReadWrite => CapRights::READ.union(CapRights::WRITE),
        }
    }
}

/// Why a device cannot be given memory, or it cannot be taken away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DmaError {
    /// The addresses.
    Range(RangeError),
    /// The runtime or the kernel.
    Rt(RtError),
}

impl From<RangeError> for DmaError {
    fn from(error: RangeError) -> Self {
        Self::Range(error)
    }
}

impl From<RtError> for DmaError {
    fn from(error: RtError) -> Self {
        Self::Rt(error)
    }
}

impl fmt::Display for DmaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(error) => error.fmt(f),
            Self::Rt(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for DmaError {}

/// The address space of one device.
///
/// Frames mapped here are capabilities of their own: a capability to a frame is mapped at one place, so what the CPU
/// maps too needs a copy.
#[derive(Debug)]
pub struct Space<'a> {
    vspace: VSpace,
    addresses: Ranges,
    tables: Tables<'a>,
}

impl<'a> Space<'a> {
    /// The space of `device`, with what the spec maps in it taken.
    ///
    /// # Errors
    /// When the component does not manage the device.
    pub fn of(device: &Device<'_>, tables: Tables<'a>) -> Result<Self, DmaError> {
        let mut addresses = Ranges::for_device(device.address_bits(), PHYS_BITS, KEEP_CLEAR);
        for (iova, size) in device.reach() {
            // A region below the addresses this allocator uses cannot collide with them.
            if iova.0 >= KEEP_CLEAR {
                addresses.reserve(iova.0, size)?;
            }
        }
        Ok(Self { vspace: device.manage()?.space, addresses, tables })
    }

    /// Maps a frame at the lowest free address.
    ///
    /// # Errors
    /// When no address within the device's width is free, or the kernel refuses.
    pub fn map(&mut self, frame: Frame, size: FrameSize, access: Access) -> Result<Iova, DmaError> {
        let iova = Iova(self.addresses.allocate(size.bytes(), size.bytes())?);
        self.map_taken(frame, size, iova, access)?;
        Ok(iova)
    }

    /// Maps a frame at a chosen address.
    ///
    /// # Errors
    /// When the address is in use or beyond the device's width, or the kernel refuses.
    pub fn map_at(&mut self, frame: Frame, size: FrameSize, iova: Iova, access: Access) -> Result<(), DmaError> {
        self.addresses.reserve(iova.0, size.bytes())?;
        self.map_taken(frame, size, iova, access)
    }

    /// Unmaps a frame: when this returns, the device does not reach it at `iova`.
    ///
    /// # Errors
    /// When nothing is mapped there, or the kernel refuses; the address stays taken then.
    pub fn unmap(&mut self, frame: Frame, size: FrameSize, iova: Iova) -> Result<(), DmaError> {
        frame.unmap().map_err(RtError::refused("unmap a frame from a device"))?;
        Ok(self.addresses.release(iova.0, size.bytes())?)
    }

    /// Gives back the address of a frame whose capability is gone, and its mapping with it.
    ///
    /// # Errors
    /// When the address was not given out.
    pub fn forget(&mut self, size: FrameSize, iova: Iova) -> Result<(), DmaError> {
        Ok(self.addresses.release(iova.0, size.bytes())?)
    }

    fn map_taken(&mut self, frame: Frame, size: FrameSize, iova: Iova, access: Access) -> Result<(), DmaError> {
        let how = VmAttributes::DEFAULT | VmAttributes::EXECUTE_NEVER;
        let outcome = self.tables.map(frame, self.vspace, VirtAddr(iova.0), access.rights(), how);
        if let Err(error) = outcome {
            self.addresses.release(iova.0, size.bytes())?;
            return Err(error.into());
        }
        Ok(())
    }
}

impl DmaError {
    /// The kernel's refusal, if it is one.
    #[must_use]
    pub const fn refusal(&self) -> Option<Failure> {
        match self {
            Self::Rt(RtError::Refused { failure, .. }) => Some(*failure),
            Self::Rt(RtError::Missing(_) | RtError::NoSlots | RtError::Address(_)) | Self::Range(_) => None,
        }
    }
}
