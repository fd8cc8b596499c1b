//! Circular queues in the guest's memory (IHI 0070, 3.5).

use super::regs::QUEUE_BASE;
use crate::memory::GuestPhysAddr;

/// Where a queue is. Indices have one bit more than entries, which tells a full queue from an empty one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    base: u64,
    entry_bits: u32,
    bits: u32,
}

impl Queue {
    /// The queue of a base register, for which LOG2SIZE is capped at `max_bits`, and the address aligned to the queue's
    /// size and no less than 32 bytes (6.3.26, 6.3.29).
    pub(super) fn new(register: u64, max_bits: u32, entry_bits: u32) -> Self {
        let bits = (QUEUE_BASE::LOG2SIZE.read(register) as u32).min(max_bits);
        let base = QUEUE_BASE::ADDR.read(register) << QUEUE_BASE::ADDR.shift;
        Self { base: base & (u64::MAX << (bits + entry_bits)), entry_bits, bits }
    }

    /// Entries.
    pub(super) const fn entries(self) -> u32 {
        1 << self.bits
    }

    /// What of a register's index field counts.
    const fn mask(self) -> u32 {
        2 * self.entries() - 1
    }

    /// Entries between `cons` and `prod`, less than twice the queue's.
    pub(super) const fn waiting(self, prod: u32, cons: u32) -> u32 {
        prod.wrapping_sub(cons) & self.mask()
    }

    /// The index after `index`.
    pub(super) const fn after(self, index: u32) -> u32 {
        index.wrapping_add(1) & self.mask()
    }

    /// Address of the entry at `index`.
    pub(super) fn entry(self, index: u32) -> GuestPhysAddr {
        GuestPhysAddr(self.base + (u64::from(index & (self.entries() - 1)) << self.entry_bits))
    }
}
