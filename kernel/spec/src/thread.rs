//! Threads, as far as they are objects: who may run, and whose signals reach whom.

use sluice_abi::{Error, PhysAddr};

use crate::step::Stepped;
use crate::{Cap, Object, Slot, State};

impl State {
    fn invoked_thread(&self, slot: Slot) -> Result<PhysAddr, Error> {
        if let Cap::Thread(thread) = self.invoked(slot)? { Ok(thread) } else { Err(Error::IllegalOperation) }
    }

    pub(crate) fn set_runnable(&self, slot: Slot, runnable: bool) -> Stepped {
        let thread = self.invoked_thread(slot)?;
        Ok(self.changed(|after| {
            if let Some(Object::Thread(thread)) = after.objects.get_mut(&thread) {
                thread.runnable = runnable;
            }
        }))
    }

    pub(crate) fn bind_notification(&self, slot: Slot, notification: Slot) -> Stepped {
        let thread = self.invoked_thread(slot)?;
        let free = matches!(self.objects.get(&thread), Some(Object::Thread(thread)) if thread.notification.is_none());
        let object = match self.cap(notification) {
            Some(Cap::Notification { object, rights, .. }) if rights.read => object,
            _ => return Err(Error::IllegalOperation),
        };
        if !free || self.objects.get(&object) != Some(&Object::Notification { bound: None }) {
            return Err(Error::IllegalOperation);
        }
        Ok(self.changed(|after| {
            after.objects.insert(object, Object::Notification { bound: Some(thread) });
            if let Some(Object::Thread(thread)) = after.objects.get_mut(&thread) {
                thread.notification = Some(object);
            }
        }))
    }

    pub(crate) fn unbound(&self, slot: Slot) -> Stepped {
        let thread = self.invoked_thread(slot)?;
        match self.objects.get(&thread) {
            Some(Object::Thread(found)) if found.notification.is_some() => {
                Ok(self.changed(|after| after.unbind_notification(thread)))
            }
            _ => Err(Error::IllegalOperation),
        }
    }

    pub(crate) fn unbind_notification(&mut self, thread: PhysAddr) {
        let Some(Object::Thread(found)) = self.objects.get_mut(&thread) else { return };
        if let Some(notification) = found.notification.take() {
            self.objects.insert(notification, Object::Notification { bound: None });
        }
    }
}
