//! A translation made of a map, with a TLB that forgets only what it is told to.

use alloc::collections::{BTreeMap, BTreeSet};

use sluice_abi::{FrameSize, Iova};
use sluice_manifest::slot;
use sluice_rt::RtError;
use sluice_sys::{CNode, Frame, Slot};

use crate::translation::BLOCK_BITS;
use crate::{Access, DmaError, Translation};

/// First slot for derived capabilities.
const DERIVED: u64 = 1000;

/// What the fake kernel knows.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    /// Derived capabilities: the frame each is of.
    pub(crate) derived: BTreeMap<u64, u64>,
    /// Where each mapped capability is mapped.
    mapped: BTreeMap<u64, (Iova, Access)>,
    /// What the device reaches, caches included: the frame at each page.
    pub(crate) reached: BTreeMap<Iova, u64>,
    /// Blocks whose table was made by mapping something.
    tables: BTreeSet<Iova>,
    /// Invalidations that were needed so far.
    pub(crate) invalidations: usize,
    /// Pages cleaned and invalidated, by address.
    pub(crate) cleaned: BTreeSet<Iova>,
    pub(crate) dropped: BTreeSet<Iova>,
    /// Mappings until the kernel refuses one.
    pub(crate) refuse_after: Option<usize>,
    pub(crate) now: u64,
    next: u64,
}

/// The slot of a frame of the test.
pub(crate) fn frame(index: u64) -> Slot {
    CNode::from(slot::CNODE).slot(index)
}

const REFUSED: DmaError = DmaError::Rt(RtError::NoSlots);

impl Fake {
    fn forget(&mut self, capability: u64) {
        if let Some((at, _)) = self.mapped.remove(&capability)
            && self.tables.contains(&at.align_down(BLOCK_BITS))
        {
            self.reached.remove(&at);
            self.invalidations += 1;
        }
    }
}

impl Translation for Fake {
    fn derive(&mut self, frame: Slot) -> Result<Slot, DmaError> {
        let index = DERIVED + self.next;
        self.next += 1;
        self.derived.insert(index, frame.index);
        Ok(CNode::from(slot::CNODE).slot(index))
    }

    fn discard(&mut self, page: Slot) -> Result<(), DmaError> {
        self.forget(page.index);
        self.derived.remove(&page.index).map(drop).ok_or(REFUSED)
    }

    fn map(&mut self, frame: Frame, at: Iova, access: Access) -> Result<(), DmaError> {
        match &mut self.refuse_after {
            Some(0) => return Err(REFUSED),
            Some(left) => *left -= 1,
            None => {}
        }
        let capability = frame.cptr().0;
        let memory = self.derived.get(&capability).copied().unwrap_or(capability);
        assert!(self.reached.insert(at, memory).is_none(), "{at:?} is reachable already");
        self.tables.insert(at.align_down(BLOCK_BITS));
        self.mapped.insert(capability, (at, access));
        Ok(())
    }

    fn unmap(&mut self, frame: Frame) -> Result<(), DmaError> {
        self.forget(frame.cptr().0);
        Ok(())
    }

    fn close(&mut self, block: Iova) -> Result<(), DmaError> {
        if !self.tables.remove(&block) {
            return Err(DmaError::NoTable(block));
        }
        let end = block.offset(FrameSize::Large.bytes());
        self.reached.retain(|at, _| *at < block || *at >= end);
        self.invalidations += 1;
        Ok(())
    }

    fn clean(&mut self, page: Frame, bytes: u64) -> Result<(), DmaError> {
        assert_eq!(bytes, FrameSize::Small.bytes());
        self.cleaned.insert(self.mapped[&page.cptr().0].0);
        Ok(())
    }

    fn invalidate(&mut self, page: Frame, bytes: u64) -> Result<(), DmaError> {
        assert_eq!(bytes, FrameSize::Small.bytes());
        self.dropped.insert(self.mapped[&page.cptr().0].0);
        Ok(())
    }

    fn ticks(&self) -> u64 {
        self.now
    }
}
