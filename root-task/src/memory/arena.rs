//! What one component is built of: Untypeds and slots that belong to it alone.
//!
//! One `CNode_Revoke` for each Untyped takes back everything the component was made of and everything it made of what it
//! was given. Built again, it gets the same memory and the same slots, in the same order: what the first life took is
//! written down, and the next is served from the notes. A capability or an object that survived its owner would be in
//! the way, and the kernel would refuse; so a life that starts at all shows that the one before has left nothing.

use alloc::vec::Vec;

use super::{OutOfSlots, Ram, Slots, Untyped};

/// log2 of the bytes of the smallest Untyped a component takes: small objects share it.
const LEAST_BITS: u32 = 16;

/// Objects that were asked for at once, and where they went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Batch {
    size_bits: u32,
    wanted: u64,
    untyped: u64,
    count: u64,
}

/// Memory and slots of a component, and how they were taken.
#[derive(Clone, Debug, Default)]
pub struct Arena {
    ram: Ram,
    untypeds: Vec<u64>,
    batches: Vec<Batch>,
    slots: Vec<(u64, u64)>,
    next_batch: usize,
    next_slots: usize,
}

/// The component asks for something else than it did in its first life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Different;

/// Where objects are to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// So many of them, of this Untyped.
    Here {
        /// Its slot.
        untyped: u64,
        /// Objects, at least one.
        count: u64,
    },
    /// The component needs one more Untyped: [`Arena::add`] it and ask again.
    Grow {
        /// log2 of its bytes.
        size_bits: u32,
    },
}

impl Arena {
    /// Where some of `wanted` objects of 2^`size_bits` bytes go.
    ///
    /// # Errors
    /// [`Different`] when the life before asked for others at this point.
    pub fn place(&mut self, size_bits: u32, wanted: u64) -> Result<Place, Different> {
        if let Some(batch) = self.batches.get(self.next_batch) {
            if (batch.size_bits, batch.wanted) != (size_bits, wanted) {
                return Err(Different);
            }
            self.next_batch += 1;
            return Ok(Place::Here { untyped: batch.untyped, count: batch.count });
        }
        // Powers of two, so that an Untyped made for a batch is full.
        let whole = 1 << wanted.max(1).ilog2();
        for count in [wanted, whole] {
            if let Some(piece) = self.ram.take(size_bits, count) {
                self.batches.push(Batch { size_bits, wanted, untyped: piece.untyped, count });
                self.next_batch += 1;
                return Ok(Place::Here { untyped: piece.untyped, count });
            }
        }
        Ok(Place::Grow { size_bits: (size_bits + whole.ilog2()).max(LEAST_BITS) })
    }

    /// Adds an Untyped nothing was made of.
    pub fn add(&mut self, untyped: Untyped) {
        self.untypeds.push(untyped.cap);
        self.ram.add(untyped);
    }

    /// The first of `count` consecutive slots: those of the life before, or new ones.
    ///
    /// # Errors
    /// When none are left. [`Different`] as for [`Arena::place`].
    pub fn take_slots(&mut self, count: u64, from: &mut Slots) -> Result<Result<u64, OutOfSlots>, Different> {
        if let Some(&(first, before)) = self.slots.get(self.next_slots) {
            if before != count {
                return Err(Different);
            }
            self.next_slots += 1;
            return Ok(Ok(first));
        }
        let taken = from.take(count);
        if let Ok(first) = taken {
            self.slots.push((first, count));
            self.next_slots += 1;
        }
        Ok(taken)
    }

    /// Its Untypeds.
    #[must_use]
    pub fn untypeds(&self) -> &[u64] {
        &self.untypeds
    }

    /// Every slot that was ever taken.
    pub fn slots(&self) -> impl Iterator<Item = u64> + '_ {
        self.slots.iter().flat_map(|(first, count)| *first..first + count)
    }

    /// The component is to be built again; its Untypeds have been revoked and its slots emptied.
    pub fn rewind(&mut self) {
        self.next_batch = 0;
        self.next_slots = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the root task does: all objects of a request, and how much memory was added for it.
    fn serve(arena: &mut Arena, requests: &[(u32, u64)], next: &mut u64) -> Vec<(u32, u64, u64)> {
        let mut all = Vec::new();
        for (size_bits, wanted) in requests {
            let mut done = 0;
            while done < *wanted {
                match arena.place(*size_bits, wanted - done).unwrap() {
                    Place::Here { untyped, count } => {
                        all.push((*size_bits, untyped, count));
                        done += count;
                    }
                    Place::Grow { size_bits } => {
                        let base = *next << 32;
                        arena.add(Untyped { cap: *next, base, size_bits: size_bits as u8 });
                        *next += 1;
                    }
                }
            }
            assert_eq!(done, *wanted);
        }
        all
    }

    proptest! {
        #[test]
        fn every_life_is_built_of_the_same(requests in prop::collection::vec((4u32..22, 1u64..300), 1..40)) {
            let (mut arena, mut next, mut slots) = (Arena::default(), 1, Slots::new(10, 100_000));
            let first = serve(&mut arena, &requests, &mut next);
            let taken: Vec<_> =
                requests.iter().map(|(_, count)| arena.take_slots(*count, &mut slots).unwrap().unwrap()).collect();
            let after = (next, arena.untypeds().len(), slots.clone().take(1));
            for _ in 0..3 {
                arena.rewind();
                prop_assert_eq!(&serve(&mut arena, &requests, &mut next), &first);
                let again: Vec<_> =
                    requests.iter().map(|(_, count)| arena.take_slots(*count, &mut slots).unwrap().unwrap()).collect();
                prop_assert_eq!(&again, &taken);
                prop_assert_eq!((next, arena.untypeds().len(), slots.clone().take(1)), after);
            }
        }
    }

    #[test]
    fn large_objects_get_untypeds_that_they_fill() {
        let (mut arena, mut next) = (Arena::default(), 1);
        assert_eq!(arena.place(21, 48), Ok(Place::Grow { size_bits: 26 }));
        let all = serve(&mut arena, &[(21, 48)], &mut next);
        assert_eq!(all, [(21, 1, 32), (21, 2, 16)]);
    }

    #[test]
    fn another_life_cannot_ask_for_something_else() {
        let (mut arena, mut next, mut slots) = (Arena::default(), 1, Slots::new(10, 20));
        serve(&mut arena, &[(12, 4)], &mut next);
        assert_eq!(arena.take_slots(3, &mut slots), Ok(Ok(10)));
        assert_eq!(arena.take_slots(30, &mut slots), Ok(Err(OutOfSlots { wanted: 30, left: 7 })));
        arena.rewind();
        assert_eq!(arena.place(12, 5), Err(Different));
        assert_eq!(arena.take_slots(2, &mut slots), Err(Different));
        assert_eq!(arena.slots().collect::<Vec<_>>(), [10, 11, 12]);
    }
}
