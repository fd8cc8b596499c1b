//! Threads: states, queues, slots.

use super::{Checked, ensure};
use crate::Kernel;
use crate::hal::Hal;
use crate::object::{Endpoint, Notification, Queue, Tcb, TcbSlot, ThreadState};
use crate::store::{Handle, SlotRef};

impl<H: Hal> Kernel<H> {
    /// The thread that runs next, and its slots.
    pub(super) fn current_is_sound(&self) -> Checked {
        let Some(current) = self.current else { return Ok(()) };
        let tcb = self.tcb(current);
        ensure(tcb.state.get() == ThreadState::Running, "the-current-thread-runs")?;
        ensure(!tcb.queued.get(), "the-current-thread-is-in-no-queue")?;
        self.slots_are_well_linked(current)
    }

    fn slots_are_well_linked(&self, thread: Handle<Tcb>) -> Checked {
        [TcbSlot::CSpace, TcbSlot::VSpace, TcbSlot::Reply, TcbSlot::Caller, TcbSlot::Buffer]
            .into_iter()
            .try_for_each(|slot| self.is_well_linked(thread.slot(slot as u64)))
    }

    pub(super) fn ready_queues_are_sound(&self) -> Checked {
        for priority in 0..=u8::MAX {
            let ready = self.ready(priority);
            ensure(ready.marked == ready.first.is_some(), "marks-say-which-queues-are-empty")?;
            let (mut before, mut next) = (None, ready.first);
            while let Some(thread) = next {
                let tcb = self.tcb(thread);
                ensure(tcb.sched_prev.get() == before, "ready-threads-point-back")?;
                ensure(tcb.queued.get() && tcb.priority.get() == priority, "ready-threads-are-in-their-queue")?;
                ensure(tcb.state.get().is_runnable() && Some(thread) != self.current, "ready-threads-can-run")?;
                before = next;
                next = tcb.sched_next.get();
            }
            ensure(ready.last == before, "ready-queues-know-their-last")?;
            let overtakes = self.current.is_none_or(|current| self.tcb(current).priority.get() < priority);
            ensure(!(overtakes && ready.marked), "the-highest-priority-runs")?;
        }
        Ok(())
    }

    pub(super) fn thread_is_sound(&self, thread: Handle<Tcb>) -> Checked {
        let tcb = self.tcb(thread);
        let state = tcb.state.get();
        let waits = state.is_runnable() && self.current != Some(thread);
        ensure(tcb.queued.get() == waits, "runnable-threads-are-queued")?;
        let queue = match state {
            ThreadState::BlockedOnReceive { endpoint, .. } => Some(&self.get(endpoint).queue),
            ThreadState::BlockedOnSend(how) => Some(&self.get(how.endpoint).queue),
            ThreadState::BlockedOnNotification(notification) => Some(&self.get(notification).queue),
            ThreadState::Inactive | ThreadState::Running | ThreadState::Restart | ThreadState::BlockedOnReply => None,
        };
        match queue {
            Some(queue) => ensure(self.stands_in(queue, thread), "blocked-threads-are-in-their-queue")?,
            None => ensure(
                tcb.queue_prev.get().is_none() && tcb.queue_next.get().is_none(),
                "only-blocked-threads-are-in-queues",
            )?,
        }
        if let Some(notification) = tcb.bound_notification.get() {
            let bound = self.get(notification).bound_thread();
            ensure(bound == Some(thread), "bound-notifications-know-their-thread")?;
        }
        if let Some(vcpu) = tcb.vcpu.get() {
            ensure(self.get(vcpu).thread.get() == Some(thread), "threads-and-processors-agree")?;
        }
        self.slots_are_well_linked(thread)?;
        self.reply_is_sound(thread, state)
    }

    /// As far as its neighbours tell.
    fn stands_in(&self, queue: &Queue, thread: Handle<Tcb>) -> bool {
        let tcb = self.tcb(thread);
        match tcb.queue_prev.get() {
            Some(prev) => self.tcb(prev).queue_next.get() == Some(thread),
            None => queue.head() == Some(thread),
        }
    }

    /// Only a thread that waits for an answer can be answered, by one reply capability.
    fn reply_is_sound(&self, thread: Handle<Tcb>, state: ThreadState) -> Checked {
        let master: SlotRef = thread.slot(TcbSlot::Reply as u64);
        if self.slot(master).is_empty() {
            return Ok(());
        }
        ensure(self.holds_reply_to(master, thread, true), "reply-slots-hold-their-master")?;
        let Some(next) = self.slot(master).links().next else { return Ok(()) };
        ensure(self.holds_reply_to(next, thread, false), "replies-follow-their-master")?;
        ensure(state == ThreadState::BlockedOnReply, "answers-go-to-waiting-threads")?;
        ensure(self.slot(next).links().next.is_none(), "a-call-is-answered-once")
    }

    pub(super) fn endpoint_is_sound(&self, at: Handle<Endpoint>) -> Checked {
        let queue = &self.get(at).queue;
        let sends =
            |thread| matches!(self.tcb(thread).state.get(), ThreadState::BlockedOnSend(how) if how.endpoint == at);
        let receives = |thread| matches!(self.tcb(thread).state.get(), ThreadState::BlockedOnReceive { endpoint, .. } if endpoint == at);
        let sending = queue.head().is_some_and(sends);
        self.queue_is_sound(queue, |thread| if sending { sends(thread) } else { receives(thread) })
    }

    pub(super) fn notification_is_sound(&self, at: Handle<Notification>) -> Checked {
        let waits = |thread| self.tcb(thread).state.get() == ThreadState::BlockedOnNotification(at);
        self.queue_is_sound(&self.get(at).queue, waits)?;
        let bound = self.get(at).bound_thread();
        let knows = |thread| self.tcb(thread).bound_notification.get() == Some(at);
        ensure(bound.is_none_or(knows), "bound-threads-know-their-notification")
    }

    fn queue_is_sound(&self, queue: &Queue, belongs: impl Fn(Handle<Tcb>) -> bool) -> Checked {
        let (mut before, mut next) = (None, queue.head());
        while let Some(thread) = next {
            ensure(self.tcb(thread).queue_prev.get() == before, "waiting-threads-point-back")?;
            ensure(belongs(thread), "queues-hold-blocked-threads")?;
            before = next;
            next = self.tcb(thread).queue_next.get();
        }
        ensure(queue.tail() == before, "queues-know-their-last")
    }
}
