//! The kernel for tests takes capabilities back, and with the last one what it stands for.

use std::vec::Vec;

use sluice_abi::ObjectType;
use sluice_sys::Failure;

use super::kernel::{Cap, Fake, ROOT, Step};

impl Fake {
    /// Hands out what there is once.
    pub(super) fn issue(&mut self, slot: u64, cap: Cap) -> Result<(), Failure> {
        if self.slots.values().any(|held| *held == cap) {
            return Err(Failure::RevokeFirst);
        }
        self.put((ROOT, slot), cap)
    }

    /// Deletes what a slot holds; what nobody holds any more ends.
    pub(super) fn remove(&mut self, at: (u64, u64)) {
        let Some(cap) = self.slots.remove(&at) else { return };
        match cap {
            Cap::Stream(stream) => {
                self.fault_badges.remove(&stream.sid);
                if self.bindings.remove(&stream.sid).is_some() {
                    self.steps.push(Step::Unbound(stream));
                }
            }
            Cap::Context(context) => drop(self.contexts.remove(&context.cb)),
            Cap::Interrupt(intid) => drop(self.interrupts.remove(&intid)),
            Cap::Frame { mapping: Some((space, at)), .. } => {
                self.spaces.get_mut(&space).map(|space| space.mappings.remove(&at));
            }
            Cap::Object { object, base, .. } => {
                let is = |cap: &Cap| matches!(cap, Cap::Object { base: other, .. } if *other == base);
                if !self.slots.values().any(is) {
                    self.gone(object, base);
                }
            }
            Cap::Untyped { .. } | Cap::Frame { .. } | Cap::AsidPool => {}
        }
    }

    fn gone(&mut self, object: ObjectType, base: u64) {
        self.spaces.remove(&base);
        self.threads.remove(&base);
        if object == ObjectType::CNode {
            let inside: Vec<_> = self.slots.keys().copied().filter(|(cnode, _)| *cnode == base).collect();
            inside.into_iter().for_each(|at| self.remove(at));
        }
    }

    /// Deletes what was made of an Untyped, or the copies of a frame.
    pub(super) fn revoke(&mut self, slot: u64) -> Result<(), Failure> {
        let (start, end) = match self.get(slot)? {
            Cap::Untyped { base, size_bits } => {
                self.watermarks.remove(&slot);
                self.steps.push(Step::Revoked);
                (base, base + (1 << size_bits))
            }
            Cap::Frame { base, bits, .. } => (base, base + (1 << bits)),
            Cap::Object { .. } | Cap::Stream(_) | Cap::Context(_) | Cap::Interrupt(_) | Cap::AsidPool => {
                return Err(Failure::IllegalOperation);
            }
        };
        // What it was made of begins at the same address, and is larger.
        let inside = |cap: &Cap| match cap {
            Cap::Untyped { base, size_bits } => (start..end).contains(base) && 1 << size_bits < end - start,
            Cap::Object { base, .. } | Cap::Frame { base, .. } => (start..end).contains(base),
            Cap::Stream(_) | Cap::Context(_) | Cap::Interrupt(_) | Cap::AsidPool => false,
        };
        let doomed: Vec<_> = self.slots.iter().filter(|(_, cap)| inside(cap)).map(|(at, _)| *at).collect();
        doomed.into_iter().filter(|at| *at != (ROOT, slot)).for_each(|at| self.remove(at));
        Ok(())
    }
}
