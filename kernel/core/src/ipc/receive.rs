//! Receiving from endpoints and notifications.

use crate::Kernel;
use crate::cap::EndpointCap;
use crate::hal::Hal;
use crate::object::{Notification, NotificationState, Tcb, ThreadState};
use crate::store::Handle;
use sluice_abi::CapRights;

impl<H: Hal> Kernel<H> {
    /// Receives for `thread`: a pending signal of its bound notification first, then a waiting sender.
    pub(crate) fn receive(&mut self, thread: Handle<Tcb>, cap: EndpointCap, blocking: bool) {
        if let Some(bound) = self.tcb(thread).bound_notification.get()
            && let NotificationState::Active(badge) = self.get(bound).state()
        {
            self.tcb(thread).context.x[0].set(badge);
            self.get(bound).consume();
            return;
        }
        let endpoint = cap.object;
        let waiting = self.get(endpoint).queue.head();
        match waiting.map(|sender| (sender, self.tcb(sender).state.get())) {
            Some((sender, ThreadState::BlockedOnSend(how))) => {
                self.get(endpoint).queue.remove(&self.hal, sender);
                self.transfer(sender, Some(endpoint), how.badge, how.grant, thread);
                if how.call {
                    let reply_grant = cap.rights.contains(CapRights::GRANT);
                    self.await_reply(sender, thread, how.grant || how.grant_reply, reply_grant);
                } else {
                    self.set_state(sender, ThreadState::Running);
                    self.wake(sender);
                }
            }
            _ if blocking => {
                let grant = cap.rights.contains(CapRights::GRANT);
                self.set_state(thread, ThreadState::BlockedOnReceive { endpoint, grant });
                self.get(endpoint).queue.append(&self.hal, thread);
            }
            _ => self.tcb(thread).context.x[0].set(0),
        }
    }

    /// Waits for a signal.
    pub(crate) fn wait(&mut self, thread: Handle<Tcb>, notification: Handle<Notification>, blocking: bool) {
        match self.get(notification).state() {
            NotificationState::Active(badge) => {
                self.tcb(thread).context.x[0].set(badge);
                self.get(notification).consume();
            }
            NotificationState::Idle | NotificationState::Waiting if blocking => {
                self.set_state(thread, ThreadState::BlockedOnNotification(notification));
                self.get(notification).queue.append(&self.hal, thread);
            }
            NotificationState::Idle | NotificationState::Waiting => self.tcb(thread).context.x[0].set(0),
        }
    }
}
