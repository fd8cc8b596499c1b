//! Words that no device writes.

/// The contents of reused memory in one round.
///
/// Every word differs from the word at the same place in the rounds before and after, from its neighbours, and from what
/// the disk holds (zeroes).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Canary(pub u64);

impl Canary {
    /// The word at byte `offset`.
    #[must_use]
    pub const fn word(self, offset: usize) -> u64 {
        let mixed =
            (offset as u64 / 8 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.0.wrapping_mul(0xd1b5_4a32_d192_ed03);
        mixed | 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_differ_from_neighbours_and_from_other_rounds() {
        for round in 0..200 {
            for offset in (0..4096).step_by(8) {
                let word = Canary(round).word(offset);
                assert_ne!(word, 0);
                assert_ne!(word, Canary(round).word(offset + 8));
                assert_ne!(word, Canary(round + 1).word(offset));
            }
        }
    }
}
