//! What a device can reach.

use alloc::collections::BTreeSet;

use sluice_abi::smmu::{CdTable, ContextId, StreamId};
use sluice_abi::{Iova, PAGE_SIZE, PhysAddr};

use crate::{Cap, Slot, Space, State};

/// A page of memory that a device, or a CPU, reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Reached {
    /// The address it uses.
    pub iova: Iova,
    /// Where that leads.
    pub address: PhysAddr,
    /// Whether it can read there.
    pub read: bool,
    /// Whether it can write there.
    pub write: bool,
}

impl Space {
    /// Every page of 4 KiB that can be read or written through it.
    #[must_use]
    pub fn reach(&self) -> BTreeSet<Reached> {
        let usable = self.pages.iter().filter(|(_, page)| page.rights.read || page.rights.write);
        usable
            .flat_map(|(at, page)| {
                (0..page.size.bytes() / PAGE_SIZE).map(|index| Reached {
                    iova: Iova(at.0 + index * PAGE_SIZE),
                    address: page.frame.offset(index * PAGE_SIZE),
                    read: page.rights.read,
                    write: page.rights.write,
                })
            })
            .collect()
    }
}

/// What a device can reach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// All memory, by its own addresses.
    Everything,
    /// These pages.
    Pages(BTreeSet<Reached>),
}

impl State {
    /// The address space a context translates with.
    #[must_use]
    pub fn space_of(&self, context: ContextId) -> Option<&Space> {
        let Some(Cap::VSpace { root, asid: Some(asid) }) = self.cap(Slot::Translation(context)) else { return None };
        self.spaces.get(&asid).filter(|space| space.root == root)
    }

    /// The stage 1 before the pages that a stream reaches, if its context has one.
    #[must_use]
    pub fn stage1_before(&self, stream: StreamId) -> Option<CdTable> {
        let Some(Cap::Cb(context)) = self.cap(Slot::Binding(stream)) else { return None };
        self.stage1.get(&context).copied()
    }

    /// Everything a stream reaches: the pages of its context's address space, or all memory where somebody chose that; and
    /// nothing without either, in quarantine, and while its SMMU is down.
    ///
    /// With a [stage 1](Self::stage1_before) this is the most that it may reach, by the addresses that stage 1 gives: which
    /// of them the device gets to, and how it calls them, is for the holder to say.
    #[must_use]
    pub fn dma_reach(&self, stream: StreamId) -> Reach {
        let nothing = Reach::Pages(BTreeSet::new());
        if !self.smmus.get(&stream.smmu).is_some_and(|smmu| smmu.up) {
            return nothing;
        }
        if self.bypassed.contains(&stream) {
            return Reach::Everything;
        }
        let Some(Cap::Cb(context)) = self.cap(Slot::Binding(stream)) else { return nothing };
        if !self.translates(stream) {
            return nothing;
        }
        Reach::Pages(self.space_of(context).map(Space::reach).unwrap_or_default())
    }
}
