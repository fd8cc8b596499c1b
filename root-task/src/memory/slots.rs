//! Empty slots of the root CNode.

use core::fmt;

/// Slots nothing was put into yet; they are handed out in ascending order and never come back.
#[derive(Clone, Debug)]
pub struct Slots {
    next: u64,
    end: u64,
}

/// The root CNode is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfSlots {
    /// Slots asked for.
    pub wanted: u64,
    /// Slots left.
    pub left: u64,
}

impl fmt::Display for OutOfSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the root CNode has {} empty slots left, {} are needed", self.left, self.wanted)
    }
}

impl Slots {
    /// The slots `start..end`.
    #[must_use]
    pub const fn new(start: u64, end: u64) -> Self {
        Self { next: start, end }
    }

    /// The first slot that was never taken.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Slots left.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.end.saturating_sub(self.next)
    }

    /// The first of `count` consecutive empty slots.
    ///
    /// # Errors
    /// [`OutOfSlots`] when fewer are left; none is taken then.
    pub fn take(&mut self, count: u64) -> Result<u64, OutOfSlots> {
        let left = self.end.saturating_sub(self.next);
        if count > left {
            return Err(OutOfSlots { wanted: count, left });
        }
        let first = self.next;
        self.next += count;
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_slot_is_given_twice_and_a_refusal_takes_none() {
        let mut slots = Slots::new(10, 20);
        assert_eq!(slots.take(4), Ok(10));
        assert_eq!(slots.take(7), Err(OutOfSlots { wanted: 7, left: 6 }));
        assert_eq!(slots.take(6), Ok(14));
        assert_eq!(slots.take(1), Err(OutOfSlots { wanted: 1, left: 0 }));
        assert_eq!(slots.take(u64::MAX), Err(OutOfSlots { wanted: u64::MAX, left: 0 }));
    }
}
