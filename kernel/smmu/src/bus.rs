//! The one way to memory and registers.

use sluice_abi::PhysAddr;
use sluice_paging::TableMemory;

/// Memory and registers as the driver sees them.
///
/// Every method takes `&self`: several drivers share one bus, and a test's bus records what passes.
pub trait Bus: TableMemory {
    /// Reads a 32-bit register.
    fn read32(&self, at: PhysAddr) -> u32;
    /// Writes a 32-bit register.
    fn write32(&self, at: PhysAddr, value: u32);
    /// Reads a 64-bit register.
    fn read64(&self, at: PhysAddr) -> u64;
    /// Writes a 64-bit register.
    fn write64(&self, at: PhysAddr, value: u64);
    /// Makes every earlier access observable by the SMMU before any later one (DSB SY).
    fn barrier(&self);
    /// Cleans *and invalidates* the data cache to the point of coherency over a range (DC CIVAC).
    ///
    /// The driver calls it only when the SMMU is not coherent (IDR0.COHACC = 0), after a store that the SMMU reads
    /// and before a load of what the SMMU wrote.
    fn clean(&self, at: PhysAddr, bytes: u64);
}
