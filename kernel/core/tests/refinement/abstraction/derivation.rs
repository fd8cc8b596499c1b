//! From lists of slots to a forest.

use std::collections::BTreeMap;

use sluice_abstract::{Held, Slot};
use sluice_core::cap::{self as concrete, Links, same_region};
use sluice_core::{SlotRef, Store};

use crate::machine::Machine;

type Found = (SlotRef, concrete::Cap, Links);

/// Follows each list; a slot's parent is the last one before it whose descendants have not ended.
pub(super) fn slots(machine: &Machine, name: impl Fn(SlotRef) -> Option<Slot>) -> BTreeMap<Slot, Held> {
    let mut all = BTreeMap::new();
    let used: Vec<Found> = machine
        .objects
        .slots()
        .filter(|(_, slot)| !slot.is_empty())
        .map(|(at, slot)| (at, slot.cap(), slot.links()))
        .collect();
    let name = |slot: SlotRef| name(slot).unwrap_or_else(|| panic!("{slot:?} has no name"));
    for head in used.iter().filter(|(_, _, links)| links.prev.is_none()) {
        let mut above: Vec<Found> = Vec::new();
        let mut at = Some(*head);
        while let Some(found) = at {
            while above.last().is_some_and(|last| !is_ancestor(last, &found)) {
                above.pop();
            }
            let parent = above.last().map(|(parent, ..)| name(*parent));
            let held = Held { cap: super::capability(&found.1), parent, original: found.2.revocable };
            let old = all.insert(name(found.0), held);
            assert_eq!(old, None, "{:?} is in two lists", found.0);
            above.push(found);
            at = found.2.next.map(|next| (next, machine.slot(next).cap(), machine.slot(next).links()));
        }
    }
    assert_eq!(all.len(), used.len(), "a slot is in no list");
    all
}

fn is_ancestor((_, above, links): &Found, (_, below, lower): &Found) -> bool {
    let badges = match (above, below) {
        (concrete::Cap::Endpoint(above), concrete::Cap::Endpoint(below)) => Some((above.badge, below.badge)),
        (concrete::Cap::Notification(above), concrete::Cap::Notification(below)) => Some((above.badge, below.badge)),
        _ => None,
    };
    let signals = matches!((above, below), (concrete::Cap::SgiSignal(_), concrete::Cap::SgiSignal(_)));
    links.revocable
        && !(signals && lower.first_badged)
        && same_region(above, below)
        && badges.is_none_or(|(above, below)| above == 0 || above == below && !lower.first_badged)
}
