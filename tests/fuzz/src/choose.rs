//! Arguments: a likely one for each meaning, and how to spoil it.

use sluice_abi::cap::{CapTag, cnode_data};
use sluice_abi::invocation::Meaning;
use sluice_abi::{ObjectType, PAGE_SIZE, USER_TOP};

use crate::belief::{Belief, INNER, POINTER_SHIFT, SLOTS, index, pointer};
use crate::random::Random;
use crate::start::MAPPED;

/// Kinds of objects worth making, the cheap ones more often.
const OBJECTS: &[(ObjectType, u64)] = &[
    (ObjectType::Untyped, 12),
    (ObjectType::Untyped, 13),
    (ObjectType::Untyped, 14),
    (ObjectType::Tcb, 0),
    (ObjectType::Endpoint, 0),
    (ObjectType::Notification, 0),
    (ObjectType::CNode, 1),
    (ObjectType::CNode, 3),
    (ObjectType::SmallPage, 0),
    (ObjectType::SmallPage, 0),
    (ObjectType::PageTable, 0),
    (ObjectType::PageTable, 0),
    (ObjectType::VSpace, 0),
    (ObjectType::LargePage, 0),
    (ObjectType::HugePage, 0),
    (ObjectType::Vcpu, 0),
    (ObjectType::StreamTable, 0),
];

/// Words for the arguments of one call.
pub(crate) struct Chooser<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) belief: &'a Belief,
    /// The object type chosen before, whose size argument follows.
    size_bits: u64,
    /// The depth that goes with the index chosen before.
    depth: u64,
}

impl<'a> Chooser<'a> {
    pub(crate) const fn new(random: &'a mut Random, belief: &'a Belief) -> Self {
        Self { random, belief, size_bits: 0, depth: 0 }
    }

    /// A capability pointer to a slot that holds `kind`; sometimes to any other.
    pub(crate) fn capability(&mut self, kind: CapTag) -> u64 {
        let any = self.random.below(SLOTS as u64) as usize;
        match self.random.below(100) {
            0..88 => pointer(self.belief.find(self.random, kind).unwrap_or(any)),
            88..92 => pointer(any),
            92..98 => self.nested_pointer(),
            _ => self.random.wild(),
        }
    }

    fn nested_pointer(&mut self) -> u64 {
        let node = self.belief.find(self.random, CapTag::CNode).unwrap_or(0);
        pointer(node) | self.random.below(1 << POINTER_SHIFT)
    }

    /// A word for an argument; `into_empty` asks for the index of an empty slot.
    pub(crate) fn word(&mut self, meaning: Meaning, into_empty: bool) -> u64 {
        let likely = self.likely(meaning, into_empty);
        match self.random.below(100) {
            0..92 => likely,
            92..95 => likely.wrapping_add(1),
            95..97 => likely.wrapping_sub(1),
            97 => likely ^ 1u64 << self.random.below(64),
            _ => self.random.wild(),
        }
    }

    fn likely(&mut self, meaning: Meaning, into_empty: bool) -> u64 {
        let random = &mut *self.random;
        match meaning {
            Meaning::ObjectType => {
                let (object, bits) = random.pick(OBJECTS);
                self.size_bits = bits;
                object as u64
            }
            Meaning::SizeBits => self.size_bits,
            Meaning::Index => self.index(into_empty),
            Meaning::Depth => self.depth,
            // The last slot, which leaves room for one, is where more do not fit.
            Meaning::Slot if random.percent(15) => INNER as u64 - 1,
            Meaning::Slot => self.belief.find(random, CapTag::Null).unwrap_or(0) as u64,
            Meaning::Count => random.pick(&[1, 1, 1, 2, 3, 8, 36]),
            Meaning::Rights => random.pick(&[0xf, 0xf, 3, 2, 1, 0, 6, 9]),
            Meaning::Data => random.pick(&[0, 0, 1, 2, 0x55, cnode_data(0, 5), cnode_data(0, 7), cnode_data(1, 2)]),
            Meaning::Address => address(random),
            Meaning::Attributes => random.below(8),
            Meaning::Priority => random.pick(&[0, 1, 7, 9, 10, 11, 255]),
            Meaning::Flags => random.below(16),
            Meaning::Value | Meaning::Rest => random.wild(),
            Meaning::Start => random.pick(&[0, 0, 0x40, 0x400, 0x1000, MAPPED]),
            Meaning::End => random.pick(&[0x40, 0x80, 0x800, 0x1000, 0x1001, MAPPED + 0x40]),
            Meaning::Pointer => self.capability(CapTag::Endpoint),
            Meaning::Interrupt => 32 + random.below(96),
            Meaning::Trigger => random.below(2),
            Meaning::Domain => random.pick(&[0, 0, 0, 1]),
            Meaning::Stream => random.pick(&[0, 1, 0x10, 0xff, 0x100, 0x200]),
            Meaning::Context => random.below(8),
            Meaning::Smmu => random.pick(&[0, 0, 0, 1]),
            Meaning::Field => random.below(26),
            Meaning::Entry => random.below(3),
        }
    }

    fn index(&mut self, into_empty: bool) -> u64 {
        let any = self.random.below(SLOTS as u64) as usize;
        let slot = match (self.random.percent(85), into_empty) {
            (true, true) => self.belief.find(self.random, CapTag::Null),
            (true, false) => {
                let mut some = || self.random.below(SLOTS as u64) as usize;
                (0..8).map(|_| some()).find(|slot| self.belief.kind(*slot) != CapTag::Null)
            }
            (false, _) => None,
        };
        let (at, depth) = index(slot.unwrap_or(any));
        self.depth = depth;
        at
    }
}

/// An address where something may be mapped: few enough that calls meet there.
fn address(random: &mut Random) -> u64 {
    let base = random.pick(&[MAPPED, MAPPED, MAPPED, 0x4000_0000, 0x80_0000_0000, USER_TOP + 1 - (1 << 30), 0]);
    base + random.below(6) * random.pick(&[PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, 1 << 10, 1 << 21, 1 << 30])
}
