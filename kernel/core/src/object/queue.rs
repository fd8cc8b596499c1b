//! A queue of threads, linked through [`Tcb::queue_prev`](super::Tcb) and `queue_next`.

use core::cell::Cell;

use super::Tcb;
use crate::store::{Handle, Store};

/// First and last thread of a queue; two words.
#[derive(Default)]
pub struct Queue {
    head: Cell<Option<Handle<Tcb>>>,
    tail: Cell<Option<Handle<Tcb>>>,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self { head: Cell::new(None), tail: Cell::new(None) }
    }

    /// The thread that waits longest.
    #[must_use]
    pub fn head(&self) -> Option<Handle<Tcb>> {
        self.head.get()
    }

    /// The thread that came last.
    pub(crate) fn tail(&self) -> Option<Handle<Tcb>> {
        self.tail.get()
    }

    /// Adds a thread at the end.
    pub fn append(&self, store: &impl Store, thread: Handle<Tcb>) {
        let tcb = store.get(thread);
        tcb.queue_prev.set(self.tail.get());
        tcb.queue_next.set(None);
        match self.tail.replace(Some(thread)) {
            Some(last) => store.get(last).queue_next.set(Some(thread)),
            None => self.head.set(Some(thread)),
        }
    }

    /// Takes out the thread that waits longest, which is `thread`.
    pub fn remove_first(&self, store: &impl Store, thread: Handle<Tcb>) {
        debug_assert!(self.head.get() == Some(thread));
        let next = store.get(thread).queue_next.take();
        self.head.set(next);
        match next {
            Some(next) => store.get(next).queue_prev.set(None),
            None => self.tail.set(None),
        }
    }

    /// Takes a thread out, wherever it stands.
    pub fn remove(&self, store: &impl Store, thread: Handle<Tcb>) {
        let tcb = store.get(thread);
        let (prev, next) = (tcb.queue_prev.take(), tcb.queue_next.take());
        match prev {
            Some(prev) => store.get(prev).queue_next.set(next),
            None => self.head.set(next),
        }
        match next {
            Some(next) => store.get(next).queue_prev.set(prev),
            None => self.tail.set(prev),
        }
    }
}
