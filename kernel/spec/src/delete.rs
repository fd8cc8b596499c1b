//! Deletion and revocation. Both are one step here; the kernel may be interrupted in the middle and start over.

use sluice_abi::VirtAddr;

use crate::{Asid, Cap, Mapping, Object, ObjectName, Slot, State, ThreadSlot};

impl State {
    /// Empties a slot, and ends what its capability was the last one to.
    pub(crate) fn delete(&mut self, slot: Slot) {
        let Some(cap) = self.cap(slot) else { return };
        let last = self.is_last(slot);
        self.unlink(slot);
        self.forget_with(slot);
        if let Cap::Frame { base, size, mapped: Some(Mapping { asid, at }), .. } = cap {
            self.unmap_page(asid, at, |page| page.frame == base && page.size == size);
        }
        if last {
            self.end(cap);
        }
    }

    /// Deletes everything below a slot.
    pub(crate) fn revoke(&mut self, slot: Slot) {
        for descendant in self.descendants(slot) {
            self.delete(descendant);
        }
    }

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
                self.suspend(thread);
                self.running = self.running.filter(|running| *running != thread);
            }
            Cap::Notification { object, .. } => {
                if let Some(Object::Notification { bound: Some(thread), .. }) = self.objects.get(&object) {
                    self.unbind_notification(*thread);
                }
                self.start_over_at(object);
            }
            Cap::Untyped { .. }
            | Cap::CNode { .. }
            | Cap::Frame { .. }
            | Cap::VSpace { asid: None, .. }
            | Cap::AsidControl
            | Cap::SidControl
            | Cap::CbControl
            | Cap::StreamTable { mapped: None, .. }
            | Cap::IrqControl
            | Cap::Vcpu(_)
            | Cap::SgiSignal { .. }
            | Cap::Reply { .. }
            | Cap::Domain => {}
        }
        if let Some(ObjectName::Memory(base)) = cap.object() {
            for inside in self.slots_in(base) {
                self.delete(inside);
            }
            self.objects.remove(&base);
        }
    }

    /// What else a slot stood for: a thread without a buffer has nothing in it, an unbound stream is in no quarantine.
    fn forget_with(&mut self, slot: Slot) {
        if let Slot::Thread { thread, which: ThreadSlot::Buffer } = slot {
            self.lose_buffer(thread);
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
