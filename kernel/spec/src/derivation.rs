//! The derivation forest: who was made from whom.

use alloc::vec::Vec;

use crate::{Cap, Held, Slot, State};

impl State {
    /// Slots directly below this one.
    pub fn children(&self, slot: Slot) -> impl Iterator<Item = Slot> + '_ {
        self.slots.iter().filter(move |(_, held)| held.parent == Some(slot)).map(|(child, _)| *child)
    }

    /// Slots anywhere below this one.
    #[must_use]
    pub fn descendants(&self, slot: Slot) -> Vec<Slot> {
        let mut found: Vec<Slot> = self.children(slot).collect();
        let mut next = 0;
        while let Some(at) = found.get(next).copied() {
            found.extend(self.children(at));
            next += 1;
        }
        found
    }

    /// Puts a copy of what is in `source`, in the form `cap`, into an empty slot.
    ///
    /// It is a child of an original and a sibling of a copy. A capability that gets its first badge starts a
    /// generation of its own, and so does what comes from a control capability; another with the same badge does not.
    pub(crate) fn insert_copy(&mut self, source: Slot, cap: Cap, dest: Slot) {
        let Some(from) = self.slots.get(&source).copied() else { return };
        let original = match (from.cap, cap) {
            (Cap::Untyped { .. }, Cap::Untyped { .. })
            | (Cap::SidControl, Cap::Sid(_))
            | (Cap::CbControl, Cap::Cb(_))
            | (Cap::IrqControl, Cap::IrqHandler(_) | Cap::SgiSignal { .. }) => true,
            (from, cap) => cap.badge().is_some() && cap.badge() != from.badge(),
        };
        let same_badge = from.cap.badge().is_none_or(|badge| badge == 0 || Some(badge) == cap.badge() && !original);
        let parent = if from.original && same_badge { Some(source) } else { from.parent };
        self.slots.insert(dest, Held { cap, parent, original });
    }

    /// Puts the capability to a new object into an empty slot, below the memory it was made in.
    pub(crate) fn insert_child(&mut self, parent: Slot, cap: Cap, dest: Slot) {
        self.slots.insert(dest, Held { cap, parent: Some(parent), original: true });
    }

    /// Moves a capability to an empty slot; everybody keeps parents and children.
    pub(crate) fn relocate(&mut self, source: Slot, cap: Cap, dest: Slot) {
        let Some(held) = self.slots.remove(&source) else { return };
        self.adopt(source, Some(dest));
        self.slots.insert(dest, Held { cap, ..held });
    }

    /// Empties a slot; its children become its parent's.
    pub(crate) fn unlink(&mut self, slot: Slot) {
        let Some(held) = self.slots.remove(&slot) else { return };
        self.adopt(slot, held.parent);
    }

    fn adopt(&mut self, from: Slot, to: Option<Slot>) {
        for child in self.children(from).collect::<Vec<_>>() {
            if let Some(held) = self.slots.get_mut(&child) {
                held.parent = to;
            }
        }
    }
}
