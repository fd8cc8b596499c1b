//! Threads in queues.

use std::collections::HashSet;

use sluice_core::cap::Cap;
use sluice_core::object::{Endpoint, Notification, NotificationState, Queue, Tcb, TcbSlot, ThreadState};
use sluice_core::{Handle, SlotRef};

use super::View;

impl View<'_> {
    fn threads(&self) -> impl Iterator<Item = (Handle<Tcb>, &Tcb)> {
        self.machine().objects.all::<Tcb>()
    }

    fn state(&self, thread: Handle<Tcb>) -> ThreadState {
        self.kernel.tcb(thread).state.get()
    }

    /// The threads of an object's queue, after a look at their links.
    fn members(&self, queue: &Queue) -> Vec<Handle<Tcb>> {
        let mut members = Vec::new();
        let (mut before, mut at) = (None, queue.head());
        while let Some(thread) = at {
            let tcb = self.kernel.tcb(thread);
            assert_eq!(tcb.queue_prev.get(), before, "{thread:?} does not point back in its queue");
            assert!(!members.contains(&thread), "{thread:?} is in a circle");
            members.push(thread);
            before = at;
            at = tcb.queue_next.get();
        }
        members
    }
}

pub(super) fn ready_queues_hold_the_runnable_threads(view: &View<'_>) {
    let mut queued = HashSet::new();
    for priority in 0..=u8::MAX {
        let ready = view.kernel.ready(priority);
        assert_eq!(ready.marked, ready.first.is_some(), "priority {priority}: mark and queue differ");
        let (mut before, mut at) = (None, ready.first);
        while let Some(thread) = at {
            let tcb = view.kernel.tcb(thread);
            assert_eq!(tcb.sched_prev.get(), before, "{thread:?} does not point back");
            assert_eq!(tcb.priority.get(), priority, "{thread:?} is in the queue of another priority");
            assert!(tcb.queued.get(), "{thread:?} does not know that it is queued");
            assert!(queued.insert(thread), "{thread:?} is queued twice");
            before = at;
            at = tcb.sched_next.get();
        }
        assert_eq!(ready.last, before, "priority {priority}: wrong last thread");
    }
    for (thread, tcb) in view.threads() {
        let runnable = tcb.state.get().is_runnable();
        let current = view.kernel.current() == Some(thread);
        assert_eq!(queued.contains(&thread), runnable && !current, "{thread:?} in {:?}", tcb.state.get());
        assert_eq!(tcb.queued.get(), queued.contains(&thread), "{thread:?} is wrong about being queued");
    }
    if let Some(current) = view.kernel.current() {
        let tcb = view.kernel.tcb(current);
        assert_eq!(tcb.state.get(), ThreadState::Running, "the current thread does not run");
        let above = (tcb.priority.get()..=u8::MAX).skip(1).find(|priority| view.kernel.ready(*priority).marked);
        assert_eq!(above, None, "a thread of higher priority waits");
    } else {
        assert!(queued.is_empty(), "idle although threads are ready");
    }
}

pub(super) fn endpoint_queues_agree_with_states(view: &View<'_>) {
    let mut waiting = HashSet::new();
    for (at, endpoint) in view.machine().objects.all::<Endpoint>() {
        let members = view.members(&endpoint.queue);
        let sending = |thread: &Handle<Tcb>| {
            let state = view.state(*thread);
            let sends = matches!(state, ThreadState::BlockedOnSend(how) if how.endpoint == at);
            let receives = matches!(state, ThreadState::BlockedOnReceive { endpoint, .. } if endpoint == at);
            assert!(sends || receives, "{thread:?} in the queue of {at:?} is {state:?}");
            sends
        };
        let senders = members.iter().filter(|thread| sending(thread)).count();
        assert!(senders == 0 || senders == members.len(), "senders and receivers wait at {at:?}");
        waiting.extend(members);
    }
    for (thread, tcb) in view.threads() {
        let blocked = matches!(tcb.state.get(), ThreadState::BlockedOnSend(_) | ThreadState::BlockedOnReceive { .. });
        assert_eq!(blocked, waiting.contains(&thread), "{thread:?} is {:?}", tcb.state.get());
    }
}

pub(super) fn notification_queues_agree_with_states(view: &View<'_>) {
    let mut waiting = HashSet::new();
    for (at, notification) in view.machine().objects.all::<Notification>() {
        let members = view.members(&notification.queue);
        for thread in &members {
            assert_eq!(view.state(*thread), ThreadState::BlockedOnNotification(at));
        }
        assert_eq!(notification.state() == NotificationState::Waiting, !members.is_empty());
        waiting.extend(members);
    }
    for (thread, tcb) in view.threads() {
        let blocked = matches!(tcb.state.get(), ThreadState::BlockedOnNotification(_));
        assert_eq!(blocked, waiting.contains(&thread), "{thread:?} is {:?}", tcb.state.get());
    }
}

pub(super) fn bound_notifications_agree(view: &View<'_>) {
    for (at, notification) in view.machine().objects.all::<Notification>() {
        if let Some(thread) = notification.bound_thread() {
            assert_eq!(view.kernel.tcb(thread).bound_notification.get(), Some(at), "{at:?} and {thread:?} differ");
        }
    }
    for (thread, tcb) in view.threads() {
        if let Some(at) = tcb.bound_notification.get() {
            let notification = view.machine().objects.get(at);
            assert_eq!(notification.bound_thread(), Some(thread), "{thread:?} and {at:?} differ");
        }
    }
}

/// A reply capability is to a thread that waits for it, and the only one.
pub(super) fn replies_answer_waiting_callers(view: &View<'_>) {
    let mut callers = HashSet::new();
    for (at, cap) in view.caps() {
        let Cap::Reply(reply) = cap else { continue };
        let master: SlotRef = reply.caller.slot(TcbSlot::Reply as u64);
        assert_eq!(reply.master, at == master, "{reply:?} in {at:?}");
        if !reply.master {
            assert!(callers.insert(reply.caller), "two may answer {:?}", reply.caller);
            assert_eq!(view.state(reply.caller), ThreadState::BlockedOnReply, "{reply:?} in {at:?}");
            assert_eq!(view.slots[&master].1.next, Some(at), "{:?} does not know who may answer", reply.caller);
        }
    }
}
