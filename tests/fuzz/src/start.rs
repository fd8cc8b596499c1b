//! What a fuzzer is given at first.

use sluice_abi::cap::CapTag;

/// Threads that make calls; they share one CSpace, one VSpace and everything else.
pub const THREADS: usize = 3;
/// Devices whose streams a fuzzer has, and as many contexts.
pub const STREAMS: usize = 2;

/// A capability that a fuzzer is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gift {
    /// Its root CNode.
    Root,
    /// A CNode with slots that pointers reach through the root: radix 4, guard of 4 bits.
    Node,
    /// Untyped of so many bits.
    Untyped(u8),
    /// One of its threads.
    Thread(usize),
    /// The VSpace its threads run in.
    VSpace,
    /// A VSpace without an ASID.
    LooseVSpace,
    /// An endpoint with all rights.
    Endpoint,
    /// A notification with all rights.
    Notification,
    /// A frame of 4 KiB.
    Frame,
    /// A page table.
    PageTable,
    /// An ASID pool of its own.
    AsidPool,
    /// An interrupt nobody else has.
    IrqHandler,
    /// One of its streams, which nobody else has.
    Sid(usize),
    /// A context nobody else has.
    Cb(usize),
    /// The domain capability.
    Domain,
    /// The ASID control capability.
    AsidControl,
}

impl Gift {
    /// Kind of the capability.
    #[must_use]
    pub const fn kind(self) -> CapTag {
        match self {
            Self::Root | Self::Node => CapTag::CNode,
            Self::Untyped(_) => CapTag::Untyped,
            Self::Thread(_) => CapTag::Thread,
            Self::VSpace | Self::LooseVSpace => CapTag::VSpace,
            Self::Endpoint => CapTag::Endpoint,
            Self::Notification => CapTag::Notification,
            Self::Frame => CapTag::Frame,
            Self::PageTable => CapTag::PageTable,
            Self::AsidPool => CapTag::AsidPool,
            Self::IrqHandler => CapTag::IrqHandler,
            Self::Sid(_) => CapTag::Sid,
            Self::Cb(_) => CapTag::Cb,
            Self::Domain => CapTag::Domain,
            Self::AsidControl => CapTag::AsidControl,
        }
    }
}

/// What is in the first slots of its root CNode.
pub const START: [Gift; 32] = [
    Gift::Root,
    Gift::Untyped(16),
    Gift::Untyped(15),
    Gift::Untyped(12),
    Gift::Untyped(12),
    Gift::Untyped(17),
    Gift::Thread(0),
    Gift::Thread(1),
    Gift::Thread(2),
    Gift::VSpace,
    Gift::LooseVSpace,
    Gift::Endpoint,
    Gift::Endpoint,
    Gift::Notification,
    Gift::Notification,
    Gift::Frame,
    Gift::Frame,
    Gift::Frame,
    Gift::PageTable,
    Gift::PageTable,
    Gift::PageTable,
    Gift::AsidPool,
    Gift::IrqHandler,
    Gift::Sid(0),
    Gift::Sid(1),
    Gift::Cb(0),
    Gift::Cb(1),
    Gift::Node,
    Gift::Domain,
    Gift::AsidControl,
    Gift::Endpoint,
    Gift::Untyped(14),
];
