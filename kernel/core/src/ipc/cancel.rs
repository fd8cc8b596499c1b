//! Taking threads out of what they wait for; suspending and resuming them.

use crate::Kernel;
use crate::hal::Hal;
use crate::object::{Endpoint, Notification, Tcb, ThreadState};
use crate::store::Handle;

impl<H: Hal> Kernel<H> {
    /// Ends whatever IPC `thread` waits in.
    pub(crate) fn cancel_ipc(&mut self, thread: Handle<Tcb>) {
        match self.tcb(thread).state.get() {
            ThreadState::BlockedOnReceive { endpoint, .. } => {
                self.get(endpoint).queue.remove(&self.hal, thread);
                self.set_state(thread, ThreadState::Inactive);
            }
            ThreadState::BlockedOnSend(how) => {
                self.get(how.endpoint).queue.remove(&self.hal, thread);
                // A fault that nobody heard of is told when the thread sends next.
                self.set_state(thread, ThreadState::Inactive);
            }
            ThreadState::BlockedOnNotification(notification) => {
                self.get(notification).queue.remove(&self.hal, thread);
                self.set_state(thread, ThreadState::Inactive);
            }
            ThreadState::BlockedOnReply => {
                self.tcb(thread).fault.set(None);
                if let Some(slot) = self.outstanding_reply(thread) {
                    self.delete_one(slot);
                }
            }
            ThreadState::Inactive | ThreadState::Running | ThreadState::Restart => {}
        }
    }

    /// Restarts every thread that waits at an endpoint that is going away.
    pub(crate) fn cancel_all_ipc(&mut self, endpoint: Handle<Endpoint>) {
        while let Some(thread) = self.get(endpoint).queue.head() {
            self.get(endpoint).queue.remove(&self.hal, thread);
            self.restart_blocked(thread);
        }
        self.reschedule();
    }

    /// Restarts every thread that waits for a notification that is going away.
    pub(crate) fn cancel_all_signals(&mut self, notification: Handle<Notification>) {
        while let Some(thread) = self.get(notification).queue.head() {
            self.get(notification).queue.remove(&self.hal, thread);
            self.restart_blocked(thread);
        }
        self.reschedule();
    }

    /// Restarts the threads that wait to send with `badge`.
    pub(crate) fn cancel_badged_sends(&mut self, endpoint: Handle<Endpoint>, badge: u64) {
        let mut next = self.get(endpoint).queue.head();
        while let Some(thread) = next {
            next = self.tcb(thread).queue_next.get();
            if let ThreadState::BlockedOnSend(how) = self.tcb(thread).state.get()
                && how.badge == badge
            {
                self.get(endpoint).queue.remove(&self.hal, thread);
                self.restart_blocked(thread);
            }
        }
        self.reschedule();
    }

    fn restart_blocked(&mut self, thread: Handle<Tcb>) {
        self.set_state(thread, ThreadState::Restart);
        self.enqueue(thread);
    }

    /// Stops a thread until it is resumed.
    pub(crate) fn suspend(&mut self, thread: Handle<Tcb>) {
        self.cancel_ipc(thread);
        let tcb = self.tcb(thread);
        if tcb.state.get() == ThreadState::Running {
            tcb.context.restart_pc.set(tcb.context.pc.get());
        }
        self.dequeue(thread);
        self.set_state(thread, ThreadState::Inactive);
    }

    /// Makes a stopped or blocked thread start over at its restart address.
    pub(crate) fn restart(&mut self, thread: Handle<Tcb>) {
        if self.tcb(thread).state.get().is_runnable() {
            return;
        }
        self.cancel_ipc(thread);
        self.ensure_master_reply(thread);
        self.set_state(thread, ThreadState::Restart);
        self.enqueue(thread);
        self.wake(thread);
    }
}
