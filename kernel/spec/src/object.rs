//! Objects: what typed memory holds.

use alloc::vec::Vec;

use sluice_abi::{FrameSize, ObjectType, PhysAddr};

use crate::{Thread, Vcpu};

/// An object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Object {
    /// A thread.
    Thread(Thread),
    /// An endpoint.
    Endpoint {
        /// Threads that wait there, all to send or all to receive, the first for longest.
        waiting: Vec<PhysAddr>,
    },
    /// A notification.
    Notification {
        /// The thread bound to it.
        bound: Option<PhysAddr>,
        /// Badges signalled and not yet seen.
        pending: Option<u64>,
        /// Threads that wait for a signal, the first for longest.
        waiting: Vec<PhysAddr>,
    },
    /// A table of 2^radix slots.
    CNode {
        /// log2 of the slots.
        radix: u32,
    },
    /// Memory for users.
    Frame(FrameSize),
    /// A translation table.
    PageTable,
    /// A root table.
    VSpace,
    /// A pool of names of address spaces.
    AsidPool,
    /// A table of streams.
    StreamTable,
    /// A virtual processor.
    Vcpu(Vcpu),
}

impl Object {
    /// A notification nobody uses yet.
    pub const NOTIFICATION: Self = Self::Notification { bound: None, pending: None, waiting: Vec::new() };
    /// An endpoint nobody uses yet.
    pub const ENDPOINT: Self = Self::Endpoint { waiting: Vec::new() };

    /// log2 of its bytes.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        match self {
            Self::Thread(_) => ObjectType::Tcb.size_bits(0),
            Self::Endpoint { .. } => ObjectType::Endpoint.size_bits(0),
            Self::Notification { .. } => ObjectType::Notification.size_bits(0),
            Self::CNode { radix } => ObjectType::CNode.size_bits(*radix),
            Self::Frame(size) => size.bits(),
            Self::PageTable | Self::VSpace | Self::AsidPool => sluice_abi::PAGE_BITS,
            Self::StreamTable => ObjectType::StreamTable.size_bits(0),
            Self::Vcpu(_) => ObjectType::Vcpu.size_bits(0),
        }
    }
}
