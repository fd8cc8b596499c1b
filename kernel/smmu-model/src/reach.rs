//! Everything a stream may reach, whatever the SMMU fetched when.

use std::collections::BTreeSet;

use sluice_abi::PhysAddr;
use sluice_smmu::regs::{STE0, config};

use crate::Model;
use crate::state::{Entry, State};

/// One page a stream reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Page {
    /// Page-aligned address the device uses.
    pub iova: u64,
    /// The memory it reaches.
    pub address: PhysAddr,
    /// Reads pass.
    pub read: bool,
    /// Writes pass.
    pub write: bool,
}

/// What a stream reaches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// All memory, untranslated.
    Everything,
    /// These pages.
    Pages(BTreeSet<Page>),
}

impl Reach {
    /// No memory at all.
    #[must_use]
    pub fn nothing() -> Self {
        Self::Pages(BTreeSet::new())
    }

    /// Whether everything reached here is reached by `other` too.
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Everything) => true,
            (Self::Everything, Self::Pages(_)) => false,
            (Self::Pages(these), Self::Pages(those)) => these.is_subset(those),
        }
    }
}

impl Model {
    /// Everything a stream may reach now: through any entry a fetch may hold, through the tables as they are, and
    /// through what the TLB holds.
    #[must_use]
    pub fn reach(&self, sid: u32) -> Reach {
        let state = self.state.borrow();
        if state.registers.bypassed() {
            return Reach::Everything;
        }
        if !state.registers.enabled() {
            return Reach::nothing();
        }
        let mut pages = BTreeSet::new();
        for entry in state.possible_entries(sid) {
            if !STE0::V.is_set(entry[0]) {
                continue;
            }
            match STE0::CONFIG.read(entry[0]) {
                config::BYPASS => return Reach::Everything,
                config::STAGE2 if State::stage2_legal(&entry) => {
                    let (vmid, root) = State::root_of(&entry);
                    let cached = state.tlb.range((vmid, 0)..=(vmid, u64::MAX)).map(|((_, page), leaf)| (*page, *leaf));
                    pages.extend(state.pages(root).into_iter().chain(cached).map(|(page, leaf)| Page {
                        iova: page << 12,
                        address: PhysAddr(leaf.page << 12),
                        read: leaf.read,
                        write: leaf.write,
                    }));
                }
                _ => {}
            }
        }
        Reach::Pages(pages)
    }

    /// Fills the TLB with every translation that an entry in memory leads to, as prefetching may at any moment.
    pub fn speculate(&self, sid: u32) {
        let mut state = self.state.borrow_mut();
        if !state.registers.enabled() {
            return;
        }
        for entry in state.possible_entries(sid) {
            let translates = STE0::V.is_set(entry[0]) && STE0::CONFIG.read(entry[0]) == config::STAGE2;
            if translates && State::stage2_legal(&entry) {
                let (vmid, root) = State::root_of(&entry);
                for (page, leaf) in state.pages(root) {
                    state.tlb.entry((vmid, page)).or_insert(leaf);
                }
            }
        }
    }
}

impl State {
    /// Entries a fetch may have put together since the last invalidation: each word from any moment.
    fn possible_entries(&self, sid: u32) -> BTreeSet<Entry> {
        let mut moments = BTreeSet::new();
        moments.extend(self.entries.get(&sid));
        let stored = self.entry_address(sid);
        let cached = self.descriptors.get(&u64::from(sid >> 8)).and_then(|word| Self::entry_of(*word, sid));
        for at in [stored, cached].into_iter().flatten() {
            moments.insert(self.entry_words(at));
            moments.extend(self.seen.get(&at).into_iter().flatten());
        }
        // Words 0 (kind), 2 (VMID) and 3 (table) are those that stage 2 depends on.
        let mut joined = BTreeSet::new();
        for kind in &moments {
            for tag in &moments {
                for table in &moments {
                    joined.insert([kind[0], kind[1], tag[2], table[3], 0, 0, 0, 0]);
                }
            }
        }
        joined
    }
}
