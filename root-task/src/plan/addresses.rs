//! Where things go in a component's VSpace (`sluice_manifest::layout`).

use alloc::vec;
use alloc::vec::Vec;

use sluice_abi::{PAGE_BITS, PAGE_SIZE};
use sluice_manifest::layout;
use sluice_spec::Component;

use super::PlanError;

/// The area for regions and registers, and what is taken of it.
#[derive(Clone, Debug)]
pub struct Addresses {
    taken: Vec<(u64, u64)>,
}

impl Addresses {
    /// An empty area for a component whose stack and heap fit their own areas.
    ///
    /// # Errors
    /// [`PlanError`] when stack or heap are not made of pages or too large; the page below the stack stays unmapped.
    pub fn new(component: &Component) -> Result<Self, PlanError> {
        let stack_room = layout::STACK_TOP - layout::WINDOW_END - PAGE_SIZE;
        for (at, size, room) in [
            (layout::STACK_TOP - component.stack.min(layout::STACK_TOP), component.stack, stack_room),
            (layout::HEAP, component.heap, layout::REGIONS - layout::HEAP),
        ] {
            if !size.is_multiple_of(PAGE_SIZE) {
                return Err(PlanError::Unaligned(size));
            }
            if size == 0 || size > room {
                return Err(PlanError::Outside { at, size });
            }
        }
        Ok(Self { taken: vec![] })
    }

    /// Takes the range the spec chose.
    ///
    /// # Errors
    /// [`PlanError`] when the range is unaligned, outside the area, or taken.
    pub fn claim(&mut self, at: u64, size: u64, align_bits: u32) -> Result<u64, PlanError> {
        if !at.is_multiple_of(1 << align_bits) || !size.is_multiple_of(1 << align_bits) {
            return Err(PlanError::Unaligned(at));
        }
        let end = at.checked_add(size).filter(|end| at >= layout::REGIONS && *end <= layout::FREE);
        let end = end.filter(|end| *end > at).ok_or(PlanError::Outside { at, size })?;
        if self.collision(at, end).is_some() {
            return Err(PlanError::Overlap(at));
        }
        self.taken.push((at, end));
        Ok(at)
    }

    /// Finds a place, one page away from everything else so that an overrun faults.
    ///
    /// # Errors
    /// [`PlanError`] when the size is no multiple of its pages or the area is full.
    pub fn place(&mut self, size: u64, align_bits: u32) -> Result<u64, PlanError> {
        if !size.is_multiple_of(1 << align_bits) {
            return Err(PlanError::Unaligned(size));
        }
        let outside = PlanError::Outside { at: layout::REGIONS, size };
        let mut at = layout::REGIONS;
        loop {
            at = at.next_multiple_of(1 << align_bits.max(PAGE_BITS));
            let end = at.checked_add(size).filter(|end| *end <= layout::FREE && size > 0);
            let end = end.ok_or_else(|| outside.clone())?;
            match self.collision(at - PAGE_SIZE, end + PAGE_SIZE) {
                Some(other) => at = other + PAGE_SIZE,
                None => {
                    self.taken.push((at, end));
                    return Ok(at);
                }
            }
        }
    }

    /// End of something that overlaps `from..to`.
    fn collision(&self, from: u64, to: u64) -> Option<u64> {
        self.taken.iter().find(|(start, end)| from < *end && *start < to).map(|(_, end)| *end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_are_aligned_apart_and_go_around_chosen_ones(
            chosen in prop::collection::btree_set(0u64..64, 0..10),
            sizes in prop::collection::vec((1u64..200, any::<bool>()), 1..40),
        ) {
            let mut addresses = Addresses { taken: vec![] };
            let mut all = vec![];
            for page in chosen {
                let at = layout::REGIONS + page * PAGE_SIZE;
                prop_assert_eq!(addresses.claim(at, PAGE_SIZE, 12), Ok(at));
                prop_assert_eq!(addresses.claim(at, PAGE_SIZE, 12), Err(PlanError::Overlap(at)));
                all.push((at, at + PAGE_SIZE));
            }
            for (pages, large) in sizes {
                let bits = if large { 21 } else { 12 };
                let size = pages << bits;
                let at = addresses.place(size, bits).unwrap();
                prop_assert!(at.is_multiple_of(1 << bits) && at >= layout::REGIONS && at + size <= layout::FREE);
                prop_assert!(all.iter().all(|(from, to)| at + size < *from || *to < at));
                all.push((at, at + size));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut addresses = Addresses { taken: vec![] };
        assert_eq!(addresses.claim(layout::REGIONS + 1, PAGE_SIZE, 12), Err(PlanError::Unaligned(layout::REGIONS + 1)));
        let at = layout::FREE - PAGE_SIZE;
        assert_eq!(addresses.claim(at, 2 * PAGE_SIZE, 12), Err(PlanError::Outside { at, size: 2 * PAGE_SIZE }));
        let at = layout::HEAP;
        assert_eq!(addresses.claim(at, PAGE_SIZE, 12), Err(PlanError::Outside { at, size: PAGE_SIZE }));
        assert_eq!(addresses.place(0, 12), Err(PlanError::Outside { at: layout::REGIONS, size: 0 }));
        assert!(addresses.place(layout::FREE, 12).is_err());
    }
}
