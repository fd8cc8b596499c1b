//! A digest of words, to compare a system's state before and after a call.

/// A running digest (the 64-bit FNV-1a construction, a word at a time).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hash(u64);

impl Hash {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    /// The digest of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Self::START)
    }

    /// Adds a word.
    pub const fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(Self::PRIME);
    }

    /// The digest so far.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_every_bit_count() {
        let of = |words: &[u64]| {
            let mut hash = Hash::new();
            words.iter().for_each(|word| hash.add(*word));
            hash.value()
        };
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
        assert_ne!(of(&[]), of(&[0]));
        for bit in 0..64 {
            assert_ne!(of(&[7, 1 << bit, 9]), of(&[7, 0, 9]), "bit {bit}");
        }
    }
}
