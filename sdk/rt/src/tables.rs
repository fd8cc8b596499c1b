//! Translation tables made when a mapping needs them.

use sluice_abi::{CapRights, ObjectType, VirtAddr, VmAttributes};
use sluice_manifest::slot;
use sluice_sys::{CNode, Failure, Frame, PageTable, Untyped, VSpace};

use crate::{RtError, Slots};

/// Levels below the root of an address space.
const LEVELS: usize = 3;

/// Makes translation tables of an Untyped.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    memory: Untyped,
    slots: &'a Slots,
}

impl<'a> Tables<'a> {
    /// Tables of `memory`, their capabilities in `slots`.
    #[must_use]
    pub const fn new(memory: Untyped, slots: &'a Slots) -> Self {
        Self { memory, slots }
    }

    /// Maps a frame, making each table that is missing on the way.
    ///
    /// # Errors
    /// As the kernel refuses the mapping or a table, or when slots run out.
    pub fn map(
        &self,
        frame: Frame,
        into: VSpace,
        at: VirtAddr,
        rights: CapRights,
        how: VmAttributes,
    ) -> Result<(), RtError> {
        for _ in 0..LEVELS {
            match frame.map(into, at, rights, how) {
                Err(Failure::Lookup { .. }) => self.add_table(into, at)?,
                outcome => return outcome.map_err(RtError::refused("map a frame")),
            }
        }
        frame.map(into, at, rights, how).map_err(RtError::refused("map a frame"))
    }

    /// Makes a table that is installed nowhere yet.
    ///
    /// # Errors
    /// When the Untyped or the slots are used up.
    pub fn make(&self) -> Result<PageTable, RtError> {
        let place = self.slots.take()?;
        self.memory
            .retype(ObjectType::PageTable, 0, CNode::from(slot::CNODE).from_offset(place.index), 1)
            .map_err(RtError::refused("make a translation table"))?;
        Ok(PageTable::from(place.index))
    }

    fn add_table(&self, into: VSpace, at: VirtAddr) -> Result<(), RtError> {
        self.make()?.map(into, at, VmAttributes::DEFAULT).map_err(RtError::refused("install a translation table"))
    }
}
