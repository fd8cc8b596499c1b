//! Where objects come from: RAM by watermark, device memory by address, and empty slots of the root CNode.
//!
//! The kernel decides where in an Untyped a new object lies: at the watermark, rounded up to the object's size. These
//! types follow the same rule, so the root task knows the physical address of everything it makes without asking.

mod arena;
mod device;
mod ram;
mod slots;

pub use arena::{Arena, Different, Place};
pub use device::{CarveError, DeviceMemory, Retype};
pub use ram::{Piece, Ram};
pub use slots::{OutOfSlots, Slots};

/// An Untyped as the kernel sees it: everything below the watermark is in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Untyped {
    /// Slot of its capability.
    pub cap: u64,
    /// Physical address.
    pub base: u64,
    /// log2 of its bytes.
    pub size_bits: u8,
}

/// An Untyped with its watermark.
#[derive(Clone, Copy, Debug)]
struct Block {
    untyped: Untyped,
    used: u64,
}

impl Block {
    const fn new(untyped: Untyped) -> Self {
        Self { untyped, used: 0 }
    }

    const fn end(&self) -> u64 {
        self.untyped.base + (1 << self.untyped.size_bits)
    }

    const fn watermark(&self) -> u64 {
        self.untyped.base + self.used
    }
}
