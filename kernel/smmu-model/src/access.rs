//! A transaction.

use sluice_abi::smmu::event;
use sluice_abi::{Iova, PhysAddr};
use sluice_smmu::regs::{STE0, STE2, config};

use crate::Model;
use crate::events::Report;
use crate::state::{Entry, State};
use crate::walk::{Leaf, WalkFault};

/// Why a transaction aborted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Abort {
    /// Silently, because configuration says so.
    Configured,
    /// With this event.
    Event(u64),
}

impl Model {
    /// One access of a stream, as the caches and then memory say.
    ///
    /// # Errors
    /// Why it did not reach memory.
    pub fn access(&self, sid: u32, iova: Iova, write: bool) -> Result<PhysAddr, Abort> {
        self.state.borrow_mut().access(sid, iova.0, write)
    }
}

impl State {
    fn access(&mut self, sid: u32, iova: u64, write: bool) -> Result<PhysAddr, Abort> {
        if !self.registers.enabled() {
            return if self.registers.bypassed() { Ok(PhysAddr(iova)) } else { Err(Abort::Configured) };
        }
        let fault = |kind| Report { kind, sid, iova, write, stage2: kind >= event::F_TRANSLATION };
        let entry = match self.fetch_entry(sid) {
            Some(entry) => entry,
            None => return Err(self.report(fault(event::C_BAD_STREAMID))),
        };
        if !STE0::V.is_set(entry[0]) {
            return Err(self.report(fault(event::C_BAD_STE)));
        }
        match STE0::CONFIG.read(entry[0]) {
            config::ABORT => Err(Abort::Configured),
            config::BYPASS => Ok(PhysAddr(iova)),
            config::STAGE2 if Self::stage2_legal(&entry) => {
                let record = STE2::S2R.is_set(entry[2]);
                match self.translate(&entry, iova, write) {
                    Ok(leaf) => Ok(PhysAddr(leaf.page << 12 | iova & 0xfff)),
                    Err(kind) if record => Err(self.report(fault(kind))),
                    Err(_) => Err(Abort::Configured),
                }
            }
            _ => Err(self.report(fault(event::C_BAD_STE))),
        }
    }

    fn fetch_entry(&mut self, sid: u32) -> Option<Entry> {
        if u64::from(sid) >> self.stream_bits() != 0 {
            return None;
        }
        if let Some(entry) = self.entries.get(&sid) {
            return Some(*entry);
        }
        let at = if self.two_level() {
            let index = u64::from(sid >> 8);
            let stored = self.word(self.strtab() + 8 * index);
            let descriptor = *self.descriptors.entry(index).or_insert(stored);
            Self::entry_of(descriptor, sid)?
        } else {
            self.strtab() + 64 * u64::from(sid)
        };
        let entry = self.entry_words(at);
        self.entries.insert(sid, entry);
        Some(entry)
    }

    fn translate(&mut self, entry: &Entry, iova: u64, write: bool) -> Result<Leaf, u64> {
        let (vmid, root) = Self::root_of(entry);
        let leaf = match self.tlb.get(&(vmid, iova >> 12)) {
            Some(leaf) => *leaf,
            None => {
                let leaf = self.walk(root, iova).map_err(|fault| match fault {
                    WalkFault::Translation => event::F_TRANSLATION,
                    WalkFault::Access => event::F_ACCESS,
                })?;
                self.tlb.insert((vmid, iova >> 12), leaf);
                leaf
            }
        };
        let allowed = if write { leaf.write } else { leaf.read };
        allowed.then_some(leaf).ok_or(event::F_PERMISSION)
    }
}
