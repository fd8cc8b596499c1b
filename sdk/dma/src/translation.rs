//! What an I/O address space asks of the kernel.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use sluice_abi::{CapRights, FrameSize, Iova, LookupFailure, VirtAddr, VmAttributes};
use sluice_rt::{RtError, Slots, Tables, time};
use sluice_sys::{Failure, Frame, PageTable, Slot, VSpace};

use crate::DmaError;

/// log2 of the bytes that one last-level table covers: 512 pages of 4 KiB.
pub const BLOCK_BITS: u32 = FrameSize::Large.bits();
/// Levels of tables below a root.
const LEVELS: usize = 3;

/// What a device may do with memory.
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

/// Effects on a device's translation, one system call or a few each; what is mapped where is decided by the caller.
pub trait Translation {
    /// A capability of its own to the frame in `frame`, which can be mapped apart from it.
    ///
    /// # Errors
    /// When slots run out or the kernel refuses.
    fn derive(&mut self, frame: Slot) -> Result<Slot, DmaError>;
    /// Deletes a derived capability, and its mapping with it: when this returns the device does not reach the page.
    ///
    /// # Errors
    /// As the kernel refuses.
    fn discard(&mut self, page: Slot) -> Result<(), DmaError>;
    /// Maps a frame, with the tables that are missing on the way.
    ///
    /// # Errors
    /// As the kernel refuses.
    fn map(&mut self, frame: Frame, at: Iova, access: Access) -> Result<(), DmaError>;
    /// Unmaps a frame whose capability stays.
    ///
    /// # Errors
    /// As the kernel refuses.
    fn unmap(&mut self, frame: Frame) -> Result<(), DmaError>;
    /// Takes the last-level table of the block at `block` out: when this returns the device reaches nothing in it.
    /// The next mapping there brings a table back.
    ///
    /// # Errors
    /// [`DmaError::NoTable`] when none was put there by [`Translation::map`]; otherwise as the kernel refuses.
    fn close(&mut self, block: Iova) -> Result<(), DmaError>;
    /// Writes what the CPU stored to bytes `0..bytes` of a mapped page back from its caches.
    ///
    /// # Errors
    /// As the kernel refuses.
    fn clean(&mut self, page: Frame, bytes: u64) -> Result<(), DmaError>;
    /// Drops what the CPU's caches hold of bytes `0..bytes` of a mapped page.
    ///
    /// # Errors
    /// As the kernel refuses.
    fn invalidate(&mut self, page: Frame, bytes: u64) -> Result<(), DmaError>;
    /// The time, in ticks of [`sluice_rt::time`].
    fn ticks(&self) -> u64;
}

/// The translation of a device that the component manages.
#[derive(Debug)]
pub struct Managed<'a> {
    vspace: VSpace,
    tables: Tables<'a>,
    slots: &'a Slots,
    blocks: BTreeMap<Iova, PageTable>,
    spare: Vec<PageTable>,
}

impl<'a> Managed<'a> {
    pub(crate) const fn new(vspace: VSpace, tables: Tables<'a>, slots: &'a Slots) -> Self {
        Self { vspace, tables, slots, blocks: BTreeMap::new(), spare: Vec::new() }
    }

    /// Adds the table that a mapping at `at` lacked, which covers 2^`bits` bytes.
    fn add_table(&mut self, at: Iova, bits: u64) -> Result<(), RtError> {
        let table = match self.spare.pop() {
            Some(table) => table,
            None => self.tables.make()?,
        };
        let installed = table.map(self.vspace, VirtAddr(at.0), VmAttributes::DEFAULT);
        if let Err(failure) = installed {
            self.spare.push(table);
            return Err(RtError::refused("install a translation table")(failure));
        }
        if bits == u64::from(BLOCK_BITS) {
            self.blocks.insert(at.align_down(BLOCK_BITS), table);
        }
        Ok(())
    }
}

impl Translation for Managed<'_> {
    fn derive(&mut self, frame: Slot) -> Result<Slot, DmaError> {
        let place = self.slots.take()?;
        if let Err(failure) = place.copy_from(frame, CapRights::READ | CapRights::WRITE) {
            self.slots.put_back(place);
            return Err(RtError::refused("copy a frame's capability")(failure).into());
        }
        Ok(place)
    }

    fn discard(&mut self, page: Slot) -> Result<(), DmaError> {
        page.delete().map_err(RtError::refused("delete a page's capability"))?;
        self.slots.put_back(page);
        Ok(())
    }

    fn map(&mut self, frame: Frame, at: Iova, access: Access) -> Result<(), DmaError> {
        let how = VmAttributes::DEFAULT | VmAttributes::EXECUTE_NEVER;
        let mut outcome = frame.map(self.vspace, VirtAddr(at.0), access.rights(), how);
        for _ in 0..LEVELS {
            let Err(Failure::Lookup { failure: LookupFailure::MissingCapability { bits_left }, .. }) = outcome else {
                break;
            };
            self.add_table(at, bits_left)?;
            outcome = frame.map(self.vspace, VirtAddr(at.0), access.rights(), how);
        }
        Ok(outcome.map_err(RtError::refused("map a frame for a device"))?)
    }

    fn unmap(&mut self, frame: Frame) -> Result<(), DmaError> {
        Ok(frame.unmap().map_err(RtError::refused("unmap a frame from a device"))?)
    }

    fn close(&mut self, block: Iova) -> Result<(), DmaError> {
        let table = *self.blocks.get(&block).ok_or(DmaError::NoTable(block))?;
        table.unmap().map_err(RtError::refused("take a translation table out"))?;
        self.blocks.remove(&block);
        self.spare.push(table);
        Ok(())
    }

    fn clean(&mut self, page: Frame, bytes: u64) -> Result<(), DmaError> {
        Ok(page.clean_data(0, bytes).map_err(RtError::refused("clean a page"))?)
    }

    fn invalidate(&mut self, page: Frame, bytes: u64) -> Result<(), DmaError> {
        Ok(page.invalidate_data(0, bytes).map_err(RtError::refused("invalidate a page"))?)
    }

    fn ticks(&self) -> u64 {
        time::ticks()
    }
}
