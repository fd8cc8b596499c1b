//! Deletion and revocation, restartable at every step.
//!
//! A CNode or thread that loses its last capability becomes a *zombie*: its slots are emptied one at a time, and between
//! two of them an interrupt may be served. The zombie capability holds how far that has come.

use crate::Kernel;
use crate::cap::{Cap, Zombie, ZombieKind};
use crate::error::Preempted;
use crate::hal::Hal;
use crate::object::{Tcb, TcbSlot};
use crate::store::{Handle, Object, SlotRef};

/// What is left to do once the slot is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cleanup {
    /// Nothing.
    None,
    /// The interrupt has no handler any more.
    Interrupt(u32),
}

pub(crate) struct Finalised {
    /// What must stay in the slot: [`Cap::Null`], or a zombie.
    pub(crate) remainder: Cap,
    pub(crate) cleanup: Cleanup,
}

impl Finalised {
    pub(crate) const DONE: Self = Self { remainder: Cap::Null, cleanup: Cleanup::None };
}

/// Whether a slot could be emptied.
enum Progress {
    /// Yes.
    Removable(Cap, Cleanup),
    /// It holds a zombie that contains itself, which only the caller can take apart.
    Cyclic,
}

impl<H: Hal> Kernel<H> {
    /// Removes every descendant of the capability in `slot`.
    ///
    /// One of them may be the CNode that `slot` is part of; the capability has gone with it then, and who is left is
    /// nobody's descendant any more.
    pub(crate) fn revoke(&mut self, slot: SlotRef) -> Result<(), Preempted> {
        self.revoking = Some(slot);
        while let Some(descendant) = self.revoking.and_then(|slot| self.first_descendant(slot)) {
            self.delete(descendant)?;
            self.preemption_point()?;
        }
        Ok(())
    }

    /// Empties `slot`.
    pub(crate) fn delete(&mut self, slot: SlotRef) -> Result<(), Preempted> {
        match self.finalise_slot(slot, true)? {
            Progress::Removable(remainder, cleanup) => self.empty(slot, remainder, cleanup),
            // Not reachable: an exposed deletion goes on until the slot can be emptied.
            Progress::Cyclic => {}
        }
        Ok(())
    }

    /// Empties a slot whose capability never becomes a zombie (hidden slots, reply slots).
    pub(crate) fn delete_one(&mut self, slot: SlotRef) {
        let cap = self.cap(slot);
        if cap == Cap::Null {
            return;
        }
        let last = self.is_final(slot);
        let finalised = self.finalise(cap, last);
        debug_assert!(finalised.remainder == Cap::Null);
        self.empty(slot, Cap::Null, finalised.cleanup);
    }

    /// # Errors
    /// [`Preempted`] when an interrupt waits. Everything done so far stands.
    pub(crate) fn preemption_point(&mut self) -> Result<(), Preempted> {
        if self.hal.interrupt_pending() { Err(Preempted) } else { Ok(()) }
    }

    /// Deletes what is in a zombie's slot without exposing the result: used between two zombies.
    fn delete_hidden(&mut self, slot: SlotRef) -> Result<(), Preempted> {
        if let Progress::Removable(remainder, cleanup) = self.finalise_slot(slot, false)? {
            self.empty(slot, remainder, cleanup);
        }
        Ok(())
    }

    fn finalise_slot(&mut self, slot: SlotRef, exposed: bool) -> Result<Progress, Preempted> {
        loop {
            let cap = self.cap(slot);
            if cap == Cap::Null {
                return Ok(Progress::Removable(Cap::Null, Cleanup::None));
            }
            let last = self.is_final(slot);
            if let (Cap::AsidPool { pool, base }, true) = (cap, last) {
                self.drain_asid_pool(pool, base)?;
            }
            let Finalised { remainder, cleanup } = self.finalise(cap, last);
            let Cap::Zombie(zombie) = remainder else {
                return Ok(Progress::Removable(remainder, cleanup));
            };
            let own_slot = SlotRef::new(zombie.base) == slot;
            if zombie.remaining == 0 || zombie.remaining == 1 && own_slot {
                return Ok(Progress::Removable(remainder, cleanup));
            }
            self.slot(slot).set_cap(remainder);
            if !exposed && own_slot {
                return Ok(Progress::Cyclic);
            }
            self.reduce_zombie(slot, zombie, exposed)?;
            self.preemption_point()?;
        }
    }

    fn reduce_zombie(&mut self, slot: SlotRef, zombie: Zombie, exposed: bool) -> Result<(), Preempted> {
        let first = SlotRef::new(zombie.base);
        if !exposed {
            // Two zombies that hold each other: bring the inner one out, the outer goes where it was.
            if first != slot {
                let (inner, outer) = (self.cap(first), self.cap(slot));
                self.swap(inner, first, outer, slot);
            }
            return Ok(());
        }
        self.delete_hidden(first.nth(zombie.remaining - 1))?;
        if let Cap::Zombie(now) = self.cap(slot)
            && now == zombie
        {
            self.slot(slot).set_cap(Cap::Zombie(Zombie { remaining: zombie.remaining - 1, ..zombie }));
        }
        Ok(())
    }

    fn empty(&mut self, slot: SlotRef, remainder: Cap, cleanup: Cleanup) {
        if !self.slot(slot).is_empty() {
            self.unlink(slot);
        }
        match cleanup {
            Cleanup::None => {}
            Cleanup::Interrupt(intid) => self.retire_interrupt(intid),
        }
        if let Cap::Zombie(zombie) = remainder {
            self.destroy_zombie(zombie);
        }
    }

    fn destroy_zombie(&mut self, zombie: Zombie) {
        match zombie.kind {
            ZombieKind::Thread => {
                let thread = Handle::<Tcb>::new(zombie.base);
                if self.current == Some(thread) {
                    self.current = None;
                    self.reschedule();
                }
                self.hal.destroy(thread);
            }
            ZombieKind::CNode { radix } => {
                let slots = SlotRef::new(zombie.base)..SlotRef::new(zombie.base).nth(1 << radix);
                self.revoking = self.revoking.filter(|slot| !slots.contains(slot));
                self.watch.forget(SlotRef::new(zombie.base));
                self.hal.destroy_slots(zombie.base, 1 << radix);
            }
        }
    }

    /// Ends what the capability stands for, as far as this was the last one to it.
    fn finalise(&mut self, cap: Cap, last: bool) -> Finalised {
        match cap {
            Cap::Endpoint(endpoint) if last => {
                self.cancel_all_ipc(endpoint.object);
                self.hal.destroy(endpoint.object);
            }
            Cap::Notification(notification) if last => {
                self.unbind_if_bound(notification.object);
                self.cancel_all_signals(notification.object);
                self.hal.destroy(notification.object);
            }
            Cap::CNode(cnode) if last => {
                let kind = ZombieKind::CNode { radix: cnode.radix };
                return Finalised {
                    remainder: Cap::Zombie(Zombie { base: cnode.base, kind, remaining: 1 << cnode.radix }),
                    cleanup: Cleanup::None,
                };
            }
            Cap::Thread(thread) if last => {
                self.unbind_notification(thread);
                self.take_fpu_from(thread);
                if let Some(vcpu) = self.tcb(thread).vcpu.get() {
                    self.dissociate(vcpu);
                }
                self.suspend(thread);
                let zombie = Zombie { base: thread.at(), kind: ZombieKind::Thread, remaining: Tcb::SLOTS };
                return Finalised { remainder: Cap::Zombie(zombie), cleanup: Cleanup::None };
            }
            Cap::Zombie(_) => return Finalised { remainder: cap, cleanup: Cleanup::None },
            Cap::IrqHandler(intid) if last => {
                self.delete_one(self.interrupts.slot(intid));
                return Finalised { remainder: Cap::Null, cleanup: Cleanup::Interrupt(intid) };
            }
            Cap::AsidPool { pool, base } if last => self.delete_asid_pool(pool, base),
            Cap::VSpace(vspace) => self.finalise_vspace(vspace, last),
            Cap::PageTable(table) if last => self.finalise_page_table(table),
            Cap::Frame(frame) => self.finalise_frame(frame),
            Cap::Cb { context, bound } => self.finalise_context(context, bound, last),
            Cap::Sid(stream) if last => self.finalise_stream(stream),
            Cap::Vcpu(vcpu) if last => self.finalise_vcpu(vcpu),
            Cap::StreamTable { base, mapped } if last => self.finalise_stream_table(base, mapped),
            Cap::Null
            | Cap::Untyped(_)
            | Cap::Endpoint(_)
            | Cap::Notification(_)
            | Cap::Reply(_)
            | Cap::CNode(_)
            | Cap::Thread(_)
            | Cap::IrqControl
            | Cap::IrqHandler(_)
            | Cap::Domain
            | Cap::PageTable(_)
            | Cap::AsidControl
            | Cap::AsidPool { .. }
            | Cap::SidControl
            | Cap::Sid(_)
            | Cap::CbControl
            | Cap::Vcpu(_)
            | Cap::SgiSignal(_)
            | Cap::StreamTable { .. } => {}
        }
        Finalised::DONE
    }

    /// Whether emptying the slot may take many steps.
    pub(crate) fn is_long_to_delete(&self, slot: SlotRef) -> bool {
        matches!(self.cap(slot), Cap::Thread(_) | Cap::Zombie(_) | Cap::CNode(_)) && self.is_final(slot)
    }

    /// The reply capability somebody holds for the call `caller` waits in.
    pub(crate) fn outstanding_reply(&self, caller: Handle<Tcb>) -> Option<SlotRef> {
        self.slot(caller.slot(TcbSlot::Reply as u64))
            .links()
            .next
            .filter(|next| matches!(self.cap(*next), Cap::Reply(reply) if reply.caller == caller && !reply.master))
    }
}
