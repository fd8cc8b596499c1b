//! Sending, receiving and replying.

use sluice_abi::PhysAddr;

use crate::name::NO_OBJECT;
use crate::{Buffer, Cap, Doing, Happening, Held, Rights, Sending, Slot, State, ThreadSlot};

impl Happening {
    /// `thread` sends to whoever waits longest, or waits itself, or, not `blocking`, sends nothing.
    pub(crate) fn send(&mut self, thread: PhysAddr, mut sending: Sending, blocking: bool) {
        let endpoint = sending.endpoint;
        if self.state.thread(thread).is_some_and(|thread| thread.fault.is_some()) {
            // A fault is told in place of what is in the buffer.
            sending.buffer = Buffer::default();
        }
        if let Some((receiver, Doing::Receiving { grant, into, .. })) = self.state.first_at(endpoint) {
            self.state.leave(receiver, endpoint);
            self.hand_over(thread, &sending, receiver, into);
            self.state.set_doing(receiver, Doing::Running);
            if sending.call {
                self.state.await_reply(thread, &sending, receiver, grant);
            }
        } else if blocking {
            self.state.wait(thread, endpoint, Doing::Sending(sending));
        }
    }

    /// `thread` takes the signals that wait for it, or the message of whoever waits longest, or waits itself, or, not
    /// `blocking`, receives nothing.
    pub(crate) fn receive(
        &mut self,
        thread: PhysAddr,
        endpoint: PhysAddr,
        rights: Rights,
        buffer: &Buffer,
        blocking: bool,
    ) {
        let bound = self.state.thread(thread).and_then(|thread| thread.notification);
        if let Some(badge) = bound.and_then(|notification| self.state.take_signals(notification)) {
            return self.state.show_badge(thread, badge);
        }
        if let Some((sender, Doing::Sending(sending))) = self.state.first_at(endpoint) {
            self.state.leave(sender, endpoint);
            self.hand_over(sender, &sending, thread, buffer.receive);
            if sending.call {
                self.state.await_reply(sender, &sending, thread, rights.grant);
            } else {
                self.state.set_doing(sender, Doing::Running);
            }
        } else if blocking {
            let doing = Doing::Receiving { endpoint, grant: rights.grant, into: buffer.receive };
            self.state.wait(thread, endpoint, doing);
        } else {
            self.state.show_badge(thread, 0);
        }
    }

    /// `thread` answers whom the capability in a slot says.
    pub(crate) fn reply(&mut self, thread: PhysAddr, buffer: &Buffer, slot: Slot) {
        let Some(Cap::Reply { caller, master: false, grant }) = self.state.cap(slot) else { return };
        let Some(found) = self.state.thread(caller).cloned() else { return };
        let doing = if found.fault.is_some() {
            let goes_on = self.state.take_fault_reply(caller, thread, buffer);
            if goes_on { Doing::StartingOver } else { Doing::Nothing }
        } else {
            let into = if let Doing::AwaitingReply { into } = found.doing { into } else { Default::default() };
            let buffer = buffer.clone();
            let reply = Sending { endpoint: NO_OBJECT, badge: 0, grant, grant_reply: false, call: false, buffer };
            self.hand_over(thread, &reply, caller, into);
            Doing::Running
        };
        self.state.delete(slot);
        if let Some(caller) = self.state.thread_mut(caller) {
            caller.fault = None;
            caller.doing = doing;
        }
    }

    /// `thread` answers whoever called it last, if anybody still waits.
    pub(crate) fn reply_to_caller(&mut self, thread: PhysAddr, buffer: &Buffer) {
        self.reply(thread, buffer, Slot::Thread { thread, which: ThreadSlot::Caller });
    }
}

impl State {
    /// Who waits longest at an object, and for what.
    fn first_at(&self, object: PhysAddr) -> Option<(PhysAddr, Doing)> {
        let first = *self.waiting_at(object).first()?;
        Some((first, self.thread(first)?.doing.clone()))
    }

    /// After a call was received: the receiver owes a reply, if the caller may give it the capability for that.
    fn await_reply(&mut self, caller: PhysAddr, sending: &Sending, receiver: PhysAddr, grant: bool) {
        if !(sending.grant || sending.grant_reply) {
            return self.set_doing(caller, Doing::Nothing);
        }
        self.set_doing(caller, Doing::AwaitingReply { into: sending.buffer.receive });
        let cap = Cap::Reply { caller, master: false, grant };
        let master = Slot::Thread { thread: caller, which: ThreadSlot::Reply };
        let owed = Slot::Thread { thread: receiver, which: ThreadSlot::Caller };
        self.slots.insert(owed, Held { cap, parent: Some(master), original: false });
    }
}
