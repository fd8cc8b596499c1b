//! The derivation tree.

use std::collections::{HashMap, HashSet};

use sluice_core::SlotRef;
use sluice_core::cap::{Cap, Links, same_object, same_region};

use super::View;

/// The lists the slots form. A slot in a circle is in no list.
pub(super) fn lists(slots: &HashMap<SlotRef, (Cap, Links)>) -> Vec<Vec<(SlotRef, Cap, Links)>> {
    let mut heads: Vec<_> = slots.iter().filter(|(_, (_, links))| links.prev.is_none()).map(|(at, _)| *at).collect();
    heads.sort_unstable();
    let follow = |head: SlotRef| {
        let mut list = Vec::new();
        let mut at = Some(head);
        while let Some((slot, (cap, links))) = at.and_then(|slot| Some((slot, slots.get(&slot)?))) {
            assert!(list.len() <= slots.len(), "the list from {head:?} has no end");
            list.push((slot, *cap, *links));
            at = links.next;
        }
        list
    };
    heads.into_iter().map(follow).collect()
}

/// Whether `a`, which stands before `b` in a list, is an ancestor of `b`.
pub(super) fn is_ancestor((_, a, links): &(SlotRef, Cap, Links), (_, b, below): &(SlotRef, Cap, Links)) -> bool {
    let badges = match (a, b) {
        (Cap::Endpoint(a), Cap::Endpoint(b)) => Some((a.badge, b.badge)),
        (Cap::Notification(a), Cap::Notification(b)) => Some((a.badge, b.badge)),
        _ => None,
    };
    let badge_allows = badges.is_none_or(|(a, b)| a == 0 || a == b && !below.first_badged);
    let signals = matches!((a, b), (Cap::SgiSignal(_), Cap::SgiSignal(_)));
    links.revocable && same_region(a, b) && badge_allows && !(signals && below.first_badged)
}

pub(super) fn empty_slots_are_unlinked(view: &View<'_>) {
    for (at, slot) in view.machine().objects.slots().filter(|(_, slot)| slot.is_empty()) {
        assert_eq!(slot.links(), Links::default(), "empty {at:?} is linked");
        assert_eq!(slot.raw(), [0, 0], "empty {at:?} is not null");
    }
}

pub(super) fn lists_are_well_linked(view: &View<'_>) {
    let mut listed = HashSet::new();
    for list in &view.lists {
        let mut before = None;
        for (at, cap, links) in list {
            assert!(listed.insert(*at), "{at:?} is in two lists");
            assert_eq!(links.prev, before, "{at:?} with {cap:?} does not point back");
            before = Some(*at);
        }
        let last = list.last().expect("a head");
        assert_eq!(last.2.next, None, "{:?} points at an empty slot", last.0);
    }
    assert_eq!(listed.len(), view.slots.len(), "some slots are in a circle");
}

/// Where a slot's descendants end no later one begins: the lists are a forest in depth-first order.
///
/// Not so for badged capabilities and signals: the first of a second group with an equal badge (or for the same interrupt) ends the first group's family, and
/// what follows looks like both's.
pub(super) fn descendants_are_contiguous(view: &View<'_>) {
    for list in &view.lists {
        for (index, a) in list.iter().enumerate().filter(|(_, a)| !is_badged(&a.1)) {
            let mut ended = false;
            for b in &list[index + 1..] {
                let below = is_ancestor(a, b);
                assert!(!(below && ended), "{:?} {:?} is cut off from its ancestor {:?} {:?}", b.0, b.1, a.0, a.1);
                ended |= !below;
            }
        }
    }
}

fn is_badged(cap: &Cap) -> bool {
    matches!(cap, Cap::SgiSignal(_))
        || matches!(cap, Cap::Endpoint(cap) if cap.badge != 0)
        || matches!(cap, Cap::Notification(cap) if cap.badge != 0)
}

/// The last capability to an object is known by its neighbours, so all of an object's must stand side by side.
pub(super) fn copies_stand_together(view: &View<'_>) {
    let mut runs: Vec<Cap> = Vec::new();
    for list in &view.lists {
        let mut last: Option<Cap> = None;
        for (at, cap, _) in list {
            let run_goes_on = last.is_some_and(|last| same_object(&last, cap) || is_control_of(&last, cap));
            if !run_goes_on && is_counted(cap) {
                let apart = runs.iter().find(|other| same_object(other, cap));
                assert!(apart.is_none(), "{at:?}: {cap:?} stands apart from {apart:?}");
                runs.push(*cap);
            }
            last = Some(*cap);
        }
    }
}

fn is_counted(cap: &Cap) -> bool {
    let object = matches!(
        cap,
        Cap::Endpoint(_)
            | Cap::Notification(_)
            | Cap::CNode(_)
            | Cap::Thread(_)
            | Cap::PageTable(_)
            | Cap::VSpace(_)
            | Cap::Vcpu(_)
    );
    object || matches!(cap, Cap::IrqHandler(_) | Cap::AsidPool { .. } | Cap::Sid(_) | Cap::Cb { .. })
}

fn is_control_of(control: &Cap, cap: &Cap) -> bool {
    matches!((control, cap), (Cap::IrqControl, Cap::IrqControl))
}
