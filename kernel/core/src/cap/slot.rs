//! A slot: one capability and its place in the derivation tree.
//!
//! The tree is kept as one list in depth-first order. What is a descendant of a slot is what follows it for as long as
//! [`Kernel::is_ancestor`](crate::Kernel) says so; two bits in each slot and the capabilities' contents decide that.

use core::cell::Cell;

use super::Cap;
use super::raw::{NULL, RawCap};
use crate::store::SlotRef;

/// A slot's neighbours in the derivation list and its two bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Links {
    /// The slot before.
    pub prev: Option<SlotRef>,
    /// The slot after.
    pub next: Option<SlotRef>,
    /// Whether capabilities derived from this one are its descendants.
    pub revocable: bool,
    /// Whether a badged capability here starts a new group, not a descendant of an equal badge before it.
    pub first_badged: bool,
}

/// A slot, 32 bytes.
#[repr(C, align(32))]
pub struct Slot {
    cap: Cell<RawCap>,
    prev: Cell<u64>,
    next: Cell<u64>,
}

const PRESENT: u64 = 1;
const REVOCABLE: u64 = 2;
const FIRST_BADGED: u64 = 4;
const ADDRESS: u64 = !0x1f;

fn link(slot: Option<SlotRef>) -> u64 {
    slot.map_or(0, |slot| slot.at().0 | PRESENT)
}

fn target(word: u64) -> Option<SlotRef> {
    (word & PRESENT != 0).then(|| SlotRef::new(sluice_abi::PhysAddr(word & ADDRESS)))
}

impl Slot {
    /// An empty slot.
    #[must_use]
    pub const fn empty() -> Self {
        Self { cap: Cell::new(NULL), prev: Cell::new(0), next: Cell::new(0) }
    }

    /// The capability.
    #[must_use]
    pub fn cap(&self) -> Cap {
        Cap::unpack(self.cap.get())
    }

    /// The capability, packed.
    #[must_use]
    pub fn raw(&self) -> RawCap {
        self.cap.get()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cap.get()[0] == NULL[0]
    }

    /// Replaces the capability.
    pub fn set_cap(&self, cap: Cap) {
        self.cap.set(cap.pack());
    }

    /// The slot's place in the derivation tree.
    #[must_use]
    pub fn links(&self) -> Links {
        let (prev, next) = (self.prev.get(), self.next.get());
        Links {
            prev: target(prev),
            next: target(next),
            revocable: next & REVOCABLE != 0,
            first_badged: next & FIRST_BADGED != 0,
        }
    }

    /// Replaces the slot's place in the derivation tree.
    pub fn set_links(&self, links: Links) {
        self.prev.set(link(links.prev));
        let bits = if links.revocable { REVOCABLE } else { 0 } | if links.first_badged { FIRST_BADGED } else { 0 };
        self.next.set(link(links.next) | bits);
    }

    /// Replaces the slot before.
    pub fn set_prev(&self, prev: Option<SlotRef>) {
        self.prev.set(link(prev));
    }

    /// Replaces the slot after.
    pub fn set_next(&self, next: Option<SlotRef>) {
        self.next.set(link(next) | self.next.get() & (REVOCABLE | FIRST_BADGED));
    }
}

const _: () = assert!(size_of::<Slot>() == 1 << sluice_abi::SLOT_BITS);
// An empty slot is zero words: stores rely on it when they make slots in zeroed memory.
const _: () = {
    let Slot { cap, prev, next } = Slot::empty();
    let [first, second] = cap.into_inner();
    assert!(first | second | prev.into_inner() | next.into_inner() == 0);
};
