//! The derivation tree: who was made from whom.
//!
//! Slots form one doubly linked list. A slot's descendants follow it directly; where they end is decided by
//! [`Kernel::is_ancestor`]. Copies go right behind their source, so siblings stand together and the last capability to an
//! object is one whose neighbours name something else.

use crate::Kernel;
use crate::cap::{Cap, Links, is_revocable, same_object, same_region};
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::store::SlotRef;

impl<H: Hal> Kernel<H> {
    /// Whether revoking `a` would remove `b`, given that `b` follows `a` in the list with only descendants between.
    pub(crate) fn is_ancestor(&self, a: SlotRef, b: SlotRef) -> bool {
        if !self.slot(a).links().revocable {
            return false;
        }
        let (parent, child) = (self.cap(a), self.cap(b));
        if !same_region(&parent, &child) {
            return false;
        }
        let badge_allows =
            |parent: u64, child: u64| parent == 0 || parent == child && !self.slot(b).links().first_badged;
        match (parent, child) {
            (Cap::Endpoint(parent), Cap::Endpoint(child)) => badge_allows(parent.badge, child.badge),
            (Cap::Notification(parent), Cap::Notification(child)) => badge_allows(parent.badge, child.badge),
            // Two capabilities to the same interrupt of the same core, issued apart, are not each other's.
            (Cap::SgiSignal(_), Cap::SgiSignal(_)) => !self.slot(b).links().first_badged,
            _ => true,
        }
    }

    /// The first descendant of `slot`, if it has any.
    pub(crate) fn first_descendant(&self, slot: SlotRef) -> Option<SlotRef> {
        self.slot(slot).links().next.filter(|next| self.is_ancestor(slot, *next))
    }

    /// # Errors
    /// [`SyscallError::RevokeFirst`] when the slot has descendants.
    pub(crate) fn ensure_childless(&self, slot: SlotRef) -> Result<(), SyscallError> {
        match self.first_descendant(slot) {
            None => Ok(()),
            Some(_) => Err(SyscallError::RevokeFirst),
        }
    }

    /// Whether the slot holds the last capability to its object.
    pub(crate) fn is_final(&self, slot: SlotRef) -> bool {
        let cap = self.cap(slot);
        let links = self.slot(slot).links();
        // The order of the arguments counts: a control capability before its first child is not the same object.
        let before = links.prev.is_some_and(|prev| same_object(&self.cap(prev), &cap));
        let after = links.next.is_some_and(|next| same_object(&cap, &self.cap(next)));
        !before && !after
    }

    /// Puts `cap`, derived from the one in `source`, into the empty slot `dest`.
    pub(crate) fn insert(&mut self, cap: Cap, source: SlotRef, dest: SlotRef) {
        debug_assert!(self.slot(dest).is_empty());
        let source_cap = self.cap(source);
        let revocable = is_revocable(&cap, &source_cap);
        if let (Cap::Untyped(mut parent), Cap::Untyped(child)) = (source_cap, cap)
            && parent.base == child.base
            && parent.bits == child.bits
        {
            // The copy may now make objects anywhere in it: the source must not.
            parent.used = parent.size();
            self.slot(source).set_cap(Cap::Untyped(parent));
        }
        self.link_after(source, dest, cap, revocable);
    }

    /// Puts the capability to a new object, made from the Untyped in `parent`, into the empty slot `dest`.
    pub(crate) fn insert_child(&mut self, parent: SlotRef, dest: SlotRef, cap: Cap) {
        self.link_after(parent, dest, cap, true);
    }

    fn link_after(&mut self, before: SlotRef, dest: SlotRef, cap: Cap, revocable: bool) {
        self.slot(dest).set_cap(cap);
        self.link(before, dest, revocable);
    }

    /// Gives `dest`, which has its capability, its place behind `before`.
    #[inline(always)]
    pub(crate) fn link(&mut self, before: SlotRef, dest: SlotRef, revocable: bool) {
        let next = self.slot(before).links().next;
        self.slot(dest).set_links(Links { prev: Some(before), next, revocable, first_badged: revocable });
        self.slot(before).set_next(Some(dest));
        if let Some(next) = next {
            self.slot(next).set_prev(Some(dest));
        }
        self.check_places(&[before, dest]);
    }

    /// Moves what is in `source` to the empty slot `dest`, as `cap`.
    pub(crate) fn move_cap(&mut self, cap: Cap, source: SlotRef, dest: SlotRef) {
        debug_assert!(self.slot(dest).is_empty());
        let links = self.slot(source).links();
        self.slot(dest).set_cap(cap);
        self.slot(source).set_cap(Cap::Null);
        self.slot(dest).set_links(links);
        self.slot(source).set_links(Links::default());
        self.point_neighbours_at(links, dest);
        self.check_places(&[source, dest]);
    }

    /// Exchanges two slots; what was in `a` arrives in `b` as `cap_a`, and the other way round.
    pub(crate) fn swap(&mut self, cap_a: Cap, a: SlotRef, cap_b: Cap, b: SlotRef) {
        self.slot(a).set_cap(cap_b);
        self.slot(b).set_cap(cap_a);
        let links_a = self.slot(a).links();
        self.point_neighbours_at(links_a, b);
        // Read only now: where the two are neighbours, the line above has changed b's links.
        let links_b = self.slot(b).links();
        self.slot(a).set_links(links_b);
        self.slot(b).set_links(links_a);
        self.point_neighbours_at(links_b, a);
        self.check_places(&[a, b]);
    }

    /// Empties a slot whose capability has been finalised.
    #[inline(always)]
    pub(crate) fn unlink(&mut self, slot: SlotRef) {
        let links = self.slot(slot).links();
        if let Some(prev) = links.prev {
            self.slot(prev).set_next(links.next);
        }
        if let Some(next) = links.next {
            let mut after = self.slot(next).links();
            after.prev = links.prev;
            after.first_badged |= links.first_badged;
            self.slot(next).set_links(after);
        }
        self.slot(slot).clear();
        self.slot(slot).set_links(Links::default());
        for neighbour in [links.prev, links.next].into_iter().flatten() {
            self.check_places(&[neighbour]);
        }
    }

    fn point_neighbours_at(&mut self, links: Links, slot: SlotRef) {
        if let Some(prev) = links.prev {
            self.slot(prev).set_next(Some(slot));
        }
        if let Some(next) = links.next {
            self.slot(next).set_prev(Some(slot));
        }
    }
}
