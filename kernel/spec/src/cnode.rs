//! Copying and moving capabilities.

use sluice_abi::{Error, WORD_BITS};

use crate::step::Stepped;
use crate::{Cap, Rights, Slot, State};

impl State {
    /// A copy with fewer rights and, with `data`, a badge or guard.
    pub(crate) fn copy(&self, source: Slot, dest: Slot, rights: Rights, data: Option<u64>) -> Stepped {
        self.expect_empty(dest)?;
        let cap = self.cap(source).ok_or(Error::FailedLookup)?;
        let masked = with_rights(cap, rights);
        let asked = data.map_or(Some(masked), |data| with_data(masked, data, true)).ok_or(Error::IllegalOperation)?;
        let new = self.derived(source, asked)?;
        Ok(self.changed(|after| {
            if let (Cap::Untyped { base, bits, device, .. }, Some(held)) = (new, after.slots.get_mut(&source)) {
                // Objects may be made anywhere in it through the copy, so no more through the source.
                held.cap = Cap::Untyped { base, bits, device, used: 1 << bits };
            }
            after.insert_copy(source, new, dest);
        }))
    }

    /// The same capability elsewhere, with `data` under another guard.
    pub(crate) fn moved(&self, source: Slot, dest: Slot, data: Option<u64>) -> Stepped {
        self.expect_empty(dest)?;
        let cap = self.cap(source).ok_or(Error::FailedLookup)?;
        let new = data.map_or(Some(cap), |data| with_data(cap, data, false)).ok_or(Error::IllegalOperation)?;
        Ok(self.changed(|after| after.relocate(source, new, dest)))
    }

    /// What a copy of a capability is: never one that says where the original is mapped.
    pub(crate) fn derived(&self, source: Slot, cap: Cap) -> Result<Cap, Error> {
        let unfinished = matches!(cap, Cap::VSpace { asid: None, .. } | Cap::PageTable { mapped: None, .. });
        if matches!(cap, Cap::Untyped { .. }) && self.children(source).next().is_some() {
            Err(Error::RevokeFirst)
        } else if unfinished || matches!(cap, Cap::SidControl | Cap::CbControl | Cap::IrqControl) {
            Err(Error::IllegalOperation)
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
fn with_data(mut cap: Cap, data: u64, to_copy: bool) -> Option<Cap> {
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
