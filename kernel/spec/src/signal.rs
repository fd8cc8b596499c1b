//! Notifications.

use sluice_abi::{PhysAddr, Register};

use crate::{Doing, Object, State};

impl State {
    /// Wakes who waits longest; else the bound thread, if it waits to receive; else the badge stays pending.
    pub(crate) fn signal(&mut self, notification: PhysAddr, badge: u64) {
        let first = self.waiting_at(notification).first().copied();
        let Some(Object::Notification { bound, pending, .. }) = self.objects.get_mut(&notification) else { return };
        let (bound, idle) = (*bound, pending.is_none());
        let receives = |thread: &PhysAddr| {
            matches!(self.thread(*thread).map(|thread| &thread.doing), Some(Doing::Receiving { .. }))
        };
        match first.or(bound.filter(|thread| idle && receives(thread))) {
            Some(thread) => {
                self.leave(thread, notification);
                self.cancel(thread);
                self.set_doing(thread, Doing::Running);
                self.show_badge(thread, badge);
            }
            None => {
                if let Some(Object::Notification { pending, .. }) = self.objects.get_mut(&notification) {
                    *pending = Some(pending.unwrap_or(0) | badge);
                }
            }
        }
    }

    /// Only the thread bound to a notification may wait for it.
    pub(crate) fn may_wait(&self, thread: PhysAddr, notification: PhysAddr) -> bool {
        matches!(self.objects.get(&notification),
            Some(Object::Notification { bound, .. }) if bound.is_none_or(|bound| bound == thread))
    }

    /// `thread` takes what is signalled, or waits for it, or, not `blocking`, takes nothing.
    pub(crate) fn wait_for(&mut self, thread: PhysAddr, notification: PhysAddr, blocking: bool) {
        match self.take_signals(notification) {
            Some(badge) => self.show_badge(thread, badge),
            None if blocking => self.wait(thread, notification, Doing::Waiting(notification)),
            None => self.show_badge(thread, 0),
        }
    }

    pub(crate) fn take_signals(&mut self, notification: PhysAddr) -> Option<u64> {
        let Some(Object::Notification { pending, .. }) = self.objects.get_mut(&notification) else { return None };
        pending.take()
    }

    /// A badge alone, without a message.
    pub(crate) fn show_badge(&mut self, thread: PhysAddr, badge: u64) {
        if let Some(thread) = self.thread_mut(thread) {
            thread.registers.set(Register::X(0), badge);
        }
    }
}
