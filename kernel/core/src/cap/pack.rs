//! Between [`Cap`] and its two words.

use sluice_abi::cap::CapTag;
use sluice_abi::smmu::{ContextId, StreamId};
use sluice_abi::{CapRights, FrameSize, PhysAddr, VirtAddr};

use super::raw::{self, RawCap};
use super::{
    Asid, CNode, Cap, EndpointCap, Frame, Mapping, NotificationCap, PageTable, Reply, SgiSignal, Untyped, VSpace,
    Zombie, ZombieKind,
};
use crate::store::Handle;

const fn address(at: PhysAddr) -> u64 {
    raw::ADDRESS.put(at.0 >> 4)
}

fn mapping_words(mapped: Option<Mapping>) -> (u64, u64) {
    mapped.map_or((0, 0), |Mapping { asid, vaddr }| {
        (raw::MAPPED.put(1), raw::MAPPED_PAGE.put(vaddr.0 >> 12) | raw::ASID.put(asid.0.into()))
    })
}

fn mapping(cap: RawCap) -> Option<Mapping> {
    (raw::MAPPED.get(cap[0]) != 0).then(|| Mapping {
        asid: Asid(raw::ASID.get(cap[1]) as u16),
        vaddr: VirtAddr(raw::MAPPED_PAGE.get(cap[1]) << 12),
    })
}

fn stream_words(stream: StreamId) -> u64 {
    raw::SMMU.put(stream.smmu.into()) | raw::SID.put(stream.sid.into())
}

fn stream(word: u64) -> StreamId {
    StreamId { smmu: raw::SMMU.get(word) as u8, sid: raw::SID.get(word) as u32 }
}

fn context_words(context: ContextId) -> u64 {
    raw::SMMU.put(context.smmu.into()) | raw::CB.put(context.cb.into())
}

fn context(word: u64) -> ContextId {
    ContextId { smmu: raw::SMMU.get(word) as u8, cb: raw::CB.get(word) as u16 }
}

fn rights(word: u64) -> CapRights {
    CapRights::from_bits_truncate(raw::RIGHTS.get(word))
}

impl Cap {
    /// The two words of a slot.
    #[must_use]
    pub fn pack(&self) -> RawCap {
        let (fields, second) = match *self {
            Self::Null | Self::IrqControl | Self::Domain | Self::AsidControl | Self::SidControl | Self::CbControl => {
                (0, 0)
            }
            Self::Untyped(Untyped { base, bits, device, used }) => {
                (address(base) | raw::UNTYPED_BITS.put(bits.into()) | raw::UNTYPED_DEVICE.put(device.into()), used)
            }
            Self::Endpoint(EndpointCap { object, badge, rights }) => {
                (address(object.at()) | raw::RIGHTS.put(rights.bits()), badge)
            }
            Self::Notification(NotificationCap { object, badge, rights }) => {
                (address(object.at()) | raw::RIGHTS.put(rights.bits()), badge)
            }
            Self::Reply(Reply { caller, master, grant }) => {
                (address(caller.at()) | raw::REPLY_MASTER.put(master.into()) | raw::REPLY_GRANT.put(grant.into()), 0)
            }
            Self::CNode(CNode { base, radix, guard, guard_bits }) => {
                (address(base) | raw::RADIX.put(radix.into()) | raw::GUARD_BITS.put(guard_bits.into()), guard)
            }
            Self::Thread(thread) => (address(thread.at()), 0),
            Self::IrqHandler(intid) => (0, intid.into()),
            Self::Zombie(Zombie { base, kind, remaining }) => {
                let kind = match kind {
                    ZombieKind::Thread => 0,
                    ZombieKind::CNode { radix } => raw::ZOMBIE_CNODE.put(1) | raw::RADIX.put(radix.into()),
                };
                (address(base) | kind, remaining)
            }
            Self::Frame(Frame { base, size, rights, device, mapped }) => {
                let size = match size {
                    FrameSize::Small => 0,
                    FrameSize::Large => 1,
                    FrameSize::Huge => 2,
                };
                let (flag, second) = mapping_words(mapped);
                let fields = raw::FRAME_SIZE.put(size) | raw::FRAME_DEVICE.put(device.into());
                (address(base) | fields | raw::RIGHTS.put(rights.bits()) | flag, second)
            }
            Self::PageTable(PageTable { base, mapped }) => {
                let (flag, second) = mapping_words(mapped);
                (address(base) | flag, second)
            }
            Self::VSpace(VSpace { root, asid, bound }) => {
                let mapped = asid.map_or(0, |_| raw::MAPPED.put(1));
                let asid = asid.map_or(0, |asid| raw::ASID.put(asid.0.into()));
                let flag = bound.map_or(0, |_| raw::BOUND.put(1));
                (address(root) | mapped | flag, asid | bound.map_or(0, context_words))
            }
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
            t if t == tag(CapTag::Untyped) => Self::Untyped(Untyped {
                base,
                bits: raw::UNTYPED_BITS.get(cap[0]) as u8,
                device: raw::UNTYPED_DEVICE.get(cap[0]) != 0,
                used: cap[1],
            }),
            t if t == tag(CapTag::Endpoint) => {
                Self::Endpoint(EndpointCap { object: Handle::new(base), badge: cap[1], rights: rights(cap[0]) })
            }
            t if t == tag(CapTag::Notification) => {
                Self::Notification(NotificationCap { object: Handle::new(base), badge: cap[1], rights: rights(cap[0]) })
            }
            t if t == tag(CapTag::Reply) => Self::Reply(Reply {
                caller: Handle::new(base),
                master: raw::REPLY_MASTER.get(cap[0]) != 0,
                grant: raw::REPLY_GRANT.get(cap[0]) != 0,
            }),
            t if t == tag(CapTag::CNode) => Self::CNode(CNode {
                base,
                radix: raw::RADIX.get(cap[0]) as u8,
                guard: cap[1],
                guard_bits: raw::GUARD_BITS.get(cap[0]) as u8,
            }),
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
            t if t == tag(CapTag::Frame) => Self::Frame(Frame {
                base,
                size: match raw::FRAME_SIZE.get(cap[0]) {
                    0 => FrameSize::Small,
                    1 => FrameSize::Large,
                    _ => FrameSize::Huge,
                },
                rights: rights(cap[0]),
                device: raw::FRAME_DEVICE.get(cap[0]) != 0,
                mapped: mapping(cap),
            }),
            t if t == tag(CapTag::PageTable) => Self::PageTable(PageTable { base, mapped: mapping(cap) }),
            t if t == tag(CapTag::VSpace) => Self::VSpace(VSpace {
                root: base,
                asid: (raw::MAPPED.get(cap[0]) != 0).then(|| Asid(raw::ASID.get(cap[1]) as u16)),
                bound: (raw::BOUND.get(cap[0]) != 0).then(|| context(cap[1])),
            }),
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
