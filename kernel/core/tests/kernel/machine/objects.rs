//! Where objects are: a store that knows what lives where and panics on everything the kernel must not do.

use std::any::{Any, type_name};
use std::collections::BTreeMap;

use sluice_abi::{PhysAddr, SLOT_BITS};
use sluice_core::cap::Slot;
use sluice_core::{Handle, Object, SlotRef};

/// Memory in use.
pub(crate) struct Extent {
    pub(crate) end: u64,
    pub(crate) kind: &'static str,
}

const SLOTS: &str = "slots";

/// All objects.
#[derive(Default)]
pub(crate) struct Objects {
    extents: BTreeMap<u64, Extent>,
    bodies: BTreeMap<u64, Box<dyn Any>>,
    slots: BTreeMap<u64, Box<Slot>>,
}

impl Objects {
    fn occupy(&mut self, start: u64, bytes: u64, kind: &'static str) {
        if let Some((other, extent)) = self.overlapping(PhysAddr(start), bytes) {
            panic!("{kind} at {start:#x} overlaps {} at {other:#x}..{:#x}", extent.kind, extent.end);
        }
        self.extents.insert(start, Extent { end: start + bytes, kind });
    }

    fn vacate(&mut self, start: u64, kind: &'static str) -> Extent {
        let extent = self.extents.remove(&start).unwrap_or_else(|| panic!("no {kind} at {start:#x} to destroy"));
        assert_eq!(extent.kind, kind, "wrong kind of object destroyed at {start:#x}");
        extent
    }

    /// The object in `bytes` bytes from `at`, if there is one.
    pub(crate) fn overlapping(&self, at: PhysAddr, bytes: u64) -> Option<(u64, &Extent)> {
        let (start, extent) = self.extents.range(..at.0 + bytes).next_back()?;
        (extent.end > at.0).then_some((*start, extent))
    }

    fn make_slots(&mut self, at: u64, count: u64) {
        for index in 0..count {
            self.slots.insert(at + (index << SLOT_BITS), Box::new(Slot::empty()));
        }
    }

    fn end_slots(&mut self, at: u64, count: u64) {
        for index in 0..count {
            let slot = self.slots.remove(&(at + (index << SLOT_BITS))).expect("a slot to destroy");
            assert!(slot.is_empty(), "a slot with {:?} was destroyed", slot.cap());
        }
    }

    pub(crate) fn get<T: Object>(&self, handle: Handle<T>) -> &T {
        self.find(handle).unwrap_or_else(|| panic!("no {} at {handle:?}", type_name::<T>()))
    }

    pub(crate) fn find<T: Object>(&self, handle: Handle<T>) -> Option<&T> {
        self.bodies.get(&handle.at().0)?.downcast_ref()
    }

    pub(crate) fn slot(&self, slot: SlotRef) -> &Slot {
        self.slots.get(&slot.at().0).unwrap_or_else(|| panic!("no slot at {slot:?}"))
    }

    pub(crate) fn has_slots(&self, at: PhysAddr, count: u64) -> bool {
        let end = at.0 + (count << SLOT_BITS);
        self.extents.get(&at.0).is_some_and(|extent| extent.kind == SLOTS && extent.end == end)
    }

    /// Also returns how many bytes it occupies.
    pub(crate) fn create<T: Object>(&mut self, at: PhysAddr) -> (Handle<T>, u64) {
        let bytes = (T::SLOTS << SLOT_BITS).max(T::BODY + size_of::<T>() as u64);
        self.occupy(at.0, bytes, type_name::<T>());
        self.make_slots(at.0, T::SLOTS);
        self.bodies.insert(at.0, Box::new(T::new()));
        (Handle::new(at), bytes)
    }

    /// Returns how many bytes they occupy.
    pub(crate) fn create_slots(&mut self, at: PhysAddr, count: u64) -> u64 {
        self.occupy(at.0, count << SLOT_BITS, SLOTS);
        self.make_slots(at.0, count);
        count << SLOT_BITS
    }

    /// Returns how many bytes are free again.
    pub(crate) fn destroy<T: Object>(&mut self, handle: Handle<T>) -> u64 {
        let at = handle.at().0;
        let extent = self.vacate(at, type_name::<T>());
        self.end_slots(at, T::SLOTS);
        self.bodies.remove(&at);
        extent.end - at
    }

    /// Returns how many bytes are free again.
    pub(crate) fn destroy_slots(&mut self, at: PhysAddr, count: u64) -> u64 {
        let extent = self.vacate(at.0, SLOTS);
        assert_eq!(extent.end, at.0 + (count << SLOT_BITS), "a CNode of another size was destroyed");
        self.end_slots(at.0, count);
        extent.end - at.0
    }

    /// Every slot there is.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (SlotRef, &Slot)> {
        self.slots.iter().map(|(at, slot)| (SlotRef::new(PhysAddr(*at)), &**slot))
    }

    /// Every object of a kind.
    pub(crate) fn all<T: Object>(&self) -> impl Iterator<Item = (Handle<T>, &T)> {
        self.bodies.iter().filter_map(|(at, body)| Some((Handle::new(PhysAddr(*at)), body.downcast_ref::<T>()?)))
    }

    /// Memory that holds objects.
    pub(crate) fn extents(&self) -> impl Iterator<Item = (u64, &Extent)> {
        self.extents.iter().map(|(start, extent)| (*start, extent))
    }
}
