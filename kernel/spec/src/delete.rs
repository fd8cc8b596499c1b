//! Deletion and revocation. Both are one step here; the kernel may be interrupted in the middle and start over.
//!
//! An object with slots whose last capability goes is emptied, from its last slot to its first, and is gone then. It may
//! hold the last capability to another such object, and that to a third. Those are not taken apart in turn, which could
//! take for ever: such a capability changes places with what is in its own object's first slot, and stays there, dying,
//! until somebody deletes it; the memory that the object was made in can be revoked.

use sluice_abi::VirtAddr;

use crate::{Asid, Cap, Mapping, Object, ObjectName, Slot, State, ThreadSlot};

impl State {
    /// Empties a slot, and ends what its capability was the last one to.
    pub(crate) fn delete(&mut self, slot: Slot) {
        while let Some(dying) = self.delete_or_begin(slot) {
            let Cap::Dying { base, bits, left } = dying else { return };
            self.put_out(self.slot_of(base, left - 1));
            if self.cap(slot) == Some(dying) {
                self.replace(slot, Cap::Dying { base, bits, left: left - 1 });
            }
        }
    }

    /// Empties a slot of an object that is being emptied.
    fn put_out(&mut self, slot: Slot) {
        while let Some(Cap::Dying { base, .. }) = self.delete_or_begin(slot) {
            let first = self.slot_of(base, 0);
            if first == slot {
                return;
            }
            self.exchange(slot, first);
        }
    }

    /// Empties a slot, unless it holds what is left of an object with slots in use; begins to end one such.
    fn delete_or_begin(&mut self, slot: Slot) -> Option<Cap> {
        let cap = self.cap(slot)?;
        let last = self.is_last(slot);
        if let (Cap::CNode { .. } | Cap::Thread(_), Some((base, bits)), true) = (cap, cap.memory(), last) {
            self.end(cap);
            let left = self.slots_of(base);
            self.replace(slot, Cap::Dying { base, bits, left });
        }
        if let Some(dying @ Cap::Dying { base, left, .. }) = self.cap(slot) {
            if left > 1 || left == 1 && self.slot_of(base, 0) != slot {
                return Some(dying);
            }
            self.unlink(slot);
            self.objects.remove(&base);
            self.running = self.running.filter(|running| *running != base);
            return None;
        }
        self.unlink(slot);
        self.forget_with(slot);
        if let Cap::Frame { base, size, mapped: Some(Mapping { asid, at }), .. } = cap {
            self.unmap_page(asid, at, |page| page.frame == base && page.size == size);
        }
        if last {
            self.end(cap);
            if let Some(ObjectName::Memory(base)) = cap.object() {
                self.objects.remove(&base);
            }
        }
        None
    }

    /// How many slots an object has.
    fn slots_of(&self, object: sluice_abi::PhysAddr) -> u64 {
        match self.objects.get(&object) {
            Some(Object::CNode { radix }) => 1 << radix,
            Some(Object::Thread(_)) => ThreadSlot::ALL.len() as u64,
            _ => 0,
        }
    }

    fn slot_of(&self, object: sluice_abi::PhysAddr, index: u64) -> Slot {
        match self.thread(object) {
            Some(_) => Slot::Thread { thread: object, which: ThreadSlot::ALL[index as usize] },
            None => Slot::Node { node: object, index },
        }
    }

    fn exchange(&mut self, one: Slot, other: Slot) {
        for (from, to) in [(one, Slot::NOWHERE), (other, one), (Slot::NOWHERE, other)] {
            if let Some(cap) = self.cap(from) {
                self.relocate(from, cap, to);
            }
        }
    }

    /// Deletes everything below a slot.
    pub(crate) fn revoke(&mut self, slot: Slot) {
        while let Some(child) = { self.children(slot).next() } {
            self.delete(child);
        }
    }

    /// What ends with the last capability, apart from its object.
    fn end(&mut self, cap: Cap) {
        match cap {
            Cap::Sid(stream) => self.end_stream(stream),
            Cap::StreamTable { mapped: Some(first), .. } => self.end_stream_table(first),
            Cap::Cb(context) => {
                self.delete(Slot::Translation(context));
                self.latest.remove(&context);
            }
            Cap::IrqHandler(intid) => self.retire_irq(intid),
            Cap::Endpoint { object, .. } => self.start_over_at(object),
            Cap::PageTable { base, mapped } => {
                self.uninstall_table(mapped, base);
            }
            Cap::VSpace { root, asid: Some(asid) } => self.end_space(asid, root),
            Cap::AsidPool { pool, base } => self.end_pool(base, pool),
            Cap::Thread(thread) => {
                self.unbind_notification(thread);
                if let Some(vcpu) = self.thread(thread).and_then(|thread| thread.vcpu) {
                    self.part_from_thread(vcpu);
                }
                self.suspend(thread);
            }
            Cap::Vcpu(vcpu) => self.part_from_thread(vcpu),
            Cap::Notification { object, .. } => {
                if let Some(Object::Notification { bound: Some(thread), .. }) = self.objects.get(&object) {
                    self.unbind_notification(*thread);
                }
                self.start_over_at(object);
            }
            Cap::Untyped { .. }
            | Cap::CNode { .. }
            | Cap::Dying { .. }
            | Cap::Frame { .. }
            | Cap::VSpace { asid: None, .. }
            | Cap::AsidControl
            | Cap::SidControl
            | Cap::CbControl
            | Cap::StreamTable { mapped: None, .. }
            | Cap::IrqControl
            | Cap::SgiSignal { .. }
            | Cap::Reply { .. }
            | Cap::Domain => {}
        }
    }

    /// What else a slot stood for: a thread without a buffer has nothing in it, an unbound stream is in no quarantine, a
    /// context without a space has no stage 1.
    fn forget_with(&mut self, slot: Slot) {
        if let Slot::Thread { thread, which: ThreadSlot::Buffer } = slot {
            self.lose_buffer(thread);
        }
        // A stage 1 is made of addresses of the space that goes.
        if let Slot::Translation(context) = slot {
            self.stage1.remove(&context);
        }
        if let Slot::Binding(stream) = slot
            && let Some(faults) = self.faults.get_mut(&stream)
        {
            faults.quarantined = false;
            self.tidy_faults(stream);
        }
    }

    pub(crate) fn unmap_page(&mut self, asid: Asid, at: VirtAddr, is_meant: impl Fn(&crate::Page) -> bool) {
        if let Some(space) = self.spaces.get_mut(&asid)
            && space.pages.get(&at).is_some_and(is_meant)
        {
            space.pages.remove(&at);
        }
    }

    pub(crate) fn uninstall_table(&mut self, mapped: Option<Mapping>, base: sluice_abi::PhysAddr) {
        if let Some(Mapping { asid, at }) = mapped
            && let Some(space) = self.spaces.get_mut(&asid)
        {
            space.remove_table(at, base);
        }
    }

    fn end_pool(&mut self, base: Asid, pool: sluice_abi::PhysAddr) {
        if self.pools.get(&base) != Some(&pool) {
            return;
        }
        let names: alloc::vec::Vec<_> = self.spaces.keys().copied().filter(|asid| pool_base(*asid) == base).collect();
        for asid in names {
            if let Some(root) = self.spaces.get(&asid).map(|space| space.root) {
                self.end_space(asid, root);
            }
        }
        self.pools.remove(&base);
    }

    /// An address space loses its name: no context translates with it, and it maps nothing any more.
    fn end_space(&mut self, asid: Asid, root: sluice_abi::PhysAddr) {
        if self.spaces.get(&asid).is_none_or(|space| space.root != root) {
            return;
        }
        self.spaces.remove(&asid);
        let translations: alloc::vec::Vec<_> =
            self.holders(ObjectName::Memory(root)).filter(|slot| matches!(slot, Slot::Translation(_))).collect();
        for slot in translations {
            self.delete(slot);
        }
    }
}

/// The first name of the pool an address space's name is from.
pub(crate) const fn pool_base(asid: Asid) -> Asid {
    Asid(asid.0 & !((1 << sluice_abi::ASID_POOL_INDEX_BITS) - 1))
}
