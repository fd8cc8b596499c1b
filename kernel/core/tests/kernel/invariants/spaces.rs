//! Address spaces: tables, the capabilities to what they map, and the CPU's TLB.

use std::collections::BTreeMap;

use sluice_abi::{CapRights, PhysAddr, VirtAddr};
use sluice_core::cap::{Asid, Cap, Mapping};
use sluice_paging::{Entry, Format, TableMemory, mappings};

use super::View;

impl View<'_> {
    /// Root and CPU tag of every ASID.
    fn live_spaces(&self) -> BTreeMap<Asid, (PhysAddr, Option<u8>)> {
        let mut spaces = BTreeMap::new();
        for (_, cap) in self.caps() {
            let Cap::AsidPool { pool, base } = cap else { continue };
            let pool = self.machine().objects.get(pool);
            for index in 0..512 {
                if let Some(entry) = pool.entry(index) {
                    spaces.insert(Asid(base.0 + index as u16), (entry.root, entry.vmid));
                }
            }
        }
        spaces
    }
}

pub(super) fn leaves_agree_with_mapped_frames(view: &View<'_>) {
    let frames: Vec<_> =
        view.caps().filter_map(|(_, cap)| if let Cap::Frame(f) = cap { Some(f) } else { None }).collect();
    for (asid, (root, _)) in view.live_spaces() {
        for found in mappings(view.machine(), Format::STAGE2, root) {
            let mapped = Mapping::new(asid, VirtAddr(found.va));
            let leaf = found.leaf;
            let allowed = frames.iter().any(|frame| {
                frame.mapped == mapped
                    && frame.base == leaf.address
                    && frame.size == leaf.size
                    && (!leaf.access.write || frame.rights.contains(CapRights::WRITE))
                    && (!(leaf.access.read || leaf.access.execute) || frame.rights.contains(CapRights::READ))
            });
            assert!(allowed, "{asid:?} maps {leaf:?} at {:#x}, and no capability says so", found.va);
        }
    }
}

pub(super) fn tables_agree_with_mapped_tables(view: &View<'_>) {
    let tables: Vec<_> =
        view.caps().filter_map(|(_, cap)| if let Cap::PageTable(t) = cap { Some(t) } else { None }).collect();
    for (asid, (root, _)) in view.live_spaces() {
        let mut open = vec![(root, 0u8, 0u64)];
        while let Some((table, level, start)) = open.pop() {
            // Of a root table only the first 32 entries are ever walked.
            for index in 0..if level == 0 { 32 } else { 512u64 } {
                let word = view.machine().load(table.offset(8 * index));
                let vaddr = VirtAddr(start + (index << Format::coverage_bits(level)));
                let Entry::Table(next) = Format::STAGE2.decode(level, word) else { continue };
                let mapped = Mapping::new(asid, vaddr);
                let known = tables.iter().any(|table| table.base == next && table.mapped == mapped);
                assert!(known, "{asid:?} has a table at {vaddr} that no capability names");
                open.push((next, level + 1, vaddr.0));
            }
        }
    }
}

/// What the CPU may have cached is what the tables say now: nothing outlives its removal.
pub(super) fn the_tlb_agrees_with_the_tables(view: &View<'_>) {
    let roots: BTreeMap<u8, PhysAddr> =
        view.live_spaces().values().filter_map(|(root, vmid)| Some(((*vmid)?, *root))).collect();
    let tables: BTreeMap<u8, BTreeMap<u64, _>> = roots
        .iter()
        .map(|(vmid, root)| {
            let leaves = mappings(view.machine(), Format::STAGE2, *root).map(|found| (found.va, found.leaf));
            (*vmid, leaves.collect())
        })
        .collect();
    for ((vmid, va), leaf) in view.machine().tlb.entries() {
        let now = tables.get(&vmid).and_then(|leaves| leaves.get(&va));
        assert_eq!(now, Some(&leaf), "tag {vmid} still translates {va:#x}");
    }
}

pub(super) fn tags_have_one_owner(view: &View<'_>) {
    let mut owners = BTreeMap::new();
    for (asid, (_, vmid)) in view.live_spaces() {
        let Some(vmid) = vmid else { continue };
        assert_ne!(vmid, 0, "the empty VSpace's tag belongs to {asid:?}");
        if let Some(other) = owners.insert(vmid, asid) {
            panic!("{asid:?} and {other:?} share tag {vmid}");
        }
    }
    let Some((root, vmid)) = view.machine().tlb.loaded() else { return };
    if vmid != 0 {
        let owner = owners.get(&vmid).map(|asid| view.live_spaces()[asid].0);
        assert_eq!(owner, Some(root), "the loaded VSpace does not own its tag");
    }
}
