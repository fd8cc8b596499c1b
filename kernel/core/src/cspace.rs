//! From capability pointers to slots.

use sluice_abi::{CPtr, LookupFailure, WORD_BITS};

use crate::Kernel;
use crate::cap::Cap;
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::object::{Tcb, TcbSlot};
use crate::store::{Handle, SlotRef};

/// A slot, and how many bits of the pointer were left when a capability other than a CNode was reached.
struct Resolved {
    slot: SlotRef,
    bits_left: u32,
}

const fn low_bits(count: u32) -> u64 {
    if count >= u64::BITS { u64::MAX } else { (1 << count) - 1 }
}

impl<H: Hal> Kernel<H> {
    fn resolve(&self, root: Cap, pointer: u64, depth: u32) -> Result<Resolved, LookupFailure> {
        let mut node = root;
        let mut bits_left = depth;
        let Cap::CNode(_) = root else { return Err(LookupFailure::InvalidRoot) };
        let mut reached = None;
        while let Cap::CNode(cnode) = node {
            let (radix, guard_bits) = (u32::from(cnode.radix), u32::from(cnode.guard_bits));
            let guard = if guard_bits == 0 || guard_bits > bits_left {
                0
            } else {
                pointer >> (bits_left - guard_bits) & low_bits(guard_bits)
            };
            if guard_bits > bits_left || guard != cnode.guard {
                return Err(LookupFailure::GuardMismatch {
                    bits_left: bits_left.into(),
                    guard_found: cnode.guard,
                    guard_bits: guard_bits.into(),
                });
            }
            let resolved = radix + guard_bits;
            if resolved > bits_left {
                return Err(LookupFailure::DepthMismatch { bits_left: bits_left.into(), bits_found: resolved.into() });
            }
            bits_left -= resolved;
            let index = if radix == 0 { 0 } else { pointer >> bits_left & low_bits(radix) };
            let slot = SlotRef::new(cnode.base).nth(index);
            reached = Some(slot);
            if bits_left == 0 || resolved == 0 {
                break;
            }
            node = self.cap(slot);
        }
        reached.map(|slot| Resolved { slot, bits_left }).ok_or(LookupFailure::InvalidRoot)
    }

    /// The slot a thread's capability pointer names; bits left over at a capability that is no CNode are ignored.
    pub(crate) fn lookup_slot(&self, thread: Handle<Tcb>, pointer: CPtr) -> Result<SlotRef, LookupFailure> {
        let root = self.cap(thread.slot(TcbSlot::CSpace as u64));
        self.resolve(root, pointer.0, WORD_BITS).map(|resolved| resolved.slot)
    }

    /// The slot an argument of an invocation names: `depth` bits of `index`, all of which must be used.
    pub(crate) fn lookup_argument(
        &self,
        source: bool,
        root: Cap,
        index: u64,
        depth: u64,
    ) -> Result<SlotRef, SyscallError> {
        let failed = |failure| SyscallError::FailedLookup { source, failure };
        let Cap::CNode(_) = root else { return Err(failed(LookupFailure::InvalidRoot)) };
        let depth = u32::try_from(depth).ok().filter(|depth| (1..=WORD_BITS).contains(depth));
        let depth = depth.ok_or(SyscallError::Range { min: 1, max: WORD_BITS.into() })?;
        let Resolved { slot, bits_left } = self.resolve(root, index, depth).map_err(failed)?;
        if bits_left != 0 {
            return Err(failed(LookupFailure::DepthMismatch { bits_left: bits_left.into(), bits_found: 0 }));
        }
        Ok(slot)
    }

    /// The slot for a result: like [`Kernel::lookup_argument`], and empty.
    pub(crate) fn lookup_empty(&self, root: Cap, index: u64, depth: u64) -> Result<SlotRef, SyscallError> {
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
