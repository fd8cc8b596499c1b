//! Which capabilities speak of the same thing: the relations the derivation tree is built on.

use super::{Cap, Frame, Untyped};

/// Whether `b` names something inside what `a` names, so that `a` can be `b`'s ancestor.
#[must_use]
pub fn same_region(a: &Cap, b: &Cap) -> bool {
    match (a, b) {
        (Cap::Untyped(a), b) => memory(b).is_some_and(|(base, last)| within(a, base, last)),
        (Cap::Frame(a), Cap::Frame(b)) => {
            a.base <= b.base && frame_last(b) <= frame_last(a) && b.base.0 <= frame_last(b)
        }
        (Cap::Endpoint(a), Cap::Endpoint(b)) => a.object == b.object,
        (Cap::Notification(a), Cap::Notification(b)) => a.object == b.object,
        (Cap::Reply(a), Cap::Reply(b)) => a.caller == b.caller,
        (Cap::CNode(a), Cap::CNode(b)) => a.base == b.base && a.radix == b.radix,
        (Cap::Thread(a), Cap::Thread(b)) => a == b,
        (Cap::IrqControl, Cap::IrqControl | Cap::IrqHandler(_) | Cap::SgiSignal(_)) => true,
        (Cap::IrqHandler(a), Cap::IrqHandler(b)) => a == b,
        (Cap::Domain, Cap::Domain) | (Cap::AsidControl, Cap::AsidControl) => true,
        (Cap::PageTable(a), Cap::PageTable(b)) => a.base == b.base,
        (Cap::VSpace(a), Cap::VSpace(b)) => a.root == b.root,
        (Cap::AsidPool { pool: a, .. }, Cap::AsidPool { pool: b, .. }) => a == b,
        (Cap::SidControl, Cap::SidControl | Cap::Sid(_)) => true,
        (Cap::Sid(a), Cap::Sid(b)) => a == b,
        (Cap::CbControl, Cap::CbControl | Cap::Cb { .. }) => true,
        (Cap::Cb { context: a, .. }, Cap::Cb { context: b, .. }) => a == b,
        (Cap::StreamTable { base: a, .. }, Cap::StreamTable { base: b, .. }) => a == b,
        (Cap::Vcpu(a), Cap::Vcpu(b)) => a == b,
        (Cap::SgiSignal(a), Cap::SgiSignal(b)) => a == b,
        _ => false,
    }
}

/// Whether both name the very same object, so that neither is its last capability while the other lives.
#[must_use]
pub fn same_object(a: &Cap, b: &Cap) -> bool {
    match (a, b) {
        (Cap::Untyped(_) | Cap::SgiSignal(_), _)
        | (Cap::IrqControl, Cap::IrqHandler(_) | Cap::SgiSignal(_))
        | (Cap::SidControl, Cap::Sid(_))
        | (Cap::CbControl, Cap::Cb { .. }) => false,
        (Cap::Frame(a), Cap::Frame(b)) => a.base == b.base && a.size == b.size,
        _ => same_region(a, b),
    }
}

/// Whether `new`, made from `source`, starts a generation of its own: what is derived from it later is its descendant.
#[must_use]
pub fn is_revocable(new: &Cap, source: &Cap) -> bool {
    match (new, source) {
        (Cap::Endpoint(new), Cap::Endpoint(source)) => new.badge != source.badge,
        (Cap::Notification(new), Cap::Notification(source)) => new.badge != source.badge,
        (Cap::IrqHandler(_) | Cap::SgiSignal(_), source) => matches!(source, Cap::IrqControl),
        (Cap::Sid(_), source) => matches!(source, Cap::SidControl),
        (Cap::Cb { .. }, source) => matches!(source, Cap::CbControl),
        (Cap::Untyped(_), _) => true,
        _ => false,
    }
}

fn frame_last(frame: &Frame) -> u64 {
    frame.base.0 + frame.size.bytes() - 1
}

fn within(untyped: &Untyped, base: u64, last: u64) -> bool {
    untyped.base.0 <= base && last < untyped.base.0 + untyped.size() && base <= last
}

/// First and last byte of the memory an object capability stands for.
pub(crate) fn memory(cap: &Cap) -> Option<(u64, u64)> {
    use sluice_abi::{ObjectType, SLOT_BITS};
    let range = |base: sluice_abi::PhysAddr, bits: u32| Some((base.0, base.0 + (1 << bits) - 1));
    match cap {
        Cap::Untyped(untyped) => range(untyped.base, untyped.bits.into()),
        Cap::Endpoint(cap) => range(cap.object.at(), ObjectType::Endpoint.size_bits(0)),
        Cap::Notification(cap) => range(cap.object.at(), ObjectType::Notification.size_bits(0)),
        Cap::CNode(cnode) => range(cnode.base, u32::from(cnode.radix) + SLOT_BITS),
        Cap::Thread(thread) => range(thread.at(), ObjectType::Tcb.size_bits(0)),
        Cap::Frame(frame) => range(frame.base, frame.size.bits()),
        Cap::PageTable(table) => range(table.base, ObjectType::PageTable.size_bits(0)),
        Cap::VSpace(vspace) => range(vspace.root, ObjectType::VSpace.size_bits(0)),
        Cap::AsidPool { pool, .. } => range(pool.at(), sluice_abi::PAGE_BITS),
        Cap::StreamTable { base, .. } => range(*base, ObjectType::StreamTable.size_bits(0)),
        Cap::Vcpu(vcpu) => range(vcpu.at(), ObjectType::Vcpu.size_bits(0)),
        Cap::Zombie(zombie) => match zombie.kind {
            super::ZombieKind::Thread => range(zombie.base, ObjectType::Tcb.size_bits(0)),
            super::ZombieKind::CNode { radix } => range(zombie.base, u32::from(radix) + SLOT_BITS),
        },
        Cap::Null
        | Cap::Reply(_)
        | Cap::IrqControl
        | Cap::IrqHandler(_)
        | Cap::Domain
        | Cap::AsidControl
        | Cap::SidControl
        | Cap::Sid(_)
        | Cap::CbControl
        | Cap::Cb { .. }
        | Cap::SgiSignal(_) => None,
    }
}
