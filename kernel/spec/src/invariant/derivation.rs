//! The derivation forest.

use crate::{Cap, State};

/// Every parent is there, and nobody is its own ancestor.
#[must_use]
pub fn derivation_is_a_forest(state: &State) -> bool {
    let most = state.slots.len();
    state.slots.keys().all(|slot| {
        let mut at = *slot;
        for _ in 0..=most {
            match state.slots.get(&at) {
                None => return false,
                Some(held) => match held.parent {
                    None => return true,
                    Some(parent) => at = parent,
                },
            }
        }
        false
    })
}

/// A capability is to what its parent is to, or to memory inside it, or of the kind its parent controls.
#[must_use]
pub fn descendants_are_inside_their_ancestors(state: &State) -> bool {
    state.slots.values().all(|held| {
        let Some(parent) = held.parent.and_then(|parent| state.cap(parent)) else { return true };
        match (parent, held.cap) {
            (Cap::Untyped { base, bits, .. }, cap) => cap.memory().is_some_and(|(child, child_bits)| {
                base <= child && child.0 + (1 << child_bits) <= base.0 + (1 << bits)
            }),
            (Cap::SidControl, Cap::Sid(_))
            | (Cap::CbControl, Cap::Cb(_))
            | (Cap::IrqControl, Cap::IrqHandler(_) | Cap::SgiSignal { .. }) => true,
            (Cap::AsidControl, Cap::AsidControl) | (Cap::Domain, Cap::Domain) => true,
            (Cap::SgiSignal { .. }, cap) => cap == parent,
            (parent, cap) => {
                let badges_agree = parent.badge().is_none_or(|badge| badge == 0 || Some(badge) == cap.badge());
                parent.object().is_some() && parent.object() == cap.object() && badges_agree
            }
        }
    })
}
