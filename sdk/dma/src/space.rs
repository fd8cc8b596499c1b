//! The I/O address space of a device.

use alloc::vec::Vec;

use sluice_abi::{FrameSize, Iova, PHYS_BITS};
use sluice_rt::{Device, Env, Tables};
use sluice_sys::{Frame, Slot};

use crate::ranges::Ranges;
use crate::translation::{Access, Managed, Translation};
use crate::{DmaError, Extent};

/// Addresses left unused at the bottom: 0 and what is near it are where devices that were told nothing go.
const KEEP_CLEAR: u64 = 0x1_0000;

/// The address space of one device: what is mapped in it, at addresses that the device can emit.
///
/// A capability to a frame is mapped at one place. [`Space::show`] derives capabilities of its own from those in
/// [`Extent`]s; [`Space::map`] uses the one it is given.
#[derive(Debug)]
pub struct Space<T> {
    translation: T,
    addresses: Ranges,
    coherent: bool,
}

/// The address space of a device that the component manages.
pub type DeviceSpace<'a> = Space<Managed<'a>>;

/// Pages in a row of I/O addresses. It is given back to the space that made it.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "the pages stay mapped, and their slots and addresses taken, until it is given back"]
pub struct Mapping {
    pub(crate) iova: Iova,
    pub(crate) size: FrameSize,
    pub(crate) pages: Vec<Slot>,
}

impl Mapping {
    /// Where the device finds the first page.
    #[must_use]
    pub const fn iova(&self) -> Iova {
        self.iova
    }

    /// Bytes in a row.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.pages.len() as u64 * self.size.bytes()
    }
}

impl<'a> DeviceSpace<'a> {
    /// The space of `device`, with what the spec maps in it taken.
    ///
    /// # Errors
    /// When the component does not manage the device.
    pub fn of(env: &'a Env, device: &Device<'_>, tables: Tables<'a>) -> Result<Self, DmaError> {
        let translation = Managed::new(device.manage()?.space, tables, env.slots());
        Ok(Self { coherent: device.is_coherent(), ..Self::new(translation, device.address_bits(), device.reach())? })
    }
}

impl<T: Translation> Space<T> {
    /// The space of a device that emits `address_bits` bits and snoops no caches, with `taken` in use already.
    ///
    /// # Errors
    /// When what is taken overlaps, or is beyond the device's reach.
    pub fn new(
        translation: T,
        address_bits: u8,
        taken: impl IntoIterator<Item = (Iova, u64)>,
    ) -> Result<Self, DmaError> {
        let mut addresses = Ranges::for_device(address_bits, PHYS_BITS, KEEP_CLEAR);
        for (iova, size) in taken {
            // A region below the addresses this allocator uses cannot collide with them.
            if iova.0 >= KEEP_CLEAR {
                addresses.reserve(iova.0, size)?;
            }
        }
        Ok(Self { translation, addresses, coherent: false })
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
        self.translation.unmap(frame)?;
        self.forget(size, iova)
    }

    /// Gives back the address of a frame whose capability is gone, and its mapping with it.
    ///
    /// # Errors
    /// When the address was not given out.
    pub fn forget(&mut self, size: FrameSize, iova: Iova) -> Result<(), DmaError> {
        Ok(self.addresses.release(iova.0, size.bytes())?)
    }

    /// Maps pages end to end, wherever they lie in memory and to whichever objects they belong, at the lowest free
    /// addresses.
    ///
    /// # Errors
    /// When there are no pages, or of several sizes; when no addresses in a row are free within the device's width; when
    /// slots run out or the kernel refuses. Nothing is mapped then.
    pub fn show(&mut self, extents: &[Extent<'_>], access: Access) -> Result<Mapping, DmaError> {
        let (size, count) = measure(extents)?;
        let bytes = count * size.bytes();
        let iova = Iova(self.addresses.allocate(bytes, size.bytes())?);
        match self.show_taken(extents, iova, access) {
            Ok(pages) => Ok(Mapping { iova, size, pages }),
            Err(error) => {
                self.addresses.release(iova.0, bytes)?;
                Err(error)
            }
        }
    }

    /// Takes a mapping away: when this returns, the device reaches none of it.
    ///
    /// # Errors
    /// As the kernel refuses; the addresses stay taken then.
    pub fn hide(&mut self, mapping: Mapping) -> Result<(), DmaError> {
        let bytes = mapping.bytes();
        self.discard(mapping.pages)?;
        Ok(self.addresses.release(mapping.iova.0, bytes)?)
    }

    /// Before a transfer: the device finds what the CPU stored. Nothing to do for a coherent device; ordering is the
    /// register access's that starts the transfer.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn sync_for_device(&mut self, mapping: &Mapping) -> Result<(), DmaError> {
        self.sync(mapping, T::clean)
    }

    /// After a transfer: the CPU finds what the device stored. Nothing to do for a coherent device. The CPU must not have
    /// written to the pages since [`Space::sync_for_device`].
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn sync_for_cpu(&mut self, mapping: &Mapping) -> Result<(), DmaError> {
        self.sync(mapping, T::invalidate)
    }

    fn sync(
        &mut self,
        mapping: &Mapping,
        each: fn(&mut T, Frame, u64) -> Result<(), DmaError>,
    ) -> Result<(), DmaError> {
        if self.coherent {
            return Ok(());
        }
        let bytes = mapping.size.bytes();
        mapping.pages.iter().try_for_each(|page| each(&mut self.translation, Frame::from(page.index), bytes))
    }

    /// Takes a whole block away, whatever is mapped in it.
    pub(crate) fn close(&mut self, block: Iova) -> Result<(), DmaError> {
        self.translation.close(block)
    }

    #[cfg(test)]
    pub(crate) const fn effects(&mut self) -> &mut T {
        &mut self.translation
    }

    /// The time.
    pub(crate) fn ticks(&self) -> u64 {
        self.translation.ticks()
    }

    /// Takes addresses for somebody else to give out.
    pub(crate) fn take(&mut self, bytes: u64, align: u64) -> Result<Iova, DmaError> {
        Ok(Iova(self.addresses.allocate(bytes, align)?))
    }

    /// Maps pages at addresses that are taken already.
    pub(crate) fn show_taken(
        &mut self,
        extents: &[Extent<'_>],
        iova: Iova,
        access: Access,
    ) -> Result<Vec<Slot>, DmaError> {
        let mut pages = Vec::new();
        let mut at = iova;
        for extent in extents {
            for frame in extent.frames {
                if let Err(error) = self.show_page(*frame, at, access, &mut pages) {
                    self.discard(pages)?;
                    return Err(error);
                }
                at = at.offset(extent.size.bytes());
            }
        }
        Ok(pages)
    }

    /// Maps one more page; whatever was derived is in `pages`, mapped or not.
    fn show_page(&mut self, frame: Slot, at: Iova, access: Access, pages: &mut Vec<Slot>) -> Result<(), DmaError> {
        let page = self.translation.derive(frame)?;
        pages.push(page);
        self.translation.map(Frame::from(page.index), at, access)
    }

    pub(crate) fn discard(&mut self, pages: Vec<Slot>) -> Result<(), DmaError> {
        pages.into_iter().try_for_each(|page| self.translation.discard(page))
    }

    fn map_taken(&mut self, frame: Frame, size: FrameSize, iova: Iova, access: Access) -> Result<(), DmaError> {
        let outcome = self.translation.map(frame, iova, access);
        if outcome.is_err() {
            self.addresses.release(iova.0, size.bytes())?;
        }
        outcome
    }
}

/// The one size of all pages, and their number.
pub(crate) fn measure(extents: &[Extent<'_>]) -> Result<(FrameSize, u64), DmaError> {
    let size = extents.first().ok_or(DmaError::Empty)?.size;
    if extents.iter().any(|extent| extent.size != size) {
        return Err(DmaError::MixedSizes);
    }
    let count = extents.iter().map(|extent| extent.frames.len() as u64).sum();
    if count == 0 { Err(DmaError::Empty) } else { Ok((size, count)) }
}

#[cfg(test)]
mod tests;
