//! What a block is filled with: its words say whose it is, which, and when it was written.

/// The contents of the blocks of one client in one round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    seed: u64,
}

impl Stamp {
    /// Of the client called `name` in a round.
    #[must_use]
    pub fn of(name: &str, round: u64) -> Self {
        let seed = name.bytes().fold(round.wrapping_add(1), |seed, byte| mix(seed ^ u64::from(byte)));
        Self { seed }
    }

    /// Word `index` of a block.
    #[must_use]
    pub const fn word(self, block: u64, index: u64) -> u64 {
        mix(self.seed ^ mix(block.wrapping_mul(0x1_0000).wrapping_add(index)))
    }
}

/// A bijection in which every bit depends on all (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_word_is_another_client_s_block_s_or_round_s() {
        let mut seen = BTreeSet::new();
        for name in ["first", "second", "tsrif"] {
            for round in 0..5 {
                for block in 0..20 {
                    for index in 0..64 {
                        assert!(seen.insert(Stamp::of(name, round).word(block, index)));
                    }
                }
            }
        }
    }
}
