//! Memory of the component's own that can be shown to devices.

use alloc::vec::Vec;

use sluice_abi::{FrameSize, ObjectType, PAGE_SIZE};
use sluice_manifest::slot;
use sluice_rt::{DmaView, Env, Memory, RtError, Tables};
use sluice_sys::{CNode, Frame, Slot, Untyped};

use crate::DmaError;

/// Frames that the component holds, and its own view of them in one row.
///
/// An object is mapped for devices by way of [`Extent`]s, in one space or in several at once; no byte is copied. It
/// stays the component's: what shows it to a device works with capabilities derived from the object's.
#[derive(Debug)]
pub struct Object {
    memory: Memory,
    frames: Vec<Slot>,
}

/// Consecutive pages of an object.
#[derive(Clone, Copy, Debug)]
pub struct Extent<'o> {
    pub(crate) frames: &'o [Slot],
    pub(crate) size: FrameSize,
}

impl Object {
    /// Makes `pages` frames of 4 KiB from `untyped` and maps them for the component, uninterrupted.
    ///
    /// # Errors
    /// When the Untyped or the slots do not suffice.
    pub fn make(env: &Env, untyped: Untyped, pages: usize, tables: &Tables<'_>) -> Result<Self, DmaError> {
        if pages == 0 {
            return Err(DmaError::Empty);
        }
        let bytes = pages as u64 * PAGE_SIZE;
        let at = env.take_addresses(bytes);
        let mut frames = Vec::with_capacity(pages);
        for page in 0..pages {
            let place = env.slots().take()?;
            untyped
                .retype(ObjectType::SmallPage, 0, CNode::from(slot::CNODE).from_offset(place.index), 1)
                .map_err(RtError::refused("make a frame"))?;
            env.map_page_at(Frame::from(place.index), at.offset(page as u64 * PAGE_SIZE), tables)?;
            frames.push(place);
        }
        let memory = Memory::at(at, bytes).ok_or(RtError::Address(at.0))?;
        Ok(Self { memory, frames })
    }

    /// A region that the spec gave both to the component and to a device it manages, as 4 KiB frames.
    ///
    /// # Errors
    /// [`DmaError::Empty`] when the component does not hold the region's frames, [`DmaError::MixedSizes`] when they are
    /// larger.
    pub fn of_region(view: &DmaView) -> Result<Self, DmaError> {
        if view.frames.is_empty() {
            return Err(DmaError::Empty);
        }
        if view.frames.len() as u64 * PAGE_SIZE != view.memory.len() as u64 {
            return Err(DmaError::MixedSizes);
        }
        let own = CNode::from(slot::CNODE);
        let frames = view.frames.iter().map(|frame| own.slot(frame.cptr().0)).collect();
        Ok(Self { memory: view.memory, frames })
    }

    /// The component's view.
    #[must_use]
    pub const fn memory(&self) -> Memory {
        self.memory
    }

    /// Number of pages.
    #[must_use]
    pub const fn pages(&self) -> usize {
        self.frames.len()
    }

    /// All of it.
    #[must_use]
    pub fn whole(&self) -> Extent<'_> {
        Extent { frames: &self.frames, size: FrameSize::Small }
    }

    /// `pages` of its pages from `first` on; `None` when there are not so many.
    #[must_use]
    pub fn extent(&self, first: usize, pages: usize) -> Option<Extent<'_>> {
        let frames = self.frames.get(first..first.checked_add(pages)?)?;
        Some(Extent { frames, size: FrameSize::Small })
    }
}

impl<'o> Extent<'o> {
    /// Frames of one size whose capabilities the component holds in `frames`.
    #[must_use]
    pub const fn of(frames: &'o [Slot], size: FrameSize) -> Self {
        Self { frames, size }
    }
}
