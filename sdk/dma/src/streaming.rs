//! Memory that only passes a device: mapped for one transfer, and taken away after it, at once or in batches.

use alloc::vec::Vec;

use sluice_abi::FrameSize;
use sluice_sys::Slot;

use crate::arena::{Arena, CAPACITY};
use crate::space::measure;
use crate::translation::{Access, Translation};
use crate::{DmaError, Extent, Mapping, Space};

/// When a device loses the memory of a finished transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invalidation {
    /// Before [`Streaming::unmap`] returns.
    Strict,
    /// Later, many mappings at a time, within the window. Until then the device still reaches the pages: whatever the
    /// component puts there next, a device that does not keep to its orders can read, and overwrite where it could write.
    /// No address is given out twice within the window, and the kernel keeps the frames from becoming anything else as
    /// long as the derived capabilities live.
    Deferred(Window),
}

/// How long taken memory may stay reachable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Most pages.
    pub pages: usize,
    /// Ticks after which the next call of [`Streaming::map`], [`Streaming::unmap`] or [`Streaming::expire`] takes them
    /// away. A component that calls none of them for longer makes the window longer.
    pub ticks: u64,
}

/// What was seen of a window since the pool was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Exposure {
    /// Longest time between an unmapping and the moment the device had lost the pages, in ticks.
    pub ticks: u64,
    /// Most pages that were reachable though unmapped.
    pub pages: usize,
    /// Times that a whole block was taken away at once.
    pub blocks: u64,
    /// Pages taken away one by one.
    pub singles: u64,
}

/// A pool of mappings for streaming use.
///
/// With [`Invalidation::Deferred`] mappings of at most 512 pages of 4 KiB are laid one behind the other in blocks of
/// 2 MiB of I/O addresses. A block whose mappings have all been returned is taken away by removing its last-level table:
/// one invalidation instead of one for each page.
#[derive(Debug)]
pub struct Streaming<T> {
    space: Space<T>,
    how: Invalidation,
    arenas: Vec<Arena>,
    exposure: Exposure,
}

impl<T: Translation> Streaming<T> {
    /// A pool in `space`.
    #[must_use]
    pub const fn new(space: Space<T>, how: Invalidation) -> Self {
        Self { space, how, arenas: Vec::new(), exposure: Exposure { ticks: 0, pages: 0, blocks: 0, singles: 0 } }
    }

    /// The space, for mappings that stay.
    pub const fn space(&mut self) -> &mut Space<T> {
        &mut self.space
    }

    /// Ends the pool: takes away what is unmapped, and gives the space back. Mappings in use stay, and belong to it.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn finish(mut self) -> Result<Space<T>, DmaError> {
        self.flush()?;
        for arena in self.arenas.iter().filter(|arena| arena.is_unused()) {
            self.space.forget(FrameSize::Large, arena.block())?;
        }
        Ok(self.space)
    }

    /// What was seen of the window.
    #[must_use]
    pub const fn exposure(&self) -> Exposure {
        self.exposure
    }

    /// Maps pages end to end for one transfer.
    ///
    /// # Errors
    /// As [`Space::show`].
    pub fn map(&mut self, extents: &[Extent<'_>], access: Access) -> Result<Mapping, DmaError> {
        self.expire()?;
        let (size, count) = measure(extents)?;
        let in_arena = matches!(self.how, Invalidation::Deferred(_)) && size == FrameSize::Small && count <= CAPACITY;
        if !in_arena {
            return self.space.show(extents, access);
        }
        let index = self.arena_for(count)?;
        let iova = self.arenas[index].next();
        let pages = self.space.show_taken(extents, iova, access)?;
        self.arenas[index].give(count);
        Ok(Mapping { iova, size, pages })
    }

    /// Takes a mapping back once its transfer is over.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn unmap(&mut self, mapping: Mapping) -> Result<(), DmaError> {
        let now = self.space.ticks();
        match self.arenas.iter_mut().find(|arena| arena.holds(mapping.iova)) {
            None => self.space.hide(mapping)?,
            Some(arena) => arena.bury(mapping.pages, now),
        }
        self.expire()?;
        self.exposure.pages = self.exposure.pages.max(self.pending());
        Ok(())
    }

    /// Takes away what has been reachable for long enough, or is too much.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn expire(&mut self) -> Result<(), DmaError> {
        let Invalidation::Deferred(window) = self.how else { return Ok(()) };
        let now = self.space.ticks();
        let oldest = self.arenas.iter().filter_map(Arena::oldest).min();
        let is_old = oldest.is_some_and(|since| now.saturating_sub(since) >= window.ticks);
        if is_old || self.pending() > window.pages { self.flush() } else { Ok(()) }
    }

    /// Takes everything away that was unmapped: when this returns, the device reaches none of it.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn flush(&mut self) -> Result<(), DmaError> {
        for index in 0..self.arenas.len() {
            self.empty(index)?;
        }
        Ok(())
    }

    /// Pages that are unmapped and still reachable.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.arenas.iter().map(Arena::pending).sum()
    }

    /// An arena with room for `count` pages.
    fn arena_for(&mut self, count: u64) -> Result<usize, DmaError> {
        if let Some(index) = self.arenas.iter().position(|arena| arena.has_room(count)) {
            return Ok(index);
        }
        let block = self.space.take(FrameSize::Large.bytes(), FrameSize::Large.bytes())?;
        self.arenas.push(Arena::new(block));
        Ok(self.arenas.len() - 1)
    }

    /// Takes away what is unmapped in one arena: all at once when nothing in it is in use.
    fn empty(&mut self, index: usize) -> Result<(), DmaError> {
        let Some(oldest) = self.arenas[index].oldest() else { return Ok(()) };
        let at_once = self.arenas[index].is_unused();
        if at_once {
            self.space.close(self.arenas[index].block())?;
            self.exposure.blocks += 1;
        }
        let pages: Vec<Slot> = self.arenas[index].exhume();
        let count = pages.len() as u64;
        self.space.discard(pages)?;
        if !at_once {
            self.exposure.singles += count;
        }
        self.exposure.ticks = self.exposure.ticks.max(self.space.ticks().saturating_sub(oldest));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
