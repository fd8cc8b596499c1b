//! What the root task can see of the system, to compare before and after a refused call.

use sluice_abi::bootinfo::slot;
use sluice_abi::cap::CapTag;
use sluice_abi::{Error, Label, MAX_UNTYPED_BITS, ObjectType, USER_CONTEXT_WORDS};
use sluice_conformance_task::Hash;

use super::call::{Call, number, trap};
use super::world::{EMPTY, World, cnode, retype};

/// Most capabilities looked at; a check that makes more has the first ones looked at.
const MOST: usize = 400;
/// Slots behind those in use that must stay empty.
const MARGIN: u64 = 4;

/// A digest for each capability looked at.
pub(crate) struct Snapshot {
    entries: [(u64, u64); MOST],
    count: usize,
}

impl Snapshot {
    /// The first capability whose digest differs, or that only one snapshot has.
    pub(crate) fn difference(&self, other: &Self) -> Option<u64> {
        let (mine, others) = (&self.entries[..self.count], &other.entries[..other.count]);
        let pair = mine.iter().zip(others).find(|(mine, other)| mine != other);
        let longer = mine.get(others.len()).or_else(|| others.get(mine.len()));
        pair.map(|(mine, _)| mine.0).or(longer.map(|entry| entry.0))
    }
}

impl World {
    /// The system as it looks now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot { entries: [(0, 0); MOST], count: 0 };
        let watched = self.watched[..self.watched_count].iter().copied();
        let own = self.first..self.next + MARGIN;
        for cap in watched.chain([self.arena]).chain(0..slot::FIRST_FREE).chain(own).take(MOST) {
            snapshot.entries[snapshot.count] = (cap, self.look(cap));
            snapshot.count += 1;
        }
        snapshot
    }

    /// The type tag of a capability, on a debug kernel.
    pub(crate) fn identify(&self, cap: u64) -> u64 {
        let [tag, ..] = trap(number::DEBUG_CAP_IDENTIFY, [cap, 0, 0, 0, 0, 0]);
        tag
    }

    /// Whether a slot of the root CNode is empty.
    pub(crate) fn is_empty(&self, index: u64) -> bool {
        // Moving nothing into it is refused for the destination first.
        let probe = cnode(Label::CNodeMove, index).words(&[index, 64, EMPTY, 64]).caps(&[slot::INIT_CNODE]);
        self.call(&probe).label() == Error::FailedLookup as u64
    }

    /// Bytes an Untyped has left: what it says when asked for more than any has.
    pub(crate) fn bytes_left(&self, untyped: u64) -> u64 {
        let probe = retype(untyped, ObjectType::Untyped, MAX_UNTYPED_BITS.into(), EMPTY, 1);
        self.call(&probe).word(0)
    }

    /// Registers of a thread that is not the present one, in message order.
    pub(crate) fn registers(&self, thread: u64) -> [u64; USER_CONTEXT_WORDS] {
        let read = Call::of(thread, Label::TcbReadRegisters).words(&[0, USER_CONTEXT_WORDS as u64]);
        let reply = self.call(&read);
        core::array::from_fn(|index| reply.word(index))
    }

    fn look(&self, cap: u64) -> u64 {
        if !self.debug {
            return u64::from(cap >= 1 << self.info.init_cnode_bits || self.is_empty(cap));
        }
        let mut hash = Hash::new();
        let tag = self.identify(cap);
        hash.add(tag);
        if tag == CapTag::Untyped as u64 {
            hash.add(self.bytes_left(cap));
        } else if tag == CapTag::Thread as u64 && cap != slot::INIT_TCB {
            self.registers(cap).into_iter().for_each(|word| hash.add(word));
        } else if tag == CapTag::Frame as u64 {
            hash.add(self.call(&Call::of(cap, Label::PageGetAddress)).word(0));
        }
        hash.value()
    }
}
