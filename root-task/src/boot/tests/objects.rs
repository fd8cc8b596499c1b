//! What the kernel for tests has: capabilities, address spaces, threads, and what happened to them.

use std::collections::{BTreeMap, BTreeSet};

use sluice_abi::smmu::{ContextId, StreamId};
use sluice_abi::{CapRights, ObjectType, VmAttributes};
use sluice_platform::PciAddress;

/// A capability. Objects are named by their physical address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Cap {
    Untyped { base: u64, size_bits: u32 },
    Object { object: ObjectType, base: u64, rights: CapRights, badge: u64 },
    Frame { base: u64, bits: u32, mapping: Option<(u64, u64)> },
    Stream(StreamId),
    Context(ContextId),
    Interrupt(u32),
    AsidPool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mapping {
    pub(super) base: u64,
    pub(super) bits: u32,
    pub(super) rights: CapRights,
    pub(super) attributes: VmAttributes,
}

#[derive(Default)]
pub(super) struct Space {
    pub(super) has_asid: bool,
    pub(super) tables: BTreeSet<(u32, u64)>,
    pub(super) mappings: BTreeMap<u64, Mapping>,
}

#[derive(Default, Clone, Debug)]
pub(super) struct Thread {
    pub(super) cnode: u64,
    pub(super) guard: u64,
    pub(super) space: u64,
    pub(super) entry: u64,
    pub(super) stack: u64,
    pub(super) arguments: [u64; 3],
    pub(super) faults: u64,
    pub(super) notification: u64,
    pub(super) priority: u8,
}

/// What happened, as far as its order matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Bound(StreamId),
    Bypassed(StreamId),
    Mastering(PciAddress),
    /// It was mastering, and is no more.
    Quiet(PciAddress),
    Unbound(StreamId),
    /// A function-level reset.
    Reset(PciAddress),
    Revoked,
    Resumed(u64),
    /// The kernel was asked to print what streams reach.
    Shown,
}
