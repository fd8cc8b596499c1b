//! A CPU TLB that is as eager as the architecture permits: whatever the loaded tables lead to is cached at once, and
//! stays until it is invalidated.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use sluice_abi::{PAGE_SIZE, PhysAddr, VirtAddr};
use sluice_paging::{Format, Leaf, TableMemory, mappings};

/// Tag and address of the first byte.
pub(crate) type Key = (u8, u64);

/// The TLB and the table it fills from.
#[derive(Default)]
pub(crate) struct Tlb {
    entries: RefCell<BTreeMap<Key, Leaf>>,
    loaded: Cell<Option<(PhysAddr, u8)>>,
}

impl Tlb {
    pub(crate) fn load(&self, root: PhysAddr, vmid: u8) {
        self.loaded.set(Some((root, vmid)));
    }

    pub(crate) fn loaded(&self) -> Option<(PhysAddr, u8)> {
        self.loaded.get()
    }

    /// Caches everything that can be reached now.
    pub(crate) fn speculate(&self, memory: &impl TableMemory) {
        let Some((root, vmid)) = self.loaded.get() else { return };
        let mut entries = self.entries.borrow_mut();
        for mapping in mappings(memory, Format::STAGE2, root) {
            let cached = entries.entry((vmid, mapping.va)).or_insert(mapping.leaf);
            assert_eq!(*cached, mapping.leaf, "TLB conflict under tag {vmid} at {:#x}", mapping.va);
        }
    }

    pub(crate) fn invalidate_vmid(&self, vmid: u8) {
        self.entries.borrow_mut().retain(|(tag, _), _| *tag != vmid);
    }

    pub(crate) fn invalidate_page(&self, vmid: u8, vaddr: VirtAddr) {
        self.entries.borrow_mut().retain(|(tag, va), leaf| {
            let holds = (*va..va + leaf.size.bytes().max(PAGE_SIZE)).contains(&vaddr.0);
            !(*tag == vmid && holds)
        });
    }

    pub(crate) fn entries(&self) -> BTreeMap<Key, Leaf> {
        self.entries.borrow().clone()
    }
}
