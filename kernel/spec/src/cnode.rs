//! Copying, moving and exchanging capabilities.

use sluice_abi::{LookupFailure, PhysAddr, WORD_BITS};

use crate::step::Stepped;
use crate::{Cap, Refused, Rights, Slot, State, ThreadSlot};

/// There is nothing to copy or move.
const NO_SOURCE: Refused =
    Refused::FailedLookup { source: true, failure: LookupFailure::MissingCapability { bits_left: WORD_BITS as u64 } };

impl State {
    /// A copy with fewer rights and, with `data`, a badge or guard.
    pub(crate) fn copy(&self, source: Slot, dest: Slot, rights: Rights, data: Option<u64>) -> Stepped {
        self.expect_empty(dest)?;
        let cap = self.cap(source).ok_or(NO_SOURCE)?;
        let masked = with_rights(cap, rights);
        let asked = data.map_or(Some(masked), |data| with_data(masked, data, true)).ok_or(Refused::IllegalOperation)?;
        let new = self.derived(source, asked)?;
        Ok(self.changed(|after| after.put_copy(source, new, dest)))
    }

    /// Puts a derived capability into an empty slot.
    pub(crate) fn put_copy(&mut self, source: Slot, new: Cap, dest: Slot) {
        if let (Cap::Untyped { base, bits, device, .. }, Some(held)) = (new, self.slots.get_mut(&source)) {
            // Objects may be made anywhere in it through the copy, so no more through the source.
            held.cap = Cap::Untyped { base, bits, device, used: 1 << bits };
        }
        self.insert_copy(source, new, dest);
    }

    /// The same capability elsewhere, with `data` under another guard.
    pub(crate) fn moved(&self, source: Slot, dest: Slot, data: Option<u64>) -> Stepped {
        self.expect_empty(dest)?;
        let cap = self.cap(source).ok_or(NO_SOURCE)?;
        let new = data.map_or(Some(cap), |data| with_data(cap, data, false)).ok_or(Refused::IllegalOperation)?;
        Ok(self.changed(|after| after.relocate(source, new, dest)))
    }

    /// What is in `pivot` goes to `dest`, and what is in `source` to `pivot`; `source` may be `dest`.
    pub(crate) fn rotate(&self, source: (Slot, u64), pivot: (Slot, u64), dest: Slot) -> Stepped {
        let ((source, source_data), (pivot, pivot_data)) = (source, pivot);
        if pivot == source || pivot == dest {
            return Err(Refused::IllegalOperation);
        }
        if source != dest {
            self.expect_empty(dest)?;
        }
        let first = self.cap(source).ok_or(NO_SOURCE)?;
        let second = self.cap(pivot).ok_or(NO_SOURCE)?;
        let first = with_data(first, source_data, false).ok_or(Refused::IllegalOperation)?;
        let second = with_data(second, pivot_data, false).ok_or(Refused::IllegalOperation)?;
        Ok(self.changed(|after| {
            // Nowhere is no slot's name: it holds the pivot's while the source's moves.
            after.relocate(pivot, second, Slot::NOWHERE);
            after.relocate(source, first, pivot);
            after.relocate(Slot::NOWHERE, second, dest);
        }))
    }

    /// Keeps the reply that the caller owes for later.
    pub(crate) fn save_caller(&self, thread: PhysAddr, dest: Slot) -> Stepped {
        self.expect_empty(dest)?;
        let owed = Slot::Thread { thread, which: ThreadSlot::Caller };
        Ok(self.changed(|after| {
            if let Some(cap @ Cap::Reply { .. }) = after.cap(owed) {
                after.relocate(owed, cap, dest);
            }
        }))
    }

    /// Senders whose capability had the badge of this one start over.
    pub(crate) fn cancel_badged_sends(&self, slot: Slot) -> Stepped {
        match self.cap(slot) {
            Some(Cap::Endpoint { object, badge, rights: Rights::ALL }) => {
                Ok(self.changed(|after| after.start_senders_over(object, badge)))
            }
            _ => Err(Refused::IllegalOperation),
        }
    }

    /// What a copy of a capability is: never one that says where the original is mapped.
    pub(crate) fn derived(&self, source: Slot, cap: Cap) -> Result<Cap, Refused> {
        let unfinished = matches!(
            cap,
            Cap::VSpace { asid: None, .. }
                | Cap::PageTable { mapped: None, .. }
                | Cap::StreamTable { mapped: None, .. }
        );
        let single =
            matches!(cap, Cap::SidControl | Cap::CbControl | Cap::IrqControl | Cap::Reply { .. } | Cap::Dying { .. });
        if matches!(cap, Cap::Untyped { .. }) && self.children(source).next().is_some() {
            Err(Refused::RevokeFirst)
        } else if unfinished || single {
            Err(Refused::IllegalOperation)
        } else if let Cap::Frame { base, size, rights, device, .. } = cap {
            Ok(Cap::Frame { base, size, rights, device, mapped: None })
        } else {
            Ok(cap)
        }
    }
}

fn with_rights(mut cap: Cap, mask: Rights) -> Cap {
    if let Cap::Endpoint { rights, .. } | Cap::Notification { rights, .. } = &mut cap {
        *rights = rights.and(mask);
    } else if let Cap::Frame { rights, .. } = &mut cap {
        *rights = rights.and(mask).to_memory();
    }
    cap
}

/// With a badge, which can be given once and only to a copy, or with a guard; other kinds take no data.
pub(crate) fn with_data(mut cap: Cap, data: u64, to_copy: bool) -> Option<Cap> {
    if let Cap::Endpoint { badge, .. } | Cap::Notification { badge, .. } = &mut cap {
        if !to_copy || *badge != 0 {
            return None;
        }
        *badge = data;
    } else if let Cap::CNode { radix, guard, guard_bits, .. } = &mut cap {
        *guard_bits = (data & 0x3f) as u32;
        *guard = data >> 6 & ((1 << *guard_bits) - 1);
        if *guard_bits + *radix > WORD_BITS {
            return None;
        }
    }
    Some(cap)
}
