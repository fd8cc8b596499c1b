//! Objects, their memory, and the capabilities to them.

use sluice_abi::{ObjectType, PAGE_BITS, PhysAddr, SLOT_BITS};
use sluice_core::cap::{Cap, ZombieKind, same_object};
use sluice_core::object::{Endpoint, Notification, Tcb, Vcpu};
use sluice_core::{Handle, SlotRef};

use super::View;
use super::derivation::is_ancestor;

/// First byte and one past the last of what a capability names.
fn memory(cap: &Cap) -> Option<(u64, u64)> {
    let sized = |at: PhysAddr, bits: u32| Some((at.0, at.0 + (1u64 << bits)));
    let node = |at: PhysAddr, radix: u8| sized(at, u32::from(radix) + SLOT_BITS);
    match cap {
        Cap::Untyped(untyped) => sized(untyped.base, untyped.bits.into()),
        Cap::Endpoint(cap) => sized(cap.object.at(), ObjectType::Endpoint.size_bits(0)),
        Cap::Notification(cap) => sized(cap.object.at(), ObjectType::Notification.size_bits(0)),
        Cap::Thread(thread) => sized(thread.at(), ObjectType::Tcb.size_bits(0)),
        Cap::CNode(cnode) => node(cnode.base, cnode.radix),
        Cap::Zombie(zombie) => match zombie.kind {
            ZombieKind::Thread => sized(zombie.base, ObjectType::Tcb.size_bits(0)),
            ZombieKind::CNode { radix } => node(zombie.base, radix),
        },
        Cap::Frame(frame) => sized(frame.base, frame.size.bits()),
        Cap::PageTable(table) => sized(table.base, PAGE_BITS),
        Cap::VSpace(vspace) => sized(vspace.root, PAGE_BITS),
        Cap::AsidPool { pool, .. } => sized(pool.at(), PAGE_BITS),
        Cap::StreamTable { base, .. } => sized(*base, ObjectType::StreamTable.size_bits(0)),
        Cap::Vcpu(vcpu) => sized(vcpu.at(), ObjectType::Vcpu.size_bits(0)),
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

fn is_untyped(cap: &Cap) -> bool {
    matches!(cap, Cap::Untyped(_))
}

/// Where a slot stands: number of its list, and position in it.
type Place = (usize, usize);

pub(super) fn capabilities_overlap_only_as_ancestors(view: &View<'_>) {
    let mut ranges: Vec<(u64, u64, Place)> = Vec::new();
    for (number, list) in view.lists.iter().enumerate() {
        let with_memory = list.iter().enumerate().filter_map(|(at, (_, cap, _))| Some((memory(cap)?, (number, at))));
        ranges.extend(with_memory.map(|((start, end), place)| (start, end, place)));
    }
    ranges.sort_unstable();
    for (index, (_, end, place)) in ranges.iter().enumerate() {
        for (start, _, other) in &ranges[index + 1..] {
            if start >= end {
                break;
            }
            let (a, b) = if place < other { (place, other) } else { (other, place) };
            let (a_entry, b_entry) = (&view.lists[a.0][a.1], &view.lists[b.0][b.1]);
            let related = if is_untyped(&a_entry.1) || is_untyped(&b_entry.1) {
                a.0 == b.0 && is_untyped(&a_entry.1) && is_ancestor(a_entry, b_entry)
            } else {
                same_object(&a_entry.1, &b_entry.1)
            };
            assert!(related, "{a_entry:?} and {b_entry:?} overlap");
        }
    }
}

pub(super) fn children_are_in_the_used_part_of_their_untyped(view: &View<'_>) {
    for list in &view.lists {
        for (index, entry) in list.iter().enumerate() {
            let Cap::Untyped(untyped) = entry.1 else { continue };
            assert!(untyped.used <= untyped.size(), "{untyped:?} is used beyond its end");
            for below in list[index + 1..].iter().take_while(|below| is_ancestor(entry, below)) {
                let Some((start, end)) = memory(&below.1) else { continue };
                let used = untyped.base.0 + untyped.used;
                assert!(untyped.base.0 <= start && end <= used, "{below:?} is outside the used part of {untyped:?}");
            }
        }
    }
}

pub(super) fn every_capability_has_its_object(view: &View<'_>) {
    let objects = &view.machine().objects;
    for (at, cap) in view.caps() {
        let alive = match cap {
            Cap::Endpoint(cap) => objects.find(cap.object).is_some(),
            Cap::Notification(cap) => objects.find(cap.object).is_some(),
            Cap::Thread(thread) => objects.find(thread).is_some(),
            Cap::Vcpu(vcpu) => objects.find(vcpu).is_some(),
            Cap::Reply(reply) => objects.find(reply.caller).is_some(),
            Cap::AsidPool { pool, .. } => objects.find(pool).is_some(),
            Cap::CNode(cnode) => objects.has_slots(cnode.base, 1 << cnode.radix),
            Cap::Zombie(zombie) => match zombie.kind {
                ZombieKind::Thread => objects.find(Handle::<Tcb>::new(zombie.base)).is_some(),
                ZombieKind::CNode { radix } => objects.has_slots(zombie.base, 1 << radix),
            },
            Cap::Frame(frame) => objects.overlapping(frame.base, frame.size.bytes()).is_none(),
            Cap::PageTable(table) => objects.overlapping(table.base, 1 << PAGE_BITS).is_none(),
            Cap::VSpace(vspace) => objects.overlapping(vspace.root, 1 << PAGE_BITS).is_none(),
            Cap::Null
            | Cap::Untyped(_)
            | Cap::IrqControl
            | Cap::IrqHandler(_)
            | Cap::Domain
            | Cap::AsidControl
            | Cap::SidControl
            | Cap::Sid(_)
            | Cap::CbControl
            | Cap::Cb { .. }
            | Cap::SgiSignal(_)
            | Cap::StreamTable { .. } => true,
        };
        assert!(alive, "{cap:?} in {at:?} names no live object");
    }
}

/// Without one its memory could never be had back, or would be used for something else already.
pub(super) fn every_object_has_a_capability(view: &View<'_>) {
    let objects = &view.machine().objects;
    let held = |start: u64| {
        let names = |cap: &Cap| !is_untyped(cap) && memory(cap).is_some_and(|(first, _)| first == start);
        view.slots.values().any(|(cap, _)| names(cap))
    };
    let threads = objects.all::<Tcb>().map(|(at, _)| at.at());
    let endpoints = objects.all::<Endpoint>().map(|(at, _)| at.at());
    let notifications = objects.all::<Notification>().map(|(at, _)| at.at());
    let vcpus = objects.all::<Vcpu>().map(|(at, _)| at.at());
    for at in threads.chain(endpoints).chain(notifications).chain(vcpus) {
        assert!(held(at.0), "nobody holds the object at {at}");
    }
    let node = SlotRef::new(crate::user::KERNEL_SLOTS);
    for (start, _) in objects.extents().filter(|(start, extent)| extent.kind == "slots" && *start != node.at().0) {
        assert!(held(start), "nobody holds the CNode at {start:#x}");
    }
}
