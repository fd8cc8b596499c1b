//! What a fuzzer is given at first.

use sluice_abi::cap::CapTag;

use crate::belief::{INNER, NODE};

/// Threads that make calls; they share one CSpace, one VSpace and everything else.
pub const THREADS: usize = 3;
/// Devices whose streams a fuzzer has, and as many contexts.
pub const STREAMS: usize = 2;

/// Slot with the endpoint of the threads' fault handler, which may be given back when a call deleted it.
pub const FAULT_HANDLER: usize = 62;

/// An address that has all its page tables in the VSpace that its threads run in.
pub const MAPPED: u64 = 0x40_0000;

/// A capability that a fuzzer is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gift {
    /// Its root CNode.
    Root,
    /// The CNode in its root CNode, with a guard: see [`crate::NODE`].
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

/// What is in which slot at first.
pub const START: [(usize, Gift); 33] = [
    (NODE, Gift::Node),
    (INNER, Gift::Root),
    (INNER + 1, Gift::Node),
    (1, Gift::Untyped(16)),
    (2, Gift::Untyped(15)),
    (3, Gift::Untyped(12)),
    (4, Gift::Untyped(12)),
    (5, Gift::Untyped(17)),
    (6, Gift::Thread(0)),
    (7, Gift::Thread(1)),
    (8, Gift::Thread(2)),
    (9, Gift::VSpace),
    (10, Gift::LooseVSpace),
    (11, Gift::Endpoint),
    (12, Gift::Endpoint),
    (13, Gift::Notification),
    (14, Gift::Notification),
    (15, Gift::Frame),
    (16, Gift::Frame),
    (17, Gift::Frame),
    (18, Gift::PageTable),
    (19, Gift::PageTable),
    (20, Gift::PageTable),
    (21, Gift::AsidPool),
    (22, Gift::IrqHandler),
    (23, Gift::Sid(0)),
    (24, Gift::Sid(1)),
    (25, Gift::Cb(0)),
    (26, Gift::Cb(1)),
    (27, Gift::Domain),
    (28, Gift::AsidControl),
    (29, Gift::Endpoint),
    (30, Gift::Untyped(14)),
];
