//! Positions in a submission and a completion queue (4.1), without their memory.

use crate::error::Violation;

/// Positions of a submission queue. One entry always stays free: tail == head means empty.
#[derive(Clone, Debug)]
pub struct SubmissionRing {
    entries: u16,
    tail: u16,
    head: u16,
}

impl SubmissionRing {
    /// An empty queue of `entries`, at least two.
    #[must_use]
    pub const fn new(entries: u16) -> Self {
        Self { entries, tail: 0, head: 0 }
    }

    /// The entry to fill next, which the queue then contains; `None` when it is full.
    pub fn push(&mut self) -> Option<u16> {
        let slot = self.tail;
        let next = self.after(slot);
        if next == self.head {
            return None;
        }
        self.tail = next;
        Some(slot)
    }

    /// The value for the tail doorbell.
    #[must_use]
    pub const fn tail(&self) -> u16 {
        self.tail
    }

    /// Accepts the head a controller reports.
    ///
    /// # Errors
    /// When it lies outside the entries that were submitted and not yet consumed.
    pub fn consumed_up_to(&mut self, head: u16) -> Result<(), Violation> {
        if head >= self.entries || self.distance(head) > self.distance(self.tail) {
            return Err(Violation::Head(head));
        }
        self.head = head;
        Ok(())
    }

    const fn after(&self, slot: u16) -> u16 {
        if slot + 1 == self.entries { 0 } else { slot + 1 }
    }

    /// Entries from the head to `position`.
    const fn distance(&self, position: u16) -> u16 {
        if position >= self.head { position - self.head } else { self.entries - self.head + position }
    }
}

/// Position of a completion queue, and the phase tag of entries not yet consumed.
///
/// The tag is one on the first pass through zeroed memory and flips with each further pass (4.6), which tells a new
/// entry from the one an earlier pass left behind.
#[derive(Clone, Debug)]
pub struct CompletionRing {
    entries: u16,
    head: u16,
    phase: bool,
}

impl CompletionRing {
    /// An empty queue of `entries` over zeroed memory.
    #[must_use]
    pub const fn new(entries: u16) -> Self {
        Self { entries, head: 0, phase: true }
    }

    /// The entry to look at, also the value for the head doorbell.
    #[must_use]
    pub const fn head(&self) -> u16 {
        self.head
    }

    /// The phase tag that entry has once the controller wrote it.
    #[must_use]
    pub const fn phase(&self) -> bool {
        self.phase
    }

    /// Moves past the entry.
    pub fn pop(&mut self) {
        self.head += 1;
        if self.head == self.entries {
            self.head = 0;
            self.phase = !self.phase;
        }
    }
}
