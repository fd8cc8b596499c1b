//! What the driver needs of the machine: register access, DMA memory, time and the interrupt.

use sluice_abi::Iova;

/// The registers of one controller (BAR 0).
///
/// All accesses are 32 bits wide, which 3.1 allows for the 64-bit registers too.
pub trait Registers {
    /// Bytes of the register window.
    fn size(&self) -> u64;
    /// The register at byte `offset`, a multiple of four inside the window.
    fn read(&self, offset: u64) -> u32;
    /// Stores to the register at byte `offset`, a multiple of four inside the window.
    fn write(&self, offset: u64, value: u32);
}

/// Memory shared with the controller, contiguous in its I/O address space.
///
/// Offsets are multiples of eight inside the memory. An implementation copies whole words with volatile accesses: the
/// controller may change any of them at any time.
pub trait Dma {
    /// Bytes.
    fn size(&self) -> u64;
    /// Where the controller finds byte 0; page-aligned.
    fn iova(&self) -> Iova;
    /// The word at `offset`; machine and controller are both little-endian.
    fn load(&self, offset: u64) -> u64;
    /// Stores the word at `offset`.
    fn store(&self, offset: u64, value: u64);
    /// Orders the stores before it ahead of the register write after it, as the controller sees them.
    fn publish(&self);
    /// Orders the load before it ahead of the loads after it.
    fn observe(&self);
}

/// Time, for bounding waits.
pub trait Clock {
    /// Milliseconds since any fixed moment.
    fn now_ms(&self) -> u64;
    /// Called in each turn of a polling loop.
    fn relax(&self);
}

/// The controller's level-triggered interrupt.
pub trait Interrupt {
    /// Returns when the interrupt was raised since the last [`Interrupt::rearm`], or spuriously.
    fn wait(&mut self);
    /// Lets it be raised again. Called once the completions that raised it are acknowledged to the controller, or the
    /// line would still be high.
    fn rearm(&mut self);
}
