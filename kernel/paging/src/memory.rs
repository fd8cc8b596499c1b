//! What a walker needs of the memory that holds the tables.

use sluice_abi::PhysAddr;

/// Access to translation tables, one naturally aligned 64-bit word at a time.
///
/// A word is the unit of single-copy atomicity the architecture gives a table walker, so nothing narrower or wider is
/// offered. Methods take `&self`: the CPU's and an SMMU's walkers read the same words concurrently anyway, and a
/// recording implementation can look after every single store. Barriers, cache cleaning and TLB invalidation belong to
/// whoever publishes a table, not here.
pub trait TableMemory {
    /// The word at `at`, which is a multiple of 8.
    fn load(&self, at: PhysAddr) -> u64;
    /// Makes `value` the word at `at`, which is a multiple of 8.
    fn store(&self, at: PhysAddr, value: u64);
}
