//! What a descriptor means.

use sluice_abi::{FrameSize, PhysAddr};

/// The two kinds of memory a mapping can ask for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MemoryType {
    /// Write-back cacheable, inner shareable.
    Normal,
    /// Device-nGnRnE.
    Device,
}

/// What a mapping permits. All three false is a mapping that occupies its address and that nobody can use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Access {
    /// Loads and device reads.
    pub read: bool,
    /// Stores and device writes.
    pub write: bool,
    /// Instruction fetch.
    pub execute: bool,
}

impl Access {
    /// A mapping nobody can use.
    pub const NONE: Self = Self { read: false, write: false, execute: false };
    /// Read only, no fetch.
    pub const READ: Self = Self { read: true, write: false, execute: false };
    /// Read and write, no fetch.
    pub const READ_WRITE: Self = Self { read: true, write: true, execute: false };
}

/// A mapped frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Leaf {
    /// First byte of the frame: a multiple of its size, below 2^44.
    pub address: PhysAddr,
    /// Size, which decides the level of the descriptor.
    pub size: FrameSize,
    /// What is permitted.
    pub access: Access,
    /// How the memory behaves.
    pub memory: MemoryType,
}

/// A decoded descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Entry {
    /// Nothing is mapped, or the word is not one that this crate encodes.
    Invalid,
    /// The table of the next level.
    Table(PhysAddr),
    /// A frame.
    Leaf(Leaf),
}
