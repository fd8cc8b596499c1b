//! From capability pointers to slots.

use sluice_abi::{LookupFailure, PhysAddr, WORD_BITS};

use crate::{Cap, Refused, Slot, State, ThreadSlot};

/// `count` bits of `word` from bit `low` on.
const fn bits(word: u64, low: u32, count: u32) -> u64 {
    if count == 0 { 0 } else { word >> low & u64::MAX >> (WORD_BITS - count) }
}

impl State {
    /// Follows `left` bits of `pointer` from a CNode on, as far as they or the CNodes go; also returns how many are left.
    fn follow(&self, root: Option<Cap>, pointer: u64, mut left: u32) -> Result<(Slot, u32), LookupFailure> {
        let Some(mut at @ Cap::CNode { .. }) = root else { return Err(LookupFailure::InvalidRoot) };
        loop {
            let Cap::CNode { base, radix, guard, guard_bits } = at else { return Err(LookupFailure::InvalidRoot) };
            let bits_left = left.into();
            if left < guard_bits || bits(pointer, left - guard_bits, guard_bits) != guard {
                let guard_bits = guard_bits.into();
                return Err(LookupFailure::GuardMismatch { bits_left, guard_found: guard, guard_bits });
            }
            let found = guard_bits + radix;
            if left < found {
                return Err(LookupFailure::DepthMismatch { bits_left, bits_found: found.into() });
            }
            left -= found;
            let slot = Slot::Node { node: base, index: bits(pointer, left, radix) };
            match self.cap(slot) {
                Some(inner @ Cap::CNode { .. }) if left > 0 && found > 0 => at = inner,
                _ => return Ok((slot, left)),
            }
        }
    }

    /// The slot a thread's capability pointer leads to; bits left over at what is no CNode mean nothing.
    ///
    /// # Errors
    /// How far it led.
    pub fn lookup(&self, thread: PhysAddr, pointer: u64) -> Result<Slot, LookupFailure> {
        let root = self.cap(Slot::Thread { thread, which: ThreadSlot::CSpace });
        self.follow(root, pointer, WORD_BITS).map(|(slot, _)| slot)
    }

    /// The slot that `depth` bits of `index` lead to below `root`, all of which must be used.
    ///
    /// # Errors
    /// How far they led; `source` says what the slot is for.
    pub fn lookup_path(&self, source: bool, root: Option<Cap>, index: u64, depth: u64) -> Result<Slot, Refused> {
        let failed = |failure| Refused::FailedLookup { source, failure };
        let Some(Cap::CNode { .. }) = root else { return Err(failed(LookupFailure::InvalidRoot)) };
        let max = WORD_BITS.into();
        if !(1..=max).contains(&depth) {
            return Err(Refused::Range { min: 1, max });
        }
        match self.follow(root, index, depth as u32).map_err(failed)? {
            (slot, 0) => Ok(slot),
            (_, left) => Err(failed(LookupFailure::DepthMismatch { bits_left: left.into(), bits_found: 0 })),
        }
    }
}
