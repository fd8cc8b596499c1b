//! The common case of Call and of ReplyRecv: a short message without capabilities, somebody who waits for it, and nobody
//! of a higher priority who is ready.
//!
//! Every condition is checked before anything is changed: where one does not hold, nothing has happened, and the general
//! path takes the system call from its start. Where all hold, the outcome is the general path's to the last word; tests
//! run both on the same states.

use sluice_abi::{CPtr, CapRights, MessageInfo, Syscall};

use crate::Kernel;
use crate::cap::{EndpointCap, Reply};
use crate::hal::Hal;
use crate::object::{NotificationState, Tcb, TcbSlot, ThreadState};
use crate::store::Handle;

impl<H: Hal> Kernel<H> {
    /// Handles the system call of the current thread, as [`Kernel::enter_syscall`] does, if it is a common case; changes
    /// nothing if it is not.
    #[inline(always)]
    pub fn enter_common_syscall(&mut self) -> bool {
        const CALL: u64 = Syscall::Call.word();
        const REPLY_RECV: u64 = Syscall::ReplyRecv.word();
        const NULL: u64 = Syscall::BenchmarkNull.word();
        // A log tells of every step, and of every reply that is owed.
        if self.hal.is_tracing() {
            return false;
        }
        let Some(thread) = self.current else { return false };
        match self.tcb(thread).context.x[7].get() {
            CALL => self.call_common(thread).is_some(),
            REPLY_RECV => self.reply_recv_common(thread).is_some(),
            NULL if H::MEASURES => {
                self.tcb(thread).context.set_restart();
                true
            }
            _ => false,
        }
    }

    /// From a caller to a receiver that waits.
    #[inline(always)]
    fn call_common(&mut self, caller: Handle<Tcb>) -> Option<()> {
        let tcb = self.tcb(caller);
        // It would be told in place of the message.
        if tcb.fault.get().is_some() {
            return None;
        }
        let context = &tcb.context;
        let info = MessageInfo::short(context.x[1].get())?;
        let cap = self.endpoint_of(caller, context.x[0].get())?;
        if !cap.rights.contains(CapRights::WRITE) || !cap.rights.intersects(CapRights::GRANT | CapRights::GRANT_REPLY) {
            return None;
        }
        let queue = &self.get(cap.object).queue;
        let receiver = queue.head()?;
        let ThreadState::BlockedOnReceive { grant, .. } = self.tcb(receiver).state.get() else { return None };
        if !self.runs_next(receiver, caller) {
            return None;
        }

        context.set_restart();
        queue.remove_first(&self.hal, receiver);
        self.transfer_short(caller, info, cap.badge, receiver);
        self.tcb(receiver).state.set(ThreadState::Running);
        self.tcb(caller).state.set(ThreadState::BlockedOnReply);
        let (from, to) = (caller.slot(TcbSlot::Reply as u64), receiver.slot(TcbSlot::Caller as u64));
        self.slot(to).write(Reply { caller, master: false, grant });
        self.link(from, to, false);
        self.run(receiver);
        Some(())
    }

    /// From a server to the caller that waits for its answer; the server waits for the next message.
    #[inline(always)]
    fn reply_recv_common(&mut self, server: Handle<Tcb>) -> Option<()> {
        let tcb = self.tcb(server);
        let info = MessageInfo::short(tcb.context.x[1].get())?;
        let slot = server.slot(TcbSlot::Caller as u64);
        let Reply { caller, master: false, .. } = self.read(slot)? else { return None };
        if self.tcb(caller).fault.get().is_some() || tcb.fault.get().is_some() {
            return None;
        }
        let cap = self.endpoint_of(server, tcb.context.x[0].get())?;
        if !cap.rights.contains(CapRights::READ) {
            return None;
        }
        if let Some(bound) = tcb.bound_notification.get()
            && let NotificationState::Active(_) = self.get(bound).state()
        {
            return None;
        }
        let queue = &self.get(cap.object).queue;
        if let Some(first) = queue.head()
            && let ThreadState::BlockedOnSend(_) = self.tcb(first).state.get()
        {
            return None;
        }
        if !self.runs_next(caller, server) {
            return None;
        }

        tcb.context.set_restart();
        self.transfer_short(server, info, 0, caller);
        let grant = cap.rights.contains(CapRights::GRANT);
        tcb.state.set(ThreadState::BlockedOnReceive { endpoint: cap.object, grant });
        queue.append(&self.hal, server);
        self.tcb(caller).state.set(ThreadState::Running);
        self.unlink(slot);
        self.run(caller);
        Some(())
    }

    #[inline(always)]
    fn endpoint_of(&self, thread: Handle<Tcb>, cptr: u64) -> Option<EndpointCap> {
        self.read(self.lookup_near(thread, CPtr(cptr))?)
    }

    /// Whether `thread` runs next when `current`, to whom nobody ready is superior, gives up the processor to it.
    #[inline(always)]
    fn runs_next(&self, thread: Handle<Tcb>, current: Handle<Tcb>) -> bool {
        let priority = self.tcb(thread).priority.get();
        priority >= self.tcb(current).priority.get() || self.sched.is_highest(priority)
    }

    #[inline(always)]
    fn transfer_short(&self, sender: Handle<Tcb>, info: MessageInfo, badge: u64, receiver: Handle<Tcb>) {
        let (from, to) = (&self.tcb(sender).context, &self.tcb(receiver).context);
        let length = info.length();
        for (word, into) in from.x[2..6].iter().zip(&to.x[2..6]).take(length as usize) {
            into.set(word.get());
        }
        to.x[0].set(badge);
        to.x[1].set(info.word());
    }
}
