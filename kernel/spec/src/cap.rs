//! Capabilities.

use sluice_abi::smmu::{ContextId, StreamId};
use sluice_abi::{FrameSize, ObjectType, PhysAddr, VirtAddr};

use crate::{Asid, ObjectName};

/// What the holder of an endpoint, notification or frame capability may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rights {
    /// Receive, wait or load.
    pub read: bool,
    /// Send, signal or store.
    pub write: bool,
    /// Send capabilities along.
    pub grant: bool,
    /// Send a reply capability along.
    pub grant_reply: bool,
}

impl Rights {
    /// All of them.
    pub const ALL: Self = Self { read: true, write: true, grant: true, grant_reply: true };
    /// Those that mean something for notifications and frames.
    pub const READ_WRITE: Self = Self { read: true, write: true, grant: false, grant_reply: false };
    /// Read only.
    pub const READ: Self = Self { read: true, write: false, grant: false, grant_reply: false };
    /// Write only.
    pub const WRITE: Self = Self { read: false, write: true, grant: false, grant_reply: false };

    /// Those in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            read: self.read && other.read,
            write: self.write && other.write,
            grant: self.grant && other.grant,
            grant_reply: self.grant_reply && other.grant_reply,
        }
    }

    /// As rights to memory: who may not load may not store either.
    #[must_use]
    pub const fn to_memory(self) -> Self {
        Self { read: self.read, write: self.read && self.write, grant: false, grant_reply: false }
    }
}

/// Where a frame or table is, or was, mapped through a capability.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mapping {
    /// The address space.
    pub asid: Asid,
    /// First address.
    pub at: VirtAddr,
}

/// A capability.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cap {
    /// Memory to make objects in.
    Untyped {
        /// First byte.
        base: PhysAddr,
        /// log2 of its bytes.
        bits: u32,
        /// Whether it is something else than ordinary memory.
        device: bool,
        /// Bytes from the start that objects were made in.
        used: u64,
    },
    /// Use of an endpoint.
    Endpoint {
        /// The endpoint.
        object: PhysAddr,
        /// Delivered with messages; 0 for none.
        badge: u64,
        /// What is allowed.
        rights: Rights,
    },
    /// Use of a notification.
    Notification {
        /// The notification.
        object: PhysAddr,
        /// Bits each signal sets.
        badge: u64,
        /// What is allowed.
        rights: Rights,
    },
    /// Use of a table of slots.
    CNode {
        /// The CNode.
        base: PhysAddr,
        /// log2 of its slots.
        radix: u32,
        /// Bits a capability pointer must show.
        guard: u64,
        /// How many.
        guard_bits: u32,
    },
    /// A thread.
    Thread(PhysAddr),
    /// Memory that can be mapped.
    Frame {
        /// First byte.
        base: PhysAddr,
        /// How many.
        size: FrameSize,
        /// What is allowed.
        rights: Rights,
        /// Whether it is something else than ordinary memory.
        device: bool,
        /// Where it is, or was, mapped through this capability.
        mapped: Option<Mapping>,
    },
    /// A translation table below the root.
    PageTable {
        /// Its memory.
        base: PhysAddr,
        /// Where it is, or was, installed.
        mapped: Option<Mapping>,
    },
    /// An address space.
    VSpace {
        /// Its root table.
        root: PhysAddr,
        /// Its name, once it has one.
        asid: Option<Asid>,
    },
    /// Making of pools.
    AsidControl,
    /// Naming of address spaces.
    AsidPool {
        /// The pool.
        pool: PhysAddr,
        /// Its first name.
        base: Asid,
    },
    /// What is left of the last capability to a CNode or thread whose slots are being emptied. It is good for nothing but to
    /// be deleted.
    Dying {
        /// First byte of the object.
        base: PhysAddr,
        /// log2 of its bytes.
        bits: u32,
        /// How many slots are left, from the first.
        left: u64,
    },
    /// Making of stream capabilities.
    SidControl,
    /// A stream.
    Sid(StreamId),
    /// Making of context capabilities.
    CbControl,
    /// A context.
    Cb(ContextId),
    /// A table of streams.
    StreamTable {
        /// Its memory.
        base: PhysAddr,
        /// The first of its streams, once it is in use.
        mapped: Option<StreamId>,
    },
    /// Answering a thread.
    Reply {
        /// Who waits for it.
        caller: PhysAddr,
        /// Whether it is the thread's own, which answers nothing and which the others are derived from.
        master: bool,
        /// Whether capabilities may go along.
        grant: bool,
    },
    /// Making of interrupt handlers.
    IrqControl,
    /// An interrupt.
    IrqHandler(u32),
    /// Scheduling domains.
    Domain,
    /// A virtual processor.
    Vcpu(PhysAddr),
    /// Sending of one software-generated interrupt to one core.
    SgiSignal {
        /// The interrupt.
        intid: u8,
        /// The core's affinity.
        target: u32,
    },
}

impl Cap {
    /// What the capability is one of several to; nothing for Untyped and controls, which end nothing when they go.
    #[must_use]
    pub const fn object(&self) -> Option<ObjectName> {
        match self {
            Self::Endpoint { object: base, .. }
            | Self::Notification { object: base, .. }
            | Self::CNode { base, .. }
            | Self::Thread(base)
            | Self::Frame { base, .. }
            | Self::PageTable { base, .. }
            | Self::VSpace { root: base, .. }
            | Self::AsidPool { pool: base, .. }
            | Self::Vcpu(base)
            | Self::StreamTable { base, .. }
            | Self::Dying { base, .. } => Some(ObjectName::Memory(*base)),
            Self::Reply { caller, .. } => Some(ObjectName::Reply(*caller)),
            Self::Sid(stream) => Some(ObjectName::Stream(*stream)),
            Self::Cb(context) => Some(ObjectName::Context(*context)),
            Self::IrqHandler(intid) => Some(ObjectName::Interrupt(*intid)),
            Self::Untyped { .. }
            | Self::AsidControl
            | Self::SidControl
            | Self::CbControl
            | Self::IrqControl
            | Self::SgiSignal { .. }
            | Self::Domain => None,
        }
    }

    /// First byte and log2 of the bytes of the memory it stands for.
    #[must_use]
    pub const fn memory(&self) -> Option<(PhysAddr, u32)> {
        match self {
            Self::Untyped { base, bits, .. } | Self::Dying { base, bits, .. } => Some((*base, *bits)),
            Self::Endpoint { object, .. } => Some((*object, ObjectType::Endpoint.size_bits(0))),
            Self::Notification { object, .. } => Some((*object, ObjectType::Notification.size_bits(0))),
            Self::CNode { base, radix, .. } => Some((*base, ObjectType::CNode.size_bits(*radix))),
            Self::Thread(base) => Some((*base, ObjectType::Tcb.size_bits(0))),
            Self::Frame { base, size, .. } => Some((*base, size.bits())),
            Self::PageTable { base, .. } | Self::VSpace { root: base, .. } | Self::AsidPool { pool: base, .. } => {
                Some((*base, sluice_abi::PAGE_BITS))
            }
            Self::Vcpu(base) => Some((*base, ObjectType::Vcpu.size_bits(0))),
            Self::StreamTable { base, .. } => Some((*base, ObjectType::StreamTable.size_bits(0))),
            Self::AsidControl
            | Self::SidControl
            | Self::Sid(_)
            | Self::CbControl
            | Self::Cb(_)
            | Self::IrqControl
            | Self::IrqHandler(_)
            | Self::SgiSignal { .. }
            | Self::Reply { .. }
            | Self::Domain => None,
        }
    }

    /// The badge, for the two kinds that can have one.
    #[must_use]
    pub const fn badge(&self) -> Option<u64> {
        if let Self::Endpoint { badge, .. } | Self::Notification { badge, .. } = self { Some(*badge) } else { None }
    }
}
