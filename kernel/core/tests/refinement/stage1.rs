//! The stage 1 that the worlds' holders write, and what it comes to under a stage 2: the third description of that, and the
//! shortest, as it knows of one form of tables only.

use std::collections::BTreeSet;

use sluice_abi::smmu::CdTable;
use sluice_abi::{Iova, PAGE_SIZE, PhysAddr};
use sluice_abstract::Reached;
use sluice_paging::TableMemory;

/// First word of a descriptor: V, AA64, A, R, EPD1, 44-bit intermediate addresses, T0SZ 39, ASID 9. The tables have levels 2
/// and 3 then.
pub(crate) const DESCRIPTOR: u64 = 9 << 48 | 1 << 46 | 1 << 45 | 1 << 41 | 4 << 32 | VALID_DESCRIPTOR | 1 << 30 | 39;
/// A page: of one ASID, accessed, inner shareable, for unprivileged accesses too.
pub(crate) const PAGE: u64 = 1 << 11 | 1 << 10 | 3 << 8 | 1 << 6 | 3;
/// In a page: no writes.
pub(crate) const READ_ONLY: u64 = 1 << 7;
/// A table.
pub(crate) const TABLE: u64 = 3;
const VALID_DESCRIPTOR: u64 = 1 << 31;
const ADDRESS: u64 = 0xfff_ffff_f000;
/// Entries of a table of level 2, which 25 bits of address leave.
const LEVEL2: u64 = 16;
const LEVEL3: u64 = 512;

/// The pages a device reaches by its own addresses: what stage 1 gives it, as far as stage 2 has it and its structures.
pub(crate) fn composed(memory: &impl TableMemory, stage2: &BTreeSet<Reached>, table: &CdTable) -> BTreeSet<Reached> {
    let page_at = |ipa: u64| stage2.iter().find(|page| page.iova.0 == ipa & !(PAGE_SIZE - 1));
    let read = |ipa: u64| {
        let page = page_at(ipa).filter(|page| page.read)?;
        Some(memory.load(page.address.offset(ipa % PAGE_SIZE)))
    };
    let valid = read(table.ipa).is_some_and(|word| word & VALID_DESCRIPTOR != 0);
    let Some(root) = read(table.ipa + 8).filter(|_| valid) else { return BTreeSet::new() };
    let entries = |table: u64, count: u64| {
        (0..count).filter_map(move |index| Some((index, read(table + 8 * index)?))).filter(|(_, word)| word & 3 == 3)
    };
    let mut pages = BTreeSet::new();
    for (upper, table) in entries(root & ADDRESS, LEVEL2) {
        for (lower, page) in entries(table & ADDRESS, LEVEL3) {
            let Some(under) = page_at(page & ADDRESS) else { continue };
            let (iova, address) = (Iova((upper * LEVEL3 + lower) * PAGE_SIZE), PhysAddr(under.address.0));
            let reached = Reached { iova, address, read: under.read, write: under.write && page & READ_ONLY == 0 };
            pages.extend(Some(reached).filter(|page| page.read || page.write));
        }
    }
    pages
}
