//! The scheduler: strict priorities, round robin among equals.

use sluice_abi::TIME_SLICE_TICKS;

use crate::Kernel;
use crate::hal::Hal;
use crate::object::{Tcb, ThreadState};
use crate::store::{Handle, Store};

const PRIORITIES: usize = 256;

/// What the end of the present system call decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    /// The current thread goes on.
    Resume,
    /// This thread is of higher or equal priority and runs next.
    Switch(Handle<Tcb>),
    /// Whoever is highest.
    Choose,
}

/// First and last thread of a queue.
type Ends = (Option<Handle<Tcb>>, Option<Handle<Tcb>>);

/// Runnable threads that are not running, by priority.
pub(crate) struct Scheduler {
    queues: [Ends; PRIORITIES],
    // Bit p % 64 of word p / 64: queue p is not empty.
    ready: [u64; PRIORITIES / 64],
    pub(crate) decision: Decision,
}

impl Scheduler {
    pub(crate) const fn new() -> Self {
        Self { queues: [(None, None); PRIORITIES], ready: [0; PRIORITIES / 64], decision: Decision::Choose }
    }

    /// Whether no ready thread has a higher priority.
    pub(crate) fn is_highest(&self, priority: u8) -> bool {
        self.highest().is_none_or(|highest| usize::from(priority) >= highest)
    }

    fn highest(&self) -> Option<usize> {
        let word = (0..self.ready.len()).rev().find(|word| self.ready[*word] != 0)?;
        Some(word * 64 + 63 - self.ready[word].leading_zeros() as usize)
    }

    fn add(&mut self, store: &impl Store, thread: Handle<Tcb>, front: bool) {
        let tcb = store.get(thread);
        if tcb.queued.replace(true) {
            return;
        }
        let priority = usize::from(tcb.priority.get());
        let (head, tail) = self.queues[priority];
        self.queues[priority] = match (head, tail) {
            (Some(head), Some(tail)) if front => {
                tcb.sched_prev.set(None);
                tcb.sched_next.set(Some(head));
                store.get(head).sched_prev.set(Some(thread));
                (Some(thread), Some(tail))
            }
            (Some(head), Some(tail)) => {
                tcb.sched_prev.set(Some(tail));
                tcb.sched_next.set(None);
                store.get(tail).sched_next.set(Some(thread));
                (Some(head), Some(thread))
            }
            (None, _) | (_, None) => {
                tcb.sched_prev.set(None);
                tcb.sched_next.set(None);
                self.ready[priority / 64] |= 1 << (priority % 64);
                (Some(thread), Some(thread))
            }
        };
    }

    fn remove(&mut self, store: &impl Store, thread: Handle<Tcb>) {
        let tcb = store.get(thread);
        if !tcb.queued.replace(false) {
            return;
        }
        let priority = usize::from(tcb.priority.get());
        let (prev, next) = (tcb.sched_prev.take(), tcb.sched_next.take());
        match prev {
            Some(prev) => store.get(prev).sched_next.set(next),
            None => self.queues[priority].0 = next,
        }
        match next {
            Some(next) => store.get(next).sched_prev.set(prev),
            None => self.queues[priority].1 = prev,
        }
        if self.queues[priority].0.is_none() {
            self.ready[priority / 64] &= !(1 << (priority % 64));
        }
    }
}

/// The queue of one priority, for checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ready {
    /// The thread that runs next.
    pub first: Option<Handle<Tcb>>,
    /// The thread that runs last.
    pub last: Option<Handle<Tcb>>,
    /// Whether the scheduler takes the queue for non-empty.
    pub marked: bool,
}

impl<H: Hal> Kernel<H> {
    /// The threads of `priority` that are runnable and do not run.
    #[must_use]
    pub fn ready(&self, priority: u8) -> Ready {
        let priority = usize::from(priority);
        let (first, last) = self.sched.queues[priority];
        Ready { first, last, marked: self.sched.ready[priority / 64] >> (priority % 64) & 1 != 0 }
    }

    pub(crate) fn enqueue(&mut self, thread: Handle<Tcb>) {
        self.sched.add(&self.hal, thread, true);
    }

    pub(crate) fn append(&mut self, thread: Handle<Tcb>) {
        self.sched.add(&self.hal, thread, false);
    }

    pub(crate) fn dequeue(&mut self, thread: Handle<Tcb>) {
        if self.sched.decision == Decision::Switch(thread) {
            self.sched.decision = Decision::Choose;
        }
        self.sched.remove(&self.hal, thread);
    }

    /// Has the end of the system call look at all queues.
    pub(crate) fn reschedule(&mut self) {
        if let Decision::Switch(thread) = self.sched.decision {
            self.enqueue(thread);
        }
        self.sched.decision = Decision::Choose;
    }

    /// Proposes a thread that just became runnable; [`Kernel::schedule`] compares priorities.
    pub(crate) fn wake(&mut self, thread: Handle<Tcb>) {
        if self.sched.decision == Decision::Resume {
            self.sched.decision = Decision::Switch(thread);
        } else {
            self.reschedule();
            self.enqueue(thread);
        }
    }

    pub(crate) fn set_state(&mut self, thread: Handle<Tcb>, state: ThreadState) {
        self.tcb(thread).state.set(state);
        if Some(thread) == self.current && !state.is_runnable() && self.sched.decision == Decision::Resume {
            self.reschedule();
        }
    }

    /// Decides who runs, switches address spaces, and makes a restarted thread start over.
    pub(crate) fn schedule(&mut self) {
        if self.sched.decision != Decision::Resume {
            let runnable = |kernel: &Self, thread| kernel.tcb(thread).state.get().is_runnable();
            let was = self.current.filter(|current| runnable(self, *current));
            match self.sched.decision {
                Decision::Switch(candidate) => self.consider(candidate, was),
                Decision::Resume | Decision::Choose => {
                    if let Some(was) = was {
                        self.enqueue(was);
                    }
                    self.choose();
                }
            }
            self.sched.decision = Decision::Resume;
        }
        if let Some(current) = self.current
            && self.tcb(current).state.get() == ThreadState::Restart
        {
            let context = &self.tcb(current).context;
            context.pc.set(context.restart_pc.get());
            self.tcb(current).state.set(ThreadState::Running);
        }
    }

    fn consider(&mut self, candidate: Handle<Tcb>, was: Option<Handle<Tcb>>) {
        let priority = self.tcb(candidate).priority.get();
        if let Some(was) = was {
            let current = self.tcb(was);
            if current.priority.get() > priority
                && !current.queued.get()
                && self.sched.is_highest(current.priority.get())
            {
                // The common end of a signal: who ran goes on, with nothing to load.
                return self.enqueue(candidate);
            }
            self.enqueue(was);
        }
        let beats_queues = self.sched.is_highest(priority);
        let current_priority = was.map(|was| self.tcb(was).priority.get());
        if !beats_queues {
            self.enqueue(candidate);
            self.choose();
        } else if current_priority == Some(priority) {
            // Equal to the thread that ran: that one goes on; the candidate waits for its turn.
            self.append(candidate);
            self.choose();
        } else {
            self.switch_to(candidate);
        }
    }

    fn choose(&mut self) {
        match self.sched.highest().and_then(|priority| self.sched.queues[priority].0) {
            Some(thread) => self.switch_to(thread),
            None => {
                self.current = None;
                self.leave_guest_unless(None);
                self.load_empty_vspace();
            }
        }
    }

    fn switch_to(&mut self, thread: Handle<Tcb>) {
        self.dequeue(thread);
        self.run(thread);
    }

    /// Makes `thread`, which is in no queue of the scheduler, the current one.
    #[inline(always)]
    pub(crate) fn run(&mut self, thread: Handle<Tcb>) {
        if self.tcb(thread).vcpu.get().is_some() || self.is_in_guest() {
            self.exchange_guest(thread);
        } else {
            self.load_vspace_of(thread);
        }
        self.guard_fpu(thread);
        self.current = Some(thread);
    }

    /// Where the thread before, or `thread`, has a virtual processor.
    #[cold]
    fn exchange_guest(&mut self, thread: Handle<Tcb>) {
        let vcpu = self.tcb(thread).vcpu.get();
        self.leave_guest_unless(vcpu);
        self.load_vspace_of(thread);
        if let Some(vcpu) = vcpu {
            self.claim_tag(vcpu);
            self.enter_guest(vcpu);
        }
    }

    /// One tick has passed.
    pub(crate) fn tick(&mut self) {
        let Some(current) = self.current else { return };
        if self.tcb(current).state.get() != ThreadState::Running {
            return;
        }
        let left = self.tcb(current).time_slice.get();
        if left > 1 {
            self.tcb(current).time_slice.set(left - 1);
        } else {
            self.tcb(current).time_slice.set(TIME_SLICE_TICKS);
            self.append(current);
            self.reschedule();
        }
    }

    /// The current thread gives up the rest of its slice.
    pub(crate) fn yield_current(&mut self) {
        if let Some(current) = self.current {
            self.dequeue(current);
            self.append(current);
            self.reschedule();
        }
    }

    pub(crate) fn set_priority(&mut self, thread: Handle<Tcb>, priority: u8) {
        self.dequeue(thread);
        self.tcb(thread).priority.set(priority);
        if self.tcb(thread).state.get().is_runnable() {
            if Some(thread) == self.current {
                self.reschedule();
            } else {
                self.wake(thread);
            }
        }
    }
}
