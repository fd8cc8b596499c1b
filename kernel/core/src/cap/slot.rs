//! A slot: one capability and its place in the derivation tree.
//!
//! The tree is kept as one list in depth-first order. What is a descendant of a slot is what follows it for as long as
//! [`Kernel::is_ancestor`](crate::Kernel) says so; two bits in each slot and the capabilities' contents decide that.

use core::cell::Cell;

use super::Cap;
use super::raw::{NULL, RawCap};
use super::read::Packed;
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

// Beside a reference, whose bits 4:1 are 0, in the word of the slot after.
const REVOCABLE: u64 = 2;
const FIRST_BADGED: u64 = 4;
const FLAGS: u64 = REVOCABLE | FIRST_BADGED;

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

    /// The capability, if it is of one kind.
    #[inline(always)]
    #[must_use]
    pub fn read<T: Packed>(&self) -> Option<T> {
        T::read(self.cap.get())
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

    /// Replaces the capability by one of a kind that is known where this is called.
    #[inline(always)]
    pub fn write<T: Packed>(&self, cap: T) {
        self.cap.set(cap.words());
    }

    /// Takes the capability away.
    pub fn clear(&self) {
        self.cap.set(NULL);
    }

    /// The slot's place in the derivation tree.
    #[inline]
    #[must_use]
    pub fn links(&self) -> Links {
        let (prev, next) = (self.prev.get(), self.next.get());
        Links {
            prev: SlotRef::from_word(prev),
            next: SlotRef::from_word(next & !FLAGS),
            revocable: next & REVOCABLE != 0,
            first_badged: next & FIRST_BADGED != 0,
        }
    }

    /// Replaces the slot's place in the derivation tree.
    pub fn set_links(&self, links: Links) {
        self.prev.set(SlotRef::word(links.prev));
        let bits = if links.revocable { REVOCABLE } else { 0 } | if links.first_badged { FIRST_BADGED } else { 0 };
        self.next.set(SlotRef::word(links.next) | bits);
    }

    /// Replaces the slot before.
    pub fn set_prev(&self, prev: Option<SlotRef>) {
        self.prev.set(SlotRef::word(prev));
    }

    /// Replaces the slot after.
    pub fn set_next(&self, next: Option<SlotRef>) {
        self.next.set(SlotRef::word(next) | self.next.get() & FLAGS);
    }
}

const _: () = assert!(size_of::<Slot>() == 1 << sluice_abi::SLOT_BITS);
// An empty slot is zero words: stores rely on it when they make slots in zeroed memory.
const _: () = {
    let Slot { cap, prev, next } = Slot::empty();
    let [first, second] = cap.into_inner();
    assert!(first | second | prev.into_inner() | next.into_inner() == 0);
};
