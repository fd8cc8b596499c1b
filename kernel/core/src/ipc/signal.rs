//! Signals, and binding notifications to threads.

use crate::Kernel;
use crate::hal::Hal;
use crate::object::{Notification, NotificationState, Tcb, ThreadState};
use crate::store::Handle;

impl<H: Hal> Kernel<H> {
    /// Signals `notification` with `badge`.
    pub(crate) fn signal(&mut self, notification: Handle<Notification>, badge: u64) {
        match self.get(notification).state() {
            NotificationState::Active(pending) => self.get(notification).activate(pending | badge),
            NotificationState::Waiting => {
                if let Some(thread) = self.get(notification).queue.head() {
                    self.get(notification).queue.remove(&self.hal, thread);
                    self.deliver(thread, badge);
                }
            }
            NotificationState::Idle => {
                let bound = self.get(notification).bound_thread();
                match bound.map(|thread| (thread, self.tcb(thread).state.get())) {
                    Some((thread, ThreadState::BlockedOnReceive { .. })) => {
                        self.cancel_ipc(thread);
                        self.deliver(thread, badge);
                    }
                    _ => self.get(notification).activate(badge),
                }
            }
        }
    }

    fn deliver(&mut self, thread: Handle<Tcb>, badge: u64) {
        self.set_state(thread, ThreadState::Running);
        self.tcb(thread).context.x[0].set(badge);
        self.wake(thread);
    }

    /// Binds `notification` to `thread`; both are unbound.
    pub(crate) fn bind_notification(&mut self, thread: Handle<Tcb>, notification: Handle<Notification>) {
        self.get(notification).bind(Some(thread));
        self.tcb(thread).bound_notification.set(Some(notification));
    }

    /// Unbinds whatever notification is bound to `thread`.
    pub(crate) fn unbind_notification(&mut self, thread: Handle<Tcb>) {
        if let Some(notification) = self.tcb(thread).bound_notification.take() {
            self.get(notification).bind(None);
        }
    }

    /// Unbinds `notification` from whatever thread it is bound to.
    pub(crate) fn unbind_if_bound(&mut self, notification: Handle<Notification>) {
        if let Some(thread) = self.get(notification).bound_thread() {
            self.unbind_notification(thread);
        }
    }
}
