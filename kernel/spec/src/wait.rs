//! Waiting, and what ends it from outside: suspending, resuming, and the end of what is waited for.

use sluice_abi::{PhysAddr, Register};

use crate::{Buffer, Cap, Doing, Held, Object, ObjectName, ReceivePath, Slot, State, ThreadSlot};

impl State {
    /// Threads that wait at an endpoint or for a notification, in order.
    #[must_use]
    pub fn waiting_at(&self, object: PhysAddr) -> &[PhysAddr] {
        match self.objects.get(&object) {
            Some(Object::Endpoint { waiting } | Object::Notification { waiting, .. }) => waiting,
            _ => &[],
        }
    }

    fn queue(&mut self, object: PhysAddr, change: impl FnOnce(&mut alloc::vec::Vec<PhysAddr>)) {
        if let Some(Object::Endpoint { waiting } | Object::Notification { waiting, .. }) = self.objects.get_mut(&object)
        {
            change(waiting);
        }
    }

    /// The thread comes last at an object.
    pub(crate) fn wait(&mut self, thread: PhysAddr, object: PhysAddr, doing: Doing) {
        self.queue(object, |waiting| waiting.push(thread));
        self.set_doing(thread, doing);
    }

    /// The thread waits no more at an object.
    pub(crate) fn leave(&mut self, thread: PhysAddr, object: PhysAddr) {
        self.queue(object, |waiting| waiting.retain(|other| *other != thread));
    }

    /// Ends whatever a thread waits for: it does nothing then.
    pub(crate) fn cancel(&mut self, thread: PhysAddr) {
        let Some(doing) = self.thread(thread).map(|thread| thread.doing.clone()) else { return };
        match doing {
            Doing::Nothing | Doing::Running | Doing::StartingOver => return,
            Doing::Receiving { endpoint: object, .. } | Doing::Waiting(object) => self.leave(thread, object),
            Doing::Sending(sending) => self.leave(thread, sending.endpoint),
            Doing::AwaitingReply { .. } => {
                let owed = |slot: &Slot| matches!(self.cap(*slot), Some(Cap::Reply { master: false, .. }));
                let reply = self.holders(ObjectName::Reply(thread)).find(owed);
                if let Some(reply) = reply {
                    self.delete(reply);
                }
            }
        }
        if let Some(thread) = self.thread_mut(thread) {
            // What its handler has not heard of it will hear when the thread sends next.
            if let Doing::AwaitingReply { .. } = thread.doing {
                thread.fault = None;
            }
            thread.doing = Doing::Nothing;
        }
    }

    /// A thread does nothing until it is resumed, and will start over then.
    pub(crate) fn suspend(&mut self, thread: PhysAddr) {
        self.cancel(thread);
        let Some(thread) = self.thread_mut(thread) else { return };
        if thread.doing == Doing::Running {
            thread.registers.set(Register::Pc, thread.next);
        }
        thread.doing = Doing::Nothing;
    }

    /// A thread that does not run starts over. Only a thread that was resumed once can be answered.
    pub(crate) fn resume(&mut self, thread: PhysAddr) {
        if self.thread(thread).is_none_or(crate::Thread::is_runnable) {
            return;
        }
        self.cancel(thread);
        let cap = Cap::Reply { caller: thread, master: true, grant: true };
        let master = Held { cap, parent: None, original: true };
        let slot = Slot::Thread { thread, which: ThreadSlot::Reply };
        if !self.slots.contains_key(&slot) {
            self.slots.insert(slot, master);
        }
        self.set_doing(thread, Doing::StartingOver);
    }

    /// Whoever waits at an object that goes starts over.
    pub(crate) fn start_over_at(&mut self, object: PhysAddr) {
        for thread in self.waiting_at(object).to_vec() {
            self.start_over(thread, object);
        }
    }

    /// Whoever waits to send with a badge starts over.
    pub(crate) fn start_senders_over(&mut self, endpoint: PhysAddr, badge: u64) {
        for thread in self.waiting_at(endpoint).to_vec() {
            let sends = |doing: &Doing| matches!(doing, Doing::Sending(sending) if sending.badge == badge);
            if badge != 0 && self.thread(thread).is_some_and(|thread| sends(&thread.doing)) {
                self.start_over(thread, endpoint);
            }
        }
    }

    fn start_over(&mut self, thread: PhysAddr, object: PhysAddr) {
        self.leave(thread, object);
        self.set_doing(thread, Doing::StartingOver);
    }

    /// A thread's buffer is gone, and with it what it held.
    pub(crate) fn lose_buffer(&mut self, thread: PhysAddr) {
        match self.thread_mut(thread).map(|thread| &mut thread.doing) {
            Some(Doing::Sending(sending)) => sending.buffer = Buffer::default(),
            Some(Doing::Receiving { into, .. } | Doing::AwaitingReply { into }) => *into = ReceivePath::default(),
            _ => {}
        }
    }
}
