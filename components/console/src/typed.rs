//! What was typed for one client and not read yet.

use alloc::collections::VecDeque;

/// Bytes that are kept for a client that does not read.
pub const TYPED_MAX: usize = 1024;

/// A queue that drops what does not fit, and counts it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Typed {
    bytes: VecDeque<u8>,
    lost: u64,
}

impl Typed {
    /// Adds a byte.
    pub fn push(&mut self, byte: u8) {
        if self.bytes.len() < TYPED_MAX {
            self.bytes.push_back(byte);
        } else {
            self.lose(1);
        }
    }

    /// Counts bytes that never came.
    pub fn lose(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_add(bytes);
    }

    /// Takes the oldest bytes, as many as `into` has room for; how many, and how many were lost since this was last asked.
    pub fn take(&mut self, into: &mut [u8]) -> (usize, u64) {
        let count = into.len().min(self.bytes.len());
        for (place, byte) in into.iter_mut().zip(self.bytes.drain(..count)) {
            *place = byte;
        }
        (count, core::mem::take(&mut self.lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_kept_and_the_others_counted() {
        let mut typed = Typed::default();
        for number in 0..TYPED_MAX + 3 {
            typed.push(number as u8);
        }
        let mut into = [0; 5];
        assert_eq!((typed.take(&mut into), into), ((5, 3), [0, 1, 2, 3, 4]));
        typed.push(99);
        let mut rest = [0; 2 * TYPED_MAX];
        assert_eq!(typed.take(&mut rest), (TYPED_MAX - 4, 0), "and the count starts again");
        assert_eq!((rest[0], rest[TYPED_MAX - 5]), (5, 99));
        assert_eq!(typed.take(&mut rest), (0, 0));
    }
}
