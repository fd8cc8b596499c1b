//! From capability pointers to slots.

use sluice_abi::{CPtr, LookupFailure, WORD_BITS};

use crate::Kernel;
use crate::cap::CNode;
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::object::{Tcb, TcbSlot};
use crate::store::{Handle, SlotRef};

/// A slot, and how many bits of the pointer were left when a capability other than a CNode was reached.
struct Resolved {
    slot: SlotRef,
    bits_left: u32,
}

/// The first `count` (below 64) bits of `word`, as a number.
const fn first_bits(word: u64, count: u32) -> u64 {
    word >> 1 >> (u64::BITS - 1 - count)
}

impl<H: Hal> Kernel<H> {
    #[inline]
    fn resolve(&self, root: CNode, pointer: u64, depth: u32) -> Result<Resolved, LookupFailure> {
        let mut node = root;
        let mut bits_left = depth;
        // The bits left are the first ones of this word.
        let mut rest = pointer << (WORD_BITS - depth);
        loop {
            let (radix, guard_bits) = (u32::from(node.radix), u32::from(node.guard_bits));
            if guard_bits > bits_left || first_bits(rest, guard_bits) != node.guard {
                return Err(LookupFailure::GuardMismatch {
                    bits_left: bits_left.into(),
                    guard_found: node.guard,
                    guard_bits: guard_bits.into(),
                });
            }
            let resolved = radix + guard_bits;
            if resolved > bits_left {
                return Err(LookupFailure::DepthMismatch { bits_left: bits_left.into(), bits_found: resolved.into() });
            }
            rest <<= guard_bits;
            bits_left -= resolved;
            let slot = SlotRef::new(node.base).nth(first_bits(rest, radix));
            if bits_left == 0 || resolved == 0 {
                return Ok(Resolved { slot, bits_left });
            }
            match self.read(slot) {
                Some(next) => node = next,
                None => return Ok(Resolved { slot, bits_left }),
            }
            rest <<= radix;
        }
    }

    /// The slot a thread's capability pointer names; bits left over at a capability that is no CNode are ignored.
    pub(crate) fn lookup_slot(&self, thread: Handle<Tcb>, pointer: CPtr) -> Result<SlotRef, LookupFailure> {
        let root = self.read(thread.slot(TcbSlot::CSpace as u64)).ok_or(LookupFailure::InvalidRoot)?;
        self.resolve(root, pointer.0, WORD_BITS).map(|resolved| resolved.slot)
    }

    /// As [`Kernel::lookup_slot`], if the first CNode has the slot and it holds no further CNode; else nothing, or a slot
    /// with a CNode's capability.
    #[inline(always)]
    pub(crate) fn lookup_near(&self, thread: Handle<Tcb>, pointer: CPtr) -> Option<SlotRef> {
        let node: CNode = self.read(thread.slot(TcbSlot::CSpace as u64))?;
        let (radix, guard_bits) = (u32::from(node.radix), u32::from(node.guard_bits));
        debug_assert!(radix > 0 && radix + guard_bits <= WORD_BITS);
        let index = first_bits(pointer.0 << guard_bits, radix);
        (first_bits(pointer.0, guard_bits) == node.guard).then(|| SlotRef::new(node.base).nth(index))
    }

    /// The slot an argument of an invocation names: `depth` bits of `index`, all of which must be used.
    pub(crate) fn lookup_argument(
        &self,
        source: bool,
        root: Option<CNode>,
        index: u64,
        depth: u64,
    ) -> Result<SlotRef, SyscallError> {
        let failed = |failure| SyscallError::FailedLookup { source, failure };
        let root = root.ok_or_else(|| failed(LookupFailure::InvalidRoot))?;
        let depth = u32::try_from(depth).ok().filter(|depth| (1..=WORD_BITS).contains(depth));
        let depth = depth.ok_or(SyscallError::Range { min: 1, max: WORD_BITS.into() })?;
        let Resolved { slot, bits_left } = self.resolve(root, index, depth).map_err(failed)?;
        if bits_left != 0 {
            return Err(failed(LookupFailure::DepthMismatch { bits_left: bits_left.into(), bits_found: 0 }));
        }
        Ok(slot)
    }

    /// The slot for a result: like [`Kernel::lookup_argument`], and empty.
    pub(crate) fn lookup_empty(&self, root: Option<CNode>, index: u64, depth: u64) -> Result<SlotRef, SyscallError> {
        let slot = self.lookup_argument(false, root, index, depth)?;
        self.ensure_empty(slot)?;
        Ok(slot)
    }

    /// # Errors
    /// [`SyscallError::DeleteFirst`] when the slot is in use.
    pub(crate) fn ensure_empty(&self, slot: SlotRef) -> Result<(), SyscallError> {
        if self.slot(slot).is_empty() { Ok(()) } else { Err(SyscallError::DeleteFirst) }
    }
}
