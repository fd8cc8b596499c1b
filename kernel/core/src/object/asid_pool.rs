//! ASID pool: which VSpace an ASID names, its CPU tag, and its first SMMU context.

use core::cell::Cell;

use sluice_abi::smmu::ContextId;
use sluice_abi::{ASID_POOL_INDEX_BITS, PAGE_SIZE, PhysAddr};
use sluice_paging::Format;

use crate::cap::raw::Field;
use crate::store::Object;

/// What an ASID stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AsidEntry {
    /// Root table.
    pub root: PhysAddr,
    /// The VMID the CPU uses for it at the moment.
    pub vmid: Option<u8>,
    /// Head of the list of SMMU contexts that translate with it.
    pub contexts: Option<ContextId>,
    /// Format of its tables: stage 1 from the moment a context of an SMMU without stage 2 translates with it.
    pub format: Format,
}

/// 512 entries of one word.
pub struct AsidPool {
    entries: [Cell<u64>; 1 << ASID_POOL_INDEX_BITS],
}

const PRESENT: Field = Field::new(0, 1);
const HAS_VMID: Field = Field::new(1, 1);
const HAS_CONTEXT: Field = Field::new(2, 1);
const VMID: Field = Field::new(3, 8);
const CONTEXT_SMMU: Field = Field::new(11, 4);
const CONTEXT_CB: Field = Field::new(15, 10);
const STAGE1: Field = Field::new(25, 1);
const ROOT_PAGE: Field = Field::new(32, 32);

impl AsidPool {
    /// The entry at `index` (< 512).
    #[must_use]
    pub fn entry(&self, index: usize) -> Option<AsidEntry> {
        let word = self.entries.get(index)?.get();
        (PRESENT.get(word) != 0).then(|| AsidEntry {
            root: PhysAddr(ROOT_PAGE.get(word) << 12),
            vmid: (HAS_VMID.get(word) != 0).then(|| VMID.get(word) as u8),
            contexts: (HAS_CONTEXT.get(word) != 0)
                .then(|| ContextId { smmu: CONTEXT_SMMU.get(word) as u8, cb: CONTEXT_CB.get(word) as u16 }),
            format: if STAGE1.get(word) != 0 { Format::STAGE1 } else { Format::STAGE2 },
        })
    }

    /// Replaces the entry at `index`.
    pub fn set_entry(&self, index: usize, entry: Option<AsidEntry>) {
        let word = entry.map_or(0, |AsidEntry { root, vmid, contexts, format }| {
            let format = STAGE1.put((format == Format::STAGE1).into());
            let vmid = vmid.map_or(0, |vmid| HAS_VMID.put(1) | VMID.put(vmid.into()));
            let contexts = contexts.map_or(0, |ContextId { smmu, cb }| {
                HAS_CONTEXT.put(1) | CONTEXT_SMMU.put(smmu.into()) | CONTEXT_CB.put(cb.into())
            });
            PRESENT.put(1) | ROOT_PAGE.put(root.0 >> 12) | vmid | contexts | format
        });
        if let Some(cell) = self.entries.get(index) {
            cell.set(word);
        }
    }
}

impl Object for AsidPool {
    const SLOTS: u64 = 0;
    const BODY: u64 = 0;

    fn new() -> Self {
        Self { entries: [const { Cell::new(0) }; 1 << ASID_POOL_INDEX_BITS] }
    }
}

const _: () = assert!(size_of::<AsidPool>() as u64 == PAGE_SIZE);
