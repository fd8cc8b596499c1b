//! Sending, calling and replying.

use crate::Kernel;
use crate::cap::{Cap, Links, Reply};
use crate::hal::Hal;
use crate::object::{BlockedSender, Tcb, TcbSlot, ThreadState};
use crate::store::{Handle, SlotRef};

impl<H: Hal> Kernel<H> {
    /// Sends from `sender`, whose capability gave `how`. With `blocking` it waits for a receiver.
    pub(crate) fn send(&mut self, sender: Handle<Tcb>, how: BlockedSender, blocking: bool) {
        let waiting = self.get(how.endpoint).queue.head();
        let receiver = waiting.map(|thread| (thread, self.tcb(thread).state.get()));
        match receiver {
            Some((receiver, ThreadState::BlockedOnReceive { grant: reply_grant, .. })) => {
                self.get(how.endpoint).queue.remove(&self.hal, receiver);
                self.transfer(sender, Some(how.endpoint), how.badge, how.grant, receiver);
                self.set_state(receiver, ThreadState::Running);
                self.wake(receiver);
                if how.call {
                    self.await_reply(sender, receiver, how.grant || how.grant_reply, reply_grant);
                }
            }
            _ if blocking => {
                self.set_state(sender, ThreadState::BlockedOnSend(how));
                self.get(how.endpoint).queue.append(&self.hal, sender);
            }
            _ => {}
        }
    }

    /// After a call was received: gives the receiver the reply capability, if the caller's rights allow one.
    pub(crate) fn await_reply(&mut self, caller: Handle<Tcb>, receiver: Handle<Tcb>, allowed: bool, grant: bool) {
        if !allowed {
            self.set_state(caller, ThreadState::Inactive);
            return;
        }
        self.trace_owed(caller, receiver, grant);
        self.set_state(caller, ThreadState::BlockedOnReply);
        let reply = Cap::Reply(Reply { caller, master: false, grant });
        self.insert(reply, caller.slot(TcbSlot::Reply as u64), receiver.slot(TcbSlot::Caller as u64));
    }

    /// Gives a thread its master reply capability, unless it has it.
    pub(crate) fn ensure_master_reply(&mut self, thread: Handle<Tcb>) {
        let slot = self.slot(thread.slot(TcbSlot::Reply as u64));
        if slot.is_empty() {
            slot.set_cap(Cap::Reply(Reply { caller: thread, master: true, grant: true }));
            slot.set_links(Links { prev: None, next: None, revocable: true, first_badged: true });
        }
    }

    /// Answers the caller of `reply`, whose capability is in `slot`.
    pub(crate) fn reply(&mut self, sender: Handle<Tcb>, reply: Reply, slot: SlotRef) {
        let receiver = reply.caller;
        self.trace_answered(receiver);
        if self.tcb(receiver).fault.get().is_none() {
            self.transfer(sender, None, 0, reply.grant, receiver);
            self.delete_one(slot);
            self.set_state(receiver, ThreadState::Running);
            self.wake(receiver);
        } else {
            self.delete_one(slot);
            let resume = self.apply_fault_reply(receiver, sender);
            self.tcb(receiver).fault.set(None);
            if resume {
                self.set_state(receiver, ThreadState::Restart);
                self.wake(receiver);
            } else {
                self.set_state(receiver, ThreadState::Inactive);
            }
        }
    }

    /// Answers whoever called `sender` last, if anybody still waits.
    pub(crate) fn reply_to_caller(&mut self, sender: Handle<Tcb>) {
        let slot = sender.slot(TcbSlot::Caller as u64);
        if let Some(reply) = self.read(slot).filter(|reply: &Reply| !reply.master) {
            self.reply(sender, reply, slot);
        }
    }
}
