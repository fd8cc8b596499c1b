//! Names of slots and objects.

use sluice_abi::PhysAddr;
use sluice_abi::smmu::{ContextId, StreamId};

/// Names an address space while it has a place in a pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Asid(pub u16);

/// No object is here.
pub(crate) const NO_OBJECT: PhysAddr = PhysAddr(u64::MAX);

/// What a slot of a thread is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ThreadSlot {
    /// Root of what it can name.
    CSpace,
    /// Its address space.
    VSpace,
    /// What replies to it are derived from.
    Reply,
    /// The reply it owes.
    Caller,
    /// The frame of its IPC buffer.
    Buffer,
}

impl ThreadSlot {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::CSpace, Self::VSpace, Self::Reply, Self::Caller, Self::Buffer];
}

/// A place for one capability.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Slot {
    /// In a CNode.
    Node {
        /// The CNode.
        node: PhysAddr,
        /// Which of its slots.
        index: u64,
    },
    /// In a thread.
    Thread {
        /// The thread.
        thread: PhysAddr,
        /// Which of its slots.
        which: ThreadSlot,
    },
    /// Hidden in a stream: the context it is bound to.
    Binding(StreamId),
    /// Hidden in a stream: the notification its faults go to.
    Handler(StreamId),
    /// Hidden in a context: the address space it translates with.
    Translation(ContextId),
    /// Hidden in an interrupt: the notification it signals.
    Interrupt(u32),
}

impl Slot {
    /// No slot: where something is that is on its way.
    pub const NOWHERE: Self = Self::Node { node: NO_OBJECT, index: 0 };

    /// Whether no capability pointer leads here.
    #[must_use]
    pub const fn is_hidden(&self) -> bool {
        matches!(self, Self::Binding(_) | Self::Handler(_) | Self::Translation(_) | Self::Interrupt(_))
    }
}

/// What several capabilities may be to: when the last of them goes, it ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ObjectName {
    /// Typed memory from this address on.
    Memory(PhysAddr),
    /// An interrupt.
    Interrupt(u32),
    /// A stream.
    Stream(StreamId),
    /// A context.
    Context(ContextId),
    /// The answer to a thread.
    Reply(PhysAddr),
}
