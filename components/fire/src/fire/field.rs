//! The memory that is taken away: frames of an Untyped, at the same addresses in every round.

use alloc::vec::Vec;

use sluice_abi::{ObjectType, PAGE_SIZE, VirtAddr};
use sluice_fire::Canary;
use sluice_manifest::slot;
use sluice_rt::{Env, Memory, RtError, Tables};
use sluice_sys::{CNode, Frame, Slot, Untyped};

/// Pages of the field.
pub(super) const PAGES: usize = 64;

pub(super) struct Field<'a> {
    env: &'a Env,
    untyped: Untyped,
    tables: Tables<'a>,
    /// Consecutive slots.
    pub(super) frames: Vec<Slot>,
    base: VirtAddr,
    memory: Memory,
}

impl<'a> Field<'a> {
    /// Slots and addresses, with nothing in them.
    pub(super) fn reserve(env: &'a Env, tables: Tables<'a>) -> Result<Self, RtError> {
        let frames = (0..PAGES).map(|_| env.slots().take()).collect::<Result<Vec<_>, _>>()?;
        let bytes = PAGES as u64 * PAGE_SIZE;
        let base = env.take_addresses(bytes);
        let memory = Memory::at(base, bytes).ok_or(RtError::Address(base.0))?;
        Ok(Self { env, untyped: env.untyped("memory")?.cap, tables, frames, base, memory })
    }

    /// Makes the frames and maps them for the CPU.
    pub(super) fn make(&self) -> Result<(), RtError> {
        let first = CNode::from(slot::CNODE).from_offset(self.frames[0].index);
        self.untyped
            .retype(ObjectType::SmallPage, 0, first, PAGES as u64)
            .map_err(RtError::refused("make the field's frames"))?;
        for (page, frame) in (0..).zip(&self.frames) {
            self.env.map_page_at(Frame::from(frame.index), self.base.offset(page * PAGE_SIZE), &self.tables)?;
        }
        Ok(())
    }

    /// Revokes the memory: no frame of it is left.
    pub(super) fn lose(&self) -> Result<(), RtError> {
        let own = CNode::from(slot::CNODE).slot(self.untyped.cptr().0);
        own.revoke().map_err(RtError::refused("revoke the field's memory"))
    }

    /// Stores the canary in every word.
    pub(super) fn fill(&self, canary: Canary) {
        for offset in (0..self.memory.len()).step_by(8) {
            self.memory.write64(offset, canary.word(offset));
        }
    }

    /// Words that are not the canary's any more.
    pub(super) fn damage(&self, canary: Canary) -> u64 {
        let changed = |offset: &usize| self.memory.read64(*offset) != canary.word(*offset);
        (0..self.memory.len()).step_by(8).filter(changed).count() as u64
    }

    /// Words of the field.
    pub(super) const fn words(&self) -> u64 {
        self.memory.len() as u64 / 8
    }
}
