//! Between [`Cap`] and its two words.

use sluice_abi::PhysAddr;
use sluice_abi::cap::CapTag;
use sluice_abi::smmu::{ContextId, StreamId};

use super::raw::{self, RawCap};
use super::read::{Packed, mapping, mapping_words};
use super::{
    Asid, CNode, Cap, EndpointCap, Frame, NotificationCap, PageTable, Reply, SgiSignal, Untyped, VSpace, Zombie,
    ZombieKind,
};
use crate::store::Handle;

const fn address(at: PhysAddr) -> u64 {
    raw::ADDRESS.put(at.0 >> 4)
}

fn stream_words(stream: StreamId) -> u64 {
    raw::SMMU.put(stream.smmu.into()) | raw::SID.put(stream.sid.into())
}

fn stream(word: u64) -> StreamId {
    StreamId { smmu: raw::SMMU.get(word) as u8, sid: raw::SID.get(word) as u32 }
}

pub(super) fn context_words(context: ContextId) -> u64 {
    raw::SMMU.put(context.smmu.into()) | raw::CB.put(context.cb.into())
}

pub(super) fn context(word: u64) -> ContextId {
    ContextId { smmu: raw::SMMU.get(word) as u8, cb: raw::CB.get(word) as u16 }
}

impl Cap {
    /// The two words of a slot.
    #[must_use]
    pub fn pack(&self) -> RawCap {
        let (fields, second) = match *self {
            Self::Null | Self::IrqControl | Self::Domain | Self::AsidControl | Self::SidControl | Self::CbControl => {
                (0, 0)
            }
            Self::Untyped(untyped) => return untyped.words(),
            Self::Endpoint(cap) => return cap.words(),
            Self::Notification(cap) => return cap.words(),
            Self::Reply(reply) => return reply.words(),
            Self::CNode(cnode) => return cnode.words(),
            Self::Thread(thread) => (address(thread.at()), 0),
            Self::IrqHandler(intid) => (0, intid.into()),
            Self::Zombie(Zombie { base, kind, remaining }) => {
                let kind = match kind {
                    ZombieKind::Thread => 0,
                    ZombieKind::CNode { radix } => raw::ZOMBIE_CNODE.put(1) | raw::RADIX.put(radix.into()),
                };
                (address(base) | kind, remaining)
            }
            Self::Frame(frame) => return frame.words(),
            Self::PageTable(PageTable { base, mapped }) => {
                let (flag, second) = mapping_words(mapped);
                (address(base) | flag, second)
            }
            Self::VSpace(vspace) => return vspace.words(),
            Self::AsidPool { pool, base } => (address(pool.at()), raw::ASID.put(base.0.into())),
            Self::Sid(stream) => (0, stream_words(stream)),
            Self::Cb { context, bound } => {
                // One SMMU number serves both: a stream is only ever bound to a context of its own SMMU.
                let sid = bound.map_or(0, |stream| raw::SID.put(stream.sid.into()));
                (bound.map_or(0, |_| raw::BOUND.put(1)), context_words(context) | sid)
            }
            Self::Vcpu(vcpu) => (address(vcpu.at()), 0),
            Self::SgiSignal(SgiSignal { intid, target }) => {
                (raw::SGI_INTID.put(intid.into()), raw::SGI_TARGET.put(target.into()))
            }
            Self::StreamTable { base, mapped } => {
                (address(base) | mapped.map_or(0, |_| raw::MAPPED.put(1)), mapped.map_or(0, stream_words))
            }
        };
        [fields | self.tag() as u64, second]
    }

    /// The capability in two words that [`Cap::pack`] made.
    #[must_use]
    pub fn unpack(cap: RawCap) -> Self {
        let base = raw::address(cap);
        let tag = |tag: CapTag| tag as u64;
        match raw::tag(cap) {
            t if t == tag(CapTag::Untyped) => Self::Untyped(Untyped::of(cap)),
            t if t == tag(CapTag::Endpoint) => Self::Endpoint(EndpointCap::of(cap)),
            t if t == tag(CapTag::Notification) => Self::Notification(NotificationCap::of(cap)),
            t if t == tag(CapTag::Reply) => Self::Reply(Reply::of(cap)),
            t if t == tag(CapTag::CNode) => Self::CNode(CNode::of(cap)),
            t if t == tag(CapTag::Thread) => Self::Thread(Handle::new(base)),
            t if t == tag(CapTag::IrqControl) => Self::IrqControl,
            t if t == tag(CapTag::IrqHandler) => Self::IrqHandler(cap[1] as u32),
            t if t == tag(CapTag::Zombie) => {
                let kind = match raw::ZOMBIE_CNODE.get(cap[0]) {
                    0 => ZombieKind::Thread,
                    _ => ZombieKind::CNode { radix: raw::RADIX.get(cap[0]) as u8 },
                };
                Self::Zombie(Zombie { base, kind, remaining: cap[1] })
            }
            t if t == tag(CapTag::Domain) => Self::Domain,
            t if t == tag(CapTag::Frame) => Self::Frame(Frame::of(cap)),
            t if t == tag(CapTag::PageTable) => Self::PageTable(PageTable { base, mapped: mapping(cap) }),
            t if t == tag(CapTag::VSpace) => Self::VSpace(VSpace::of(cap)),
            t if t == tag(CapTag::AsidControl) => Self::AsidControl,
            t if t == tag(CapTag::AsidPool) => {
                Self::AsidPool { pool: Handle::new(base), base: Asid(raw::ASID.get(cap[1]) as u16) }
            }
            t if t == tag(CapTag::SidControl) => Self::SidControl,
            t if t == tag(CapTag::Sid) => Self::Sid(stream(cap[1])),
            t if t == tag(CapTag::CbControl) => Self::CbControl,
            t if t == tag(CapTag::Cb) => {
                Self::Cb { context: context(cap[1]), bound: (raw::BOUND.get(cap[0]) != 0).then(|| stream(cap[1])) }
            }
            t if t == tag(CapTag::Vcpu) => Self::Vcpu(Handle::new(base)),
            t if t == tag(CapTag::SgiSignal) => Self::SgiSignal(SgiSignal {
                intid: raw::SGI_INTID.get(cap[0]) as u8,
                target: raw::SGI_TARGET.get(cap[1]) as u32,
            }),
            t if t == tag(CapTag::StreamTable) => {
                Self::StreamTable { base, mapped: (raw::MAPPED.get(cap[0]) != 0).then(|| stream(cap[1])) }
            }
            _ => Self::Null,
        }
    }
}
