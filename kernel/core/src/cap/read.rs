//! Reading a packed capability as one kind, for paths that have no use for another and cannot afford to unpack all.
//!
//! [`Cap::unpack`](super::Cap::unpack) reads these kinds by the same functions, so the two cannot disagree.

use sluice_abi::cap::CapTag;
use sluice_abi::{CapRights, FrameSize, PhysAddr};

use super::raw::{self, RawCap};
use super::{Asid, CNode, EndpointCap, Frame, Mapping, NotificationCap, Reply, Untyped, VSpace};
use crate::store::Handle;

/// A kind of capability with fields of its own.
pub trait Packed: Sized {
    /// Its tag.
    const TAG: CapTag;

    /// The fields of a capability that has the tag.
    fn of(cap: RawCap) -> Self;

    /// Its two words, tag included.
    fn words(&self) -> RawCap;

    /// The capability, if it is of this kind.
    #[inline(always)]
    fn read(cap: RawCap) -> Option<Self> {
        (raw::tag(cap) == Self::TAG as u64).then(|| Self::of(cap))
    }
}

/// Tag and address.
const fn tagged(tag: CapTag, at: PhysAddr) -> u64 {
    raw::ADDRESS.put(at.0 >> 4) | tag as u64
}

fn rights(cap: RawCap) -> CapRights {
    CapRights::from_bits_truncate(raw::RIGHTS.get(cap[0]))
}

pub(super) fn mapping(cap: RawCap) -> Option<Mapping> {
    if raw::MAPPED.get(cap[0]) != 0 { Mapping::of(cap[1]) } else { None }
}

pub(super) fn mapping_words(mapped: Option<Mapping>) -> (u64, u64) {
    mapped.map_or((0, 0), |mapping| (raw::MAPPED.put(1), mapping.word()))
}

impl Packed for Untyped {
    const TAG: CapTag = CapTag::Untyped;

    #[inline(always)]
    fn of(cap: RawCap) -> Self {
        Self {
            base: raw::address(cap),
            bits: raw::UNTYPED_BITS.get(cap[0]) as u8,
            device: raw::UNTYPED_DEVICE.get(cap[0]) != 0,
            used: cap[1],
        }
    }

    #[inline(always)]
    fn words(&self) -> RawCap {
        let fields = raw::UNTYPED_BITS.put(self.bits.into()) | raw::UNTYPED_DEVICE.put(self.device.into());
        [tagged(Self::TAG, self.base) | fields, self.used]
    }
}

impl Packed for EndpointCap {
    const TAG: CapTag = CapTag::Endpoint;

    #[inline(always)]
    fn of(cap: RawCap) -> Self {
        Self { object: Handle::new(raw::address(cap)), badge: cap[1], rights: rights(cap) }
    }

    #[inline(always)]
    fn words(&self) -> RawCap {
        [tagged(Self::TAG, self.object.at()) | raw::RIGHTS.put(self.rights.bits()), self.badge]
    }
}

impl Packed for NotificationCap {
    const TAG: CapTag = CapTag::Notification;

    #[inline(always)]
    fn of(cap: RawCap) -> Self {
        Self { object: Handle::new(raw::address(cap)), badge: cap[1], rights: rights(cap) }
    }

    #[inline(always)]
    fn words(&self) -> RawCap {
        [tagged(Self::TAG, self.object.at()) | raw::RIGHTS.put(self.rights.bits()), self.badge]
    }
}

impl Packed for Reply {
    const TAG: CapTag = CapTag::Reply;

    #[inline(always)]
    fn of(cap: RawCap) -> Self {
        Self {
            caller: Handle::new(raw::address(cap)),
            master: raw::REPLY_MASTER.get(cap[0]) != 0,
            grant: raw::REPLY_GRANT.get(cap[0]) != 0,
        }
    }

    #[inline(always)]
    fn words(&self) -> RawCap {
        let fields = raw::REPLY_MASTER.put(self.master.into()) | raw::REPLY_GRANT.put(self.grant.into());
        [tagged(Self::TAG, self.caller.at()) | fields, 0]
    }
}

impl Packed for CNode {
    const TAG: CapTag = CapTag::CNode;

    #[inline(always)]
    fn of(cap: RawCap) -> Self {
        Self {
            base: raw::address(cap),
            radix: raw::RADIX.get(cap[0]) as u8,
            guard: cap[1],
            guard_bits: raw::GUARD_BITS.get(cap[0]) as u8,
        }
    }

    #[inline(always)]
    fn words(&self) -> RawCap {
        let fields = raw::RADIX.put(self.radix.into()) | raw::GUARD_BITS.put(self.guard_bits.into());
        [tagged(Self::TAG, self.base) | fields, self.guard]
    }
}

impl Packed for Frame {
    const TAG: CapTag = CapTag::Frame;

    #[inline(always)]
    fn of(cap: RawCap) -> Self {
        Self {
            base: raw::address(cap),
            size: match raw::FRAME_SIZE.get(cap[0]) {
                0 => FrameSize::Small,
                1 => FrameSize::Large,
                _ => FrameSize::Huge,
            },
            rights: rights(cap),
            device: raw::FRAME_DEVICE.get(cap[0]) != 0,
            mapped: mapping(cap),
        }
    }

    #[inline(always)]
    fn words(&self) -> RawCap {
        let size = match self.size {
            FrameSize::Small => 0,
            FrameSize::Large => 1,
            FrameSize::Huge => 2,
        };
        let (flag, second) = mapping_words(self.mapped);
        let fields = raw::FRAME_SIZE.put(size) | raw::FRAME_DEVICE.put(self.device.into());
        [tagged(Self::TAG, self.base) | fields | raw::RIGHTS.put(self.rights.bits()) | flag, second]
    }
}

impl Packed for VSpace {
    const TAG: CapTag = CapTag::VSpace;

    #[inline(always)]
    fn of(cap: RawCap) -> Self {
        Self {
            root: raw::address(cap),
            asid: (raw::MAPPED.get(cap[0]) != 0).then(|| Asid(raw::ASID.get(cap[1]) as u16)),
            bound: (raw::BOUND.get(cap[0]) != 0).then(|| super::pack::context(cap[1])),
        }
    }

    #[inline(always)]
    fn words(&self) -> RawCap {
        let mapped = self.asid.map_or(0, |_| raw::MAPPED.put(1));
        let asid = self.asid.map_or(0, |asid| raw::ASID.put(asid.0.into()));
        let flag = self.bound.map_or(0, |_| raw::BOUND.put(1));
        let context = self.bound.map_or(0, super::pack::context_words);
        [tagged(Self::TAG, self.root) | mapped | flag, asid | context]
    }
}
