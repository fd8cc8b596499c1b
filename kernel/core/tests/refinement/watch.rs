//! Who may reach what while a step is under way.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use sluice_abi::smmu::StreamId;
use sluice_abi::{Iova, PAGE_SIZE, PhysAddr, VirtAddr};
use sluice_abstract::{Reach, Reached, State};
use sluice_paging::{Format, Leaf, TableMemory, mappings};
use sluice_smmu::regs::{CD0, CD1, STE0, STE2, STE3, config};
use sluice_smmu_model::Model;

use crate::boot::STREAM_TABLE;
use crate::stage1::composed;

/// Streams that are looked at.
pub(crate) const STREAMS: [u32; 3] = [8, 16, 264];

/// What is allowed from one state to the next: a page that one of them allows, with the rights it allows.
pub(crate) struct Watch {
    streams: BTreeMap<u32, [Reach; 2]>,
    spaces: BTreeMap<PhysAddr, BTreeSet<Reached>>,
    looks: Cell<u64>,
}

impl Watch {
    pub(crate) fn between(before: &State, after: &State, memory: &Model) -> Self {
        let mut spaces: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for space in before.spaces.values().chain(after.spaces.values()) {
            spaces.entry(space.root).or_default().extend(space.reach());
        }
        let reach = |sid| [before, after].map(|state| allowed(state, memory, sid));
        Self { streams: STREAMS.into_iter().map(|sid| (sid, reach(sid))).collect(), spaces, looks: Cell::new(0) }
    }

    pub(crate) fn looks(&self) -> u64 {
        self.looks.get()
    }

    /// # Panics
    /// When somebody reaches more.
    pub(crate) fn look(&self, model: &Model, tlb: &Tlb) {
        self.looks.set(self.looks.get() + 1);
        assert!(tags_have_one_owner(model), "two streams with one tag and different tables in the middle of a step");
        for (sid, allowed) in &self.streams {
            model.speculate(*sid);
            let excess = excess(dma(model, *sid), allowed);
            assert!(excess.is_empty(), "stream {sid} reaches {excess:x?} in the middle of a step");
        }
        tlb.speculate(model);
        for (root, reached) in tlb.reach() {
            let none = BTreeSet::new();
            let allowed = self.spaces.get(&root).unwrap_or(&none);
            let excess: Vec<_> = reached.difference(allowed).copied().collect();
            assert!(excess.is_empty(), "the CPU reaches {excess:x?} through {root} in the middle of a step");
        }
    }
}

/// What is reached and not allowed by one of two states.
fn excess(reached: Reach, allowed: &[Reach; 2]) -> Vec<Reached> {
    let everything = allowed.contains(&Reach::Everything);
    let pages = |reach: &Reach| match reach {
        Reach::Everything => BTreeSet::new(),
        Reach::Pages(pages) => pages.clone(),
    };
    match reached {
        _ if everything => Vec::new(),
        Reach::Everything => panic!("a stream reaches all memory"),
        Reach::Pages(reached) => {
            let allowed: BTreeSet<_> = allowed.iter().flat_map(pages).collect();
            reached.difference(&allowed).copied().collect()
        }
    }
}

/// What a state lets a stream reach, by the stream's own addresses: with a stage 1, what that says in memory as it is.
pub(crate) fn allowed(state: &State, memory: &Model, sid: u32) -> Reach {
    let stream = StreamId { smmu: 0, sid };
    match (state.dma_reach(stream), state.stage1_before(stream)) {
        (Reach::Pages(pages), Some(table)) => Reach::Pages(composed(memory, &pages, &table)),
        (reach, _) => reach,
    }
}

/// Whether entries of streams with the same tag lead to the same table: what one leaves in the TLB, the other meets.
fn tags_have_one_owner(model: &Model) -> bool {
    const ENTRY_BYTES: u64 = 64;
    let mut owners = BTreeMap::new();
    STREAMS.iter().filter(|sid| **sid < 256).all(|sid| {
        let entry = STREAM_TABLE.offset(u64::from(*sid) * ENTRY_BYTES);
        let [first, second, third] = [0, 16, 24].map(|offset| model.load(entry.offset(offset)));
        let (tag, table) = match STE0::CONFIG.read(first) {
            _ if !STE0::V.is_set(first) => return true,
            config::STAGE2 | config::NESTED => (STE2::S2VMID.read(second), STE3::S2TTB.read(third)),
            config::STAGE1 => {
                let descriptor = PhysAddr(STE0::S1CONTEXTPTR.read(first) << STE0::S1CONTEXTPTR.shift);
                let [first, second] = [0, 8].map(|offset| model.load(descriptor.offset(offset)));
                (CD0::ASID.read(first), CD1::TTB0.read(second))
            }
            _ => return true,
        };
        *owners.entry(tag).or_insert(table) == table
    })
}

/// What a stream reaches, caches included.
pub(crate) fn dma(model: &Model, sid: u32) -> Reach {
    match model.reach(sid) {
        sluice_smmu_model::Reach::Everything => Reach::Everything,
        sluice_smmu_model::Reach::Pages(pages) => Reach::Pages(
            pages
                .into_iter()
                .filter(|page| page.read || page.write)
                .map(|page| Reached {
                    iova: Iova(page.iova),
                    address: page.address,
                    read: page.read,
                    write: page.write,
                })
                .collect(),
        ),
    }
}

/// The CPU's TLB, which caches at once whatever the loaded table leads to and keeps it until it is told not to.
#[derive(Default)]
pub(crate) struct Tlb {
    entries: RefCell<BTreeMap<(u8, u64), Leaf>>,
    roots: RefCell<BTreeMap<u8, PhysAddr>>,
    loaded: Cell<Option<(PhysAddr, u8)>>,
}

impl Tlb {
    pub(crate) fn load(&self, root: PhysAddr, vmid: u8) {
        let other = self.roots.borrow_mut().insert(vmid, root).filter(|other| *other != root);
        let stale = self.entries.borrow().keys().any(|(tag, _)| *tag == vmid);
        assert!(other.is_none() || !stale, "tag {vmid} gets another table while entries of {other:?} are left");
        self.loaded.set(Some((root, vmid)));
    }

    pub(crate) fn invalidate(&self, vmid: u8, page: Option<VirtAddr>) {
        self.entries.borrow_mut().retain(|(tag, at), leaf| {
            let hit = page.is_none_or(|page| (*at..at + leaf.size.bytes()).contains(&page.0));
            *tag != vmid || !hit
        });
    }

    /// # Panics
    /// On a conflict: one address with two translations (Arm ARM D8.14.1).
    pub(crate) fn speculate(&self, memory: &impl TableMemory) {
        let Some((root, vmid)) = self.loaded.get() else { return };
        let mut entries = self.entries.borrow_mut();
        for found in mappings(memory, Format::STAGE2, root) {
            let cached = entries.entry((vmid, found.va)).or_insert(found.leaf);
            assert_eq!(*cached, found.leaf, "two translations of {:#x} without a break between them", found.va);
        }
    }

    /// What is cached, by the root table it came from.
    pub(crate) fn reach(&self) -> BTreeMap<PhysAddr, BTreeSet<Reached>> {
        let roots = self.roots.borrow();
        let mut reach: BTreeMap<PhysAddr, BTreeSet<Reached>> = BTreeMap::new();
        for ((vmid, at), leaf) in self.entries.borrow().iter() {
            let (read, write) = (leaf.access.read, leaf.access.write);
            if !(read || write) {
                continue;
            }
            let pages = (0..leaf.size.bytes() / PAGE_SIZE).map(|index| Reached {
                iova: Iova(at + index * PAGE_SIZE),
                address: leaf.address.offset(index * PAGE_SIZE),
                read,
                write,
            });
            reach.entry(roots[vmid]).or_default().extend(pages);
        }
        reach
    }
}
