//! From addresses and capability pointers to abstract slots.

use sluice_abi::{Error, PhysAddr, SLOT_BITS, WORD_BITS};
use sluice_abstract::{Cap, Object, Slot, State, ThreadSlot};
use sluice_core::object::TcbSlot;

/// The slot at an address, by the CNodes and threads there are.
pub(crate) fn slot_at(state: &State, at: PhysAddr) -> Option<Slot> {
    let (first, object) = state.objects.range(..=at).next_back()?;
    let index = (at.0 - first.0) >> SLOT_BITS;
    if let Object::CNode { radix } = *object {
        return (index >> radix == 0).then_some(Slot::Node { node: *first, index });
    }
    let Object::Thread(_) = object else { return None };
    let which = [
        (TcbSlot::CSpace, ThreadSlot::CSpace),
        (TcbSlot::VSpace, ThreadSlot::VSpace),
        (TcbSlot::Buffer, ThreadSlot::Buffer),
    ];
    let (_, which) = which.into_iter().find(|(slot, _)| *slot as u64 == index)?;
    Some(Slot::Thread { thread: *first, which })
}

/// The slot that `depth` bits of `index` name below `root`, all of which must be used.
pub(crate) fn lookup(state: &State, root: Option<Cap>, index: u64, depth: u64) -> Result<Slot, Error> {
    let Some(Cap::CNode { .. }) = root else { return Err(Error::FailedLookup) };
    let mut left =
        u32::try_from(depth).ok().filter(|depth| (1..=WORD_BITS).contains(depth)).ok_or(Error::RangeError)?;
    let mut at = root;
    loop {
        let Some(Cap::CNode { base, radix, guard, guard_bits }) = at else { return Err(Error::FailedLookup) };
        let after_guard = left.checked_sub(guard_bits).ok_or(Error::FailedLookup)?;
        if bits(index, after_guard, guard_bits) != guard {
            return Err(Error::FailedLookup);
        }
        left = after_guard.checked_sub(radix).ok_or(Error::FailedLookup)?;
        let slot = Slot::Node { node: base, index: bits(index, left, radix) };
        if left == 0 {
            return Ok(slot);
        }
        at = state.cap(slot);
    }
}

/// `count` bits of `word` from bit `low` on.
fn bits(word: u64, low: u32, count: u32) -> u64 {
    if count == 0 { 0 } else { word >> low & u64::MAX >> (WORD_BITS - count) }
}
