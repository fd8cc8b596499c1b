//! Free slots of the component's CNode.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use sluice_manifest::slot;
use sluice_sys::{CNode, Slot};

use crate::RtError;

/// The slots that nothing was put into, handed out once each.
#[derive(Debug)]
pub struct Slots {
    next: Cell<u64>,
    end: u64,
    returned: RefCell<Vec<u64>>,
}

impl Slots {
    pub(crate) const fn new(first: u64, end: u64) -> Self {
        Self { next: Cell::new(first), end, returned: RefCell::new(Vec::new()) }
    }

    /// An empty slot.
    ///
    /// # Errors
    /// When none is left.
    pub fn take(&self) -> Result<Slot, RtError> {
        if let Some(index) = self.returned.borrow_mut().pop() {
            return Ok(place(index));
        }
        let index = self.next.get();
        if index >= self.end {
            return Err(RtError::NoSlots);
        }
        self.next.set(index + 1);
        Ok(place(index))
    }

    /// Takes back a slot that is empty again.
    pub fn put_back(&self, slot: Slot) {
        self.returned.borrow_mut().push(slot.index);
    }
}

/// The place of a slot of the component's own CNode; the capability pointer to what it holds is its index.
fn place(index: u64) -> Slot {
    CNode::from(slot::CNODE).slot(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_given_once_until_it_comes_back() {
        let slots = Slots::new(20, 23);
        let taken: Vec<u64> = (0..3).map(|_| slots.take().expect("three are free").index).collect();
        assert_eq!(taken, [20, 21, 22]);
        assert_eq!(slots.take(), Err(RtError::NoSlots));
        slots.put_back(place(21));
        assert_eq!(slots.take(), Ok(place(21)));
        assert_eq!(slots.take(), Err(RtError::NoSlots));
    }
}
