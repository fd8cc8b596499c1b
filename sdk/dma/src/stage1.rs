//! A stage 1 of a component's own, as words: a context descriptor and translation tables of 4 KiB pages for 32 MiB.
//!
//! Two levels: the first table has an entry for each of 16 blocks of 2 MiB, the second 512 pages. All walks and accesses
//! are of write-back, inner shareable memory. What the SMMU makes of it lies under what the kernel permits
//! (`CB_AssignCDTable`).

use sluice_abi::Iova;

/// V, AA64, A, R, EPD1, intermediate addresses of 44 bits, 25 bits of input (T0SZ 39), ASID 1 (IHI 0070, 5.4).
const DESCRIPTOR: u64 =
    1 << 48 | 1 << 46 | 1 << 45 | 1 << 41 | 4 << 32 | 1 << 31 | 1 << 30 | 3 << 12 | 1 << 10 | 1 << 8 | 39;
/// MAIR: Normal write-back memory.
const MEMORY: u64 = 0xff;
/// A table descriptor (DDI 0487, D8.3).
const TABLE: u64 = 0b11;
/// A page: nG, AF, inner shareable, unprivileged.
const PAGE: u64 = 1 << 11 | 1 << 10 | 3 << 8 | 1 << 6 | 0b11;

/// The context descriptor whose first table is at `table`, in the addresses of stage 2.
#[must_use]
pub const fn context_descriptor(table: Iova) -> [u64; 8] {
    [DESCRIPTOR, table.0, 0, MEMORY, 0, 0, 0, 0]
}

/// The entry for a table at `at`.
#[must_use]
pub const fn table(at: Iova) -> u64 {
    at.0 | TABLE
}

/// The entry for a page at `at` that the device may read and write.
#[must_use]
pub const fn page(at: Iova) -> u64 {
    at.0 | PAGE
}
