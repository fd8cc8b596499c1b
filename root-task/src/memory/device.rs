//! Device memory: frames at given physical addresses.
//!
//! An Untyped is retyped in ascending order only. To reach an address above the watermark, the gap is first retyped
//! into smaller Untypeds of natural alignment, which stay available for addresses inside the gap.

use alloc::vec::Vec;
use core::fmt;

use sluice_abi::{FrameSize, ObjectType, RETYPE_FAN_OUT_LIMIT};

use super::{Block, OutOfSlots, Slots, Untyped};

/// The device Untypeds of the boot information, and those split off since.
#[derive(Clone, Debug, Default)]
pub struct DeviceMemory {
    blocks: Vec<Block>,
}

/// One `Untyped_Retype` to do, in the order given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retype {
    /// Slot of the Untyped.
    pub untyped: u64,
    /// What to make of it.
    pub object: ObjectType,
    /// log2 of an object's bytes.
    pub size_bits: u32,
    /// First of the consecutive slots for the objects.
    pub slot: u64,
    /// Number of objects.
    pub count: u64,
    /// Where the first one will lie.
    pub base: u64,
}

/// Why there can be no frame at an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CarveError {
    /// The address or size is no multiple of the page size.
    Unaligned(u64),
    /// No device Untyped covers the address.
    NoDevice(u64),
    /// There is a frame at the address already.
    Taken(u64),
    /// The root CNode is full.
    Slots(OutOfSlots),
}

impl fmt::Display for CarveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unaligned(at) => write!(f, "device range at {at:#x} is not made of pages"),
            Self::NoDevice(at) => write!(f, "the kernel offers no device memory at {at:#x}"),
            Self::Taken(at) => write!(f, "device page {at:#x} already has an owner"),
            Self::Slots(error) => error.fmt(f),
        }
    }
}

impl From<OutOfSlots> for CarveError {
    fn from(error: OutOfSlots) -> Self {
        Self::Slots(error)
    }
}

const fn object_of(frame: FrameSize) -> ObjectType {
    match frame {
        FrameSize::Small => ObjectType::SmallPage,
        FrameSize::Large => ObjectType::LargePage,
        FrameSize::Huge => ObjectType::HugePage,
    }
}

impl DeviceMemory {
    /// All of `untypeds`, unused.
    #[must_use]
    pub fn new(untypeds: impl IntoIterator<Item = Untyped>) -> Self {
        Self { blocks: untypeds.into_iter().map(Block::new).collect() }
    }

    /// What to retype so that `base..base + size` becomes frames of this size in consecutive slots; the first slot and
    /// the steps.
    ///
    /// # Errors
    /// [`CarveError`] when a page cannot be had. Nothing was retyped then, but the bookkeeping may have advanced:
    /// the caller gives up.
    pub fn frames(
        &mut self,
        (base, size): (u64, u64),
        frame: FrameSize,
        slots: &mut Slots,
    ) -> Result<(u64, Vec<Retype>), CarveError> {
        let (frame_size, object) = (1u64 << frame.bits(), object_of(frame));
        if !base.is_multiple_of(frame_size) || !size.is_multiple_of(frame_size) || size == 0 {
            return Err(CarveError::Unaligned(base));
        }
        let end = base.checked_add(size).ok_or(CarveError::NoDevice(base))?;
        let first = slots.take(size / frame_size)?;
        let mut steps = Vec::new();
        let mut at = base;
        while at < end {
            let index = self.covering(at)?;
            self.raise(index, at, slots, &mut steps)?;
            let block = self.blocks.get_mut(index).ok_or(CarveError::NoDevice(at))?;
            let count = ((end.min(block.end()) - at) / frame_size).min(RETYPE_FAN_OUT_LIMIT);
            if count == 0 {
                return Err(CarveError::NoDevice(at));
            }
            let slot = first + (at - base) / frame_size;
            let untyped = block.untyped.cap;
            block.used += count * frame_size;
            steps.push(Retype { untyped, object, size_bits: frame.bits(), slot, count, base: at });
            at += count * frame_size;
        }
        Ok((first, steps))
    }

    /// The block in which `at` is still free. There is at most one: what was split off lies below its parent's
    /// watermark.
    fn covering(&self, at: u64) -> Result<usize, CarveError> {
        let covers = |block: &&Block| block.untyped.base <= at && at < block.end();
        let free = self.blocks.iter().position(|block| covers(&block) && block.watermark() <= at);
        free.ok_or(match self.blocks.iter().find(covers) {
            Some(_) => CarveError::Taken(at),
            None => CarveError::NoDevice(at),
        })
    }

    /// Retypes what lies between the watermark of a block and `at` into naturally aligned Untypeds.
    fn raise(&mut self, index: usize, at: u64, slots: &mut Slots, steps: &mut Vec<Retype>) -> Result<(), CarveError> {
        while let Some(block) = self.blocks.get_mut(index).filter(|block| block.watermark() < at) {
            let from = block.watermark();
            let size_bits = from.trailing_zeros().min((at - from).ilog2());
            let slot = slots.take(1)?;
            let untyped = block.untyped.cap;
            block.used += 1 << size_bits;
            steps.push(Retype { untyped, object: ObjectType::Untyped, size_bits, slot, count: 1, base: from });
            self.blocks.push(Block::new(Untyped { cap: slot, base: from, size_bits: size_bits as u8 }));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use sluice_abi::PAGE_SIZE;

    use super::*;

    const SMALL: FrameSize = FrameSize::Small;

    fn device() -> DeviceMemory {
        DeviceMemory::new([
            Untyped { cap: 1, base: 0x0800_0000, size_bits: 27 },
            Untyped { cap: 2, base: 0x1000_0000, size_bits: 28 },
        ])
    }

    /// The kernel's side: every Untyped with its watermark, objects where the watermark says.
    struct Kernel {
        untypeds: BTreeMap<u64, (u64, u64, u64)>,
        frames: BTreeMap<u64, u64>,
    }

    impl Kernel {
        fn new() -> Self {
            let untypeds = [(1, (0x0800_0000, 1 << 27, 0)), (2, (0x1000_0000, 1 << 28, 0))].into();
            Self { untypeds, frames: BTreeMap::new() }
        }

        fn retype(&mut self, step: &Retype) {
            let size = 1u64 << step.size_bits;
            let (base, bytes, used) = self.untypeds[&step.untyped];
            let at = (base + used).next_multiple_of(size);
            assert_eq!(at, step.base, "the kernel puts the object elsewhere");
            assert!(step.count <= RETYPE_FAN_OUT_LIMIT);
            let end = at + size * step.count;
            assert!(end <= base + bytes);
            self.untypeds.insert(step.untyped, (base, bytes, end - base));
            for index in 0..step.count {
                let slot = step.slot + index;
                let object = at + index * size;
                if step.object == ObjectType::Untyped {
                    assert!(self.untypeds.insert(slot, (object, size, 0)).is_none());
                } else {
                    assert!(self.frames.insert(object, slot).is_none());
                }
            }
        }
    }

    #[test]
    fn the_first_page_needs_no_split() {
        let mut slots = Slots::new(100, 200);
        let (first, steps) = device().frames((0x1000_0000, 0x2000), SMALL, &mut slots).unwrap();
        assert_eq!(first, 100);
        let object = ObjectType::SmallPage;
        let step = Retype { untyped: 2, object, size_bits: 12, slot: 100, count: 2, base: 0x1000_0000 };
        assert_eq!(steps, [step]);
    }

    #[test]
    fn large_frames_are_aligned_and_few() {
        let mut slots = Slots::new(100, 200);
        let (first, steps) = device().frames((0x1000_0000, 8 << 20), FrameSize::Large, &mut slots).unwrap();
        let object = ObjectType::LargePage;
        assert_eq!(
            (first, steps),
            (100, [Retype { untyped: 2, object, size_bits: 21, slot: 100, count: 4, base: 0x1000_0000 }].into())
        );
        let unaligned = device().frames((0x1000_1000, 2 << 20), FrameSize::Large, &mut slots);
        assert_eq!(unaligned, Err(CarveError::Unaligned(0x1000_1000)));
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let mut slots = Slots::new(100, 200);
        let mut device = device();
        assert_eq!(device.frames((0x2000_0000, 0x1000), SMALL, &mut slots), Err(CarveError::NoDevice(0x2000_0000)));
        assert_eq!(device.frames((0x1fff_f000, 0x2000), SMALL, &mut slots), Err(CarveError::NoDevice(0x2000_0000)));
        assert_eq!(device.frames((0x0900_0800, 0x1000), SMALL, &mut slots), Err(CarveError::Unaligned(0x0900_0800)));
        assert_eq!(device.frames((0x0900_0000, 0), SMALL, &mut slots), Err(CarveError::Unaligned(0x0900_0000)));
        assert_eq!(
            device.frames((0x0900_0000, 1 << 20), SMALL, &mut slots),
            Err(CarveError::Slots(OutOfSlots {
                wanted: 256,
                left: slots.clone().take(0).map_or(0, |next| 200 - next)
            }))
        );
    }

    #[test]
    fn a_page_has_one_owner() {
        let mut slots = Slots::new(100, 200);
        let mut device = device();
        assert!(device.frames((0x0900_0000, 0x1000), SMALL, &mut slots).is_ok());
        assert_eq!(device.frames((0x0900_0000, 0x1000), SMALL, &mut slots), Err(CarveError::Taken(0x0900_0000)));
        assert!(device.frames((0x08ff_f000, 0x1000), SMALL, &mut slots).is_ok());
    }

    #[test]
    fn a_range_may_span_two_untypeds() {
        let mut slots = Slots::new(100, 400);
        let mut kernel = Kernel::new();
        let (first, steps) = device().frames((0x0fff_e000, 0x4000), SMALL, &mut slots).unwrap();
        steps.iter().for_each(|step| kernel.retype(step));
        let expected = (0..4).map(|page| (0x0fff_e000 + page * 0x1000, first + page));
        assert!(kernel.frames.into_iter().eq(expected));
    }

    proptest! {
        #[test]
        fn any_order_agrees_with_the_kernel(ranges in prop::collection::vec((0u64..0x1_8000, 1u64..600), 1..30)) {
            let mut device = device();
            let mut kernel = Kernel::new();
            let mut slots = Slots::new(100, 1 << 20);
            for (page, pages) in ranges {
                let base = 0x0800_0000 + page * PAGE_SIZE;
                let end = base + pages * PAGE_SIZE;
                let free = kernel.frames.range(base..end).next().is_none() && end <= 0x2000_0000;
                let before = device.clone();
                match device.frames((base, end - base), SMALL, &mut slots) {
                    Ok((first, steps)) => {
                        prop_assert!(free);
                        steps.iter().for_each(|step| kernel.retype(step));
                        for index in 0..pages {
                            prop_assert_eq!(kernel.frames.get(&(base + index * PAGE_SIZE)), Some(&(first + index)));
                        }
                    }
                    Err(_) => {
                        prop_assert!(!free);
                        device = before;
                    }
                }
            }
        }
    }
}
