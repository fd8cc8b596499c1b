//! Interrupts: who has which, and where they are signalled.

use alloc::collections::BTreeSet;

use crate::step::Stepped;
use crate::{Cap, ObjectName, Refused, Slot, State};

/// Interrupts, as far as their capabilities do not say it: one is enabled as long as there is a handler for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Interrupts {
    /// The highest number.
    pub last: u32,
    /// Those the kernel keeps for itself.
    pub kept: BTreeSet<u32>,
    /// Those that are triggered by an edge.
    pub edge: BTreeSet<u32>,
    /// Those that came and were not acknowledged: they cannot come again until then.
    pub in_service: BTreeSet<u32>,
}

/// The last interrupt that software sends from core to core (IHI 0069, 2.2).
const LAST_SGI: u64 = 15;

impl State {
    /// Whether an interrupt can come.
    #[must_use]
    pub fn is_enabled(&self, intid: u32) -> bool {
        self.interrupts.kept.contains(&intid) || self.holders(ObjectName::Interrupt(intid)).next().is_some()
    }

    pub(crate) fn get_irq(&self, control: Slot, intid: u64, edge: Option<bool>, dest: Slot) -> Stepped {
        let Cap::IrqControl = self.invoked(control)? else { return Err(Refused::IllegalOperation) };
        let last = self.interrupts.last;
        let intid = u32::try_from(intid).ok().filter(|intid| *intid <= last);
        let intid = intid.ok_or(Refused::Range { min: 0, max: last.into() })?;
        if self.is_enabled(intid) {
            return Err(Refused::RevokeFirst);
        }
        self.expect_empty(dest)?;
        Ok(self.changed(|after| {
            if let Some(edge) = edge {
                after.interrupts.edge.retain(|other| *other != intid);
                after.interrupts.edge.extend(edge.then_some(intid));
            }
            after.insert_copy(control, Cap::IrqHandler(intid), dest);
        }))
    }

    fn invoked_irq(&self, slot: Slot) -> Result<u32, Refused> {
        if let Cap::IrqHandler(intid) = self.invoked(slot)? { Ok(intid) } else { Err(Refused::IllegalOperation) }
    }

    pub(crate) fn acknowledge_irq(&self, handler: Slot) -> Stepped {
        let intid = self.invoked_irq(handler)?;
        Ok(self.changed(|after| {
            after.interrupts.in_service.remove(&intid);
        }))
    }

    pub(crate) fn set_irq_notification(&self, handler: Slot, notification: Slot) -> Stepped {
        let intid = self.invoked_irq(handler)?;
        let Some(cap @ Cap::Notification { rights, .. }) = self.cap(notification) else {
            return Err(Refused::InvalidCapability(0));
        };
        if !rights.write {
            return Err(Refused::InvalidCapability(0));
        }
        let dest = Slot::Interrupt(intid);
        Ok(self.changed(|after| {
            after.delete(dest);
            after.insert_copy(notification, cap, dest);
        }))
    }

    pub(crate) fn clear_irq(&self, handler: Slot) -> Stepped {
        let intid = self.invoked_irq(handler)?;
        Ok(self.changed(|after| after.delete(Slot::Interrupt(intid))))
    }

    pub(crate) fn issue_sgi(&self, control: Slot, intid: u64, target: u64, dest: Slot) -> Stepped {
        let Cap::IrqControl = self.invoked(control)? else { return Err(Refused::IllegalOperation) };
        if intid > LAST_SGI {
            return Err(Refused::Range { min: 0, max: LAST_SGI });
        }
        let target = u32::try_from(target).map_err(|_| Refused::InvalidArgument(1))?;
        self.expect_empty(dest)?;
        let cap = Cap::SgiSignal { intid: intid as u8, target };
        Ok(self.changed(|after| after.insert_copy(control, cap, dest)))
    }

    /// What it does to another core is not said here.
    pub(crate) fn send_sgi(&self, signal: Slot) -> Stepped {
        let Cap::SgiSignal { .. } = self.invoked(signal)? else { return Err(Refused::IllegalOperation) };
        Ok(self.changed(|_| {}))
    }

    /// An interrupt comes: it goes to a guest if it is forwarded, and is signalled where its handler says unless that guest
    /// can run. It stays in service until it is acknowledged, or the guest has ended what it became.
    pub(crate) fn interrupted(&mut self, intid: u32) {
        if self.holders(ObjectName::Interrupt(intid)).next().is_none() {
            return;
        }
        self.interrupts.in_service.insert(intid);
        if self.forwards(intid) {
            return;
        }
        if let Some(Cap::Notification { object, badge, rights }) = self.cap(Slot::Interrupt(intid))
            && rights.write
        {
            self.signal(object, badge);
        }
    }

    /// Nobody has the interrupt any more.
    pub(crate) fn retire_irq(&mut self, intid: u32) {
        self.forward_no_more(intid);
        self.delete(Slot::Interrupt(intid));
        self.interrupts.in_service.remove(&intid);
    }
}
