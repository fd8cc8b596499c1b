//! Capabilities: their typed form, their packed form, and the tree of their derivation.

mod derive;
mod mapping;
mod pack;
pub mod raw;
mod read;
mod region;
mod slot;

pub(crate) use derive::frame_rights;
pub use derive::{Derivation, derivation, mask_rights, update_data};
pub use mapping::Mapping;
pub use read::Packed;
pub(crate) use region::memory;
pub use region::{is_revocable, same_object, same_region};
pub use slot::{Links, Slot};

use sluice_abi::cap::CapTag;
use sluice_abi::smmu::{ContextId, StreamId};
use sluice_abi::{CapRights, FrameSize, PhysAddr};

use crate::object::{AsidPool, BlockedSender, Endpoint, Notification, Tcb, Vcpu};
use crate::store::Handle;

/// Address-space identifier: names a VSpace while it has a place in an ASID pool. 0 is never given out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Asid(pub u16);

/// A capability, unpacked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cap {
    /// Nothing.
    Null,
    /// Memory without a type.
    Untyped(Untyped),
    /// Authority to use an endpoint.
    Endpoint(EndpointCap),
    /// Authority to use a notification.
    Notification(NotificationCap),
    /// Authority to answer one call.
    Reply(Reply),
    /// Authority over a table of slots.
    CNode(CNode),
    /// Authority over a thread.
    Thread(Handle<Tcb>),
    /// Authority to make interrupt handlers.
    IrqControl,
    /// Authority over one interrupt.
    IrqHandler(u32),
    /// What is left of a CNode or thread that is being deleted.
    Zombie(Zombie),
    /// Authority over scheduling domains.
    Domain,
    /// Memory that can be mapped.
    Frame(Frame),
    /// A translation table below the root.
    PageTable(PageTable),
    /// A root translation table.
    VSpace(VSpace),
    /// Authority to make ASID pools.
    AsidControl,
    /// Authority to give VSpaces an ASID.
    AsidPool {
        /// The pool.
        pool: Handle<AsidPool>,
        /// Its first ASID.
        base: Asid,
    },
    /// Authority over the streams of every SMMU.
    SidControl,
    /// Authority over one stream.
    Sid(StreamId),
    /// Authority over the contexts of every SMMU.
    CbControl,
    /// Authority over one context.
    Cb {
        /// The context.
        context: ContextId,
        /// The stream, when this is the hidden copy that binds it.
        bound: Option<StreamId>,
    },
    /// Authority over a virtual processor.
    Vcpu(Handle<Vcpu>),
    /// Authority to send one software-generated interrupt to one core.
    SgiSignal(SgiSignal),
    /// A second-level stream table.
    StreamTable {
        /// Its memory.
        base: PhysAddr,
        /// Its first stream, once installed.
        mapped: Option<StreamId>,
    },
}

/// Memory without a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Untyped {
    /// First byte.
    pub base: PhysAddr,
    /// log2 of its bytes.
    pub bits: u8,
    /// Whether it is something else than ordinary memory.
    pub device: bool,
    /// Bytes from the start that objects were made in, a multiple of 16.
    pub used: u64,
}

impl Untyped {
    /// Bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        1 << self.bits
    }
}

/// Authority to use an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndpointCap {
    /// The endpoint.
    pub object: Handle<Endpoint>,
    /// Delivered with each message sent; 0 for none.
    pub badge: u64,
    /// All four rights count.
    pub rights: CapRights,
}

impl EndpointCap {
    /// What a thread that sends through it brings.
    pub(crate) fn sender(&self, call: bool) -> BlockedSender {
        BlockedSender {
            endpoint: self.object,
            badge: self.badge,
            grant: self.rights.contains(CapRights::GRANT),
            grant_reply: self.rights.contains(CapRights::GRANT_REPLY),
            call,
        }
    }
}

/// Authority to use a notification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotificationCap {
    /// The notification.
    pub object: Handle<Notification>,
    /// Bits each signal sets.
    pub badge: u64,
    /// Read and write count.
    pub rights: CapRights,
}

/// Authority to answer one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The caller.
    pub caller: Handle<Tcb>,
    /// Whether this is the caller's own, from which the usable one is derived.
    pub master: bool,
    /// Whether capabilities may be sent along.
    pub grant: bool,
}

/// Authority over a table of slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CNode {
    /// First slot.
    pub base: PhysAddr,
    /// log2 of the number of slots.
    pub radix: u8,
    /// Bits a capability pointer must show.
    pub guard: u64,
    /// How many.
    pub guard_bits: u8,
}

/// Authority to send one software-generated interrupt to one core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SgiSignal {
    /// The interrupt, below 16.
    pub intid: u8,
    /// The core, by its affinity: Aff3, Aff2, Aff1 and Aff0 from the highest byte on.
    pub target: u32,
}

/// What a zombie was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ZombieKind {
    /// A thread.
    Thread,
    /// A CNode with 2^radix slots.
    CNode {
        /// log2 of the slots.
        radix: u8,
    },
}

/// What is left of a CNode or thread that is being deleted: its first `remaining` slots may hold capabilities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Zombie {
    /// First slot.
    pub base: PhysAddr,
    /// What it was.
    pub kind: ZombieKind,
    /// Slots not yet emptied.
    pub remaining: u64,
}

/// Memory that can be mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// First byte.
    pub base: PhysAddr,
    /// How many.
    pub size: FrameSize,
    /// Read and write count.
    pub rights: CapRights,
    /// Whether it is something else than ordinary memory.
    pub device: bool,
    /// Where it is mapped through this capability.
    pub mapped: Option<Mapping>,
}

/// A translation table below the root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageTable {
    /// Its memory.
    pub base: PhysAddr,
    /// Where it is installed.
    pub mapped: Option<Mapping>,
}

/// A root translation table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VSpace {
    /// Its memory.
    pub root: PhysAddr,
    /// Its ASID, once assigned.
    pub asid: Option<Asid>,
    /// The context, when this is the hidden copy that binds it.
    pub bound: Option<ContextId>,
}

impl Cap {
    /// The type tag, as debug builds report it.
    #[must_use]
    pub const fn tag(&self) -> CapTag {
        match self {
            Self::Null => CapTag::Null,
            Self::Untyped(_) => CapTag::Untyped,
            Self::Endpoint(_) => CapTag::Endpoint,
            Self::Notification(_) => CapTag::Notification,
            Self::Reply(_) => CapTag::Reply,
            Self::CNode(_) => CapTag::CNode,
            Self::Thread(_) => CapTag::Thread,
            Self::IrqControl => CapTag::IrqControl,
            Self::IrqHandler(_) => CapTag::IrqHandler,
            Self::Zombie(_) => CapTag::Zombie,
            Self::Domain => CapTag::Domain,
            Self::Frame(_) => CapTag::Frame,
            Self::PageTable(_) => CapTag::PageTable,
            Self::VSpace(_) => CapTag::VSpace,
            Self::AsidControl => CapTag::AsidControl,
            Self::AsidPool { .. } => CapTag::AsidPool,
            Self::SidControl => CapTag::SidControl,
            Self::Sid(_) => CapTag::Sid,
            Self::CbControl => CapTag::CbControl,
            Self::Cb { .. } => CapTag::Cb,
            Self::Vcpu(_) => CapTag::Vcpu,
            Self::SgiSignal(_) => CapTag::SgiSignal,
            Self::StreamTable { .. } => CapTag::StreamTable,
        }
    }
}
