//! Access to kernel objects in memory the kernel does not own.
//!
//! Objects live at physical addresses chosen by `Untyped_Retype`. A [`Handle`] names one; [`Store::get`] borrows it from
//! the store, so the borrow checker refuses a reference that outlives [`Store::destroy`].

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::num::NonZeroU64;

use sluice_abi::{PhysAddr, SLOT_BITS};

use crate::cap::Slot;

/// A kind of object with kernel-readable content.
pub trait Object: Sized + 'static {
    /// Capability slots at the start of the object's memory.
    const SLOTS: u64;
    /// Offset of `Self` in the object's memory, behind the slots.
    const BODY: u64;
    /// The object as it is when just made.
    fn new() -> Self;
}

/// Names the object of type `T` at a physical address.
///
/// Having one proves nothing about the object's life; capabilities do. The address is at least 16-byte aligned.
pub struct Handle<T> {
    // Bit 0 is always set, so that address 0 is a valid handle and `Option<Handle<T>>` is one word.
    tagged: NonZeroU64,
    object: PhantomData<fn() -> T>,
}

impl<T> Handle<T> {
    /// The handle of the object at `at`.
    #[must_use]
    pub const fn new(at: PhysAddr) -> Self {
        match NonZeroU64::new(at.0 | 1) {
            Some(tagged) => Self { tagged, object: PhantomData },
            None => unreachable!(),
        }
    }

    /// Where the object's memory starts.
    #[must_use]
    pub const fn at(self) -> PhysAddr {
        // Not a mask: a subtraction disappears into the offset of whatever is accessed.
        PhysAddr(self.tagged.get() - 1)
    }
}

impl<T: Object> Handle<T> {
    /// The `index`-th capability slot inside the object.
    #[must_use]
    pub fn slot(self, index: u64) -> SlotRef {
        debug_assert!(index < T::SLOTS);
        // Objects with slots are aligned to more than their slots take: nothing carries.
        SlotRef(self.tagged | (index << SLOT_BITS))
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Handle<T> {}
impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.tagged == other.tagged
    }
}
impl<T> Eq for Handle<T> {}
impl<T> Hash for Handle<T> {
    fn hash<S: Hasher>(&self, state: &mut S) {
        self.tagged.hash(state);
    }
}
impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{:#x}", self.at().0)
    }
}

/// Names one capability slot by its physical address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotRef(NonZeroU64);

impl SlotRef {
    /// The slot at `at`.
    #[must_use]
    pub const fn new(at: PhysAddr) -> Self {
        match NonZeroU64::new(at.0 | 1) {
            Some(tagged) => Self(tagged),
            None => unreachable!(),
        }
    }

    /// Where the slot is.
    #[must_use]
    pub const fn at(self) -> PhysAddr {
        PhysAddr(self.0.get() - 1)
    }

    /// The reference in a word that [`SlotRef::word`] made, flags taken off: its bits 4:1 are 0.
    pub(crate) fn from_word(word: u64) -> Option<Self> {
        NonZeroU64::new(word).map(Self)
    }

    /// One word: 0 for none, else an odd one.
    pub(crate) fn word(slot: Option<Self>) -> u64 {
        slot.map_or(0, |slot| slot.0.get())
    }

    /// The `index`-th slot of a CNode that starts here.
    #[must_use]
    pub const fn nth(self, index: u64) -> Self {
        Self::new(PhysAddr(self.at().0 + (index << SLOT_BITS)))
    }
}

impl fmt::Debug for SlotRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot@{:#x}", self.at().0)
    }
}

/// Where objects are.
///
/// The kernel's capability state guarantees that a handle it uses names a live object of its type; a store may check
/// that (the host's does, and panics), or rely on it (the image's does).
pub trait Store {
    /// The object.
    fn get<T: Object>(&self, handle: Handle<T>) -> &T;
    /// The slot.
    fn slot(&self, slot: SlotRef) -> &Slot;
    /// Makes an object, its slots empty, in zeroed memory that holds none.
    fn create<T: Object>(&mut self, at: PhysAddr) -> Handle<T>;
    /// Makes `count` empty slots (a CNode) in zeroed memory that holds no object.
    fn create_slots(&mut self, at: PhysAddr, count: u64);
    /// Ends an object; its memory may be reused.
    fn destroy<T: Object>(&mut self, handle: Handle<T>);
    /// Ends the slots of a CNode.
    fn destroy_slots(&mut self, at: PhysAddr, count: u64);
}
