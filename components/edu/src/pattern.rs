//! Bytes that cannot be confused with others.

/// A pattern of bytes, chosen by a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pattern(pub u8);

impl Pattern {
    /// Byte `index` of the pattern.
    #[must_use]
    pub const fn byte(self, index: usize) -> u8 {
        // An odd factor below 256 makes neighbours differ; the carry of the index makes repeated 256-byte runs differ.
        let mixed = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        mixed as u8 ^ self.0.wrapping_mul(0x5d) ^ 0xa6
    }

    /// Stores the pattern.
    pub fn fill(self, bytes: &mut [u8]) {
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = self.byte(index);
        }
    }

    /// The first position at which `bytes` are not the pattern.
    #[must_use]
    pub fn mismatch(self, bytes: &[u8]) -> Option<usize> {
        bytes.iter().enumerate().position(|(index, byte)| *byte != self.byte(index))
    }
}

/// The first position at which two runs of bytes differ, their ends included.
#[must_use]
pub fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let different = one.iter().zip(other).position(|(a, b)| a != b);
    different.or_else(|| (one.len() != other.len()).then(|| one.len().min(other.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_differ_everywhere_and_from_shifted_copies() {
        for number in 0..32 {
            let (one, other) = (Pattern(number), Pattern(number + 1));
            assert!((0..4096).all(|index| one.byte(index) != other.byte(index)));
        }
        let mut page = [0; 4096];
        Pattern(1).fill(&mut page);
        for shift in [1, 4, 8, 64, 256, 1024] {
            assert!(first_difference(&page[shift..shift + 64], &page[..64]).is_some(), "shifted by {shift}");
        }
        assert_ne!(page[..64], [0; 64]);
    }

    #[test]
    fn a_wrong_byte_is_found_where_it_is() {
        let mut bytes = [0; 100];
        Pattern(3).fill(&mut bytes);
        assert_eq!(Pattern(3).mismatch(&bytes), None);
        bytes[99] ^= 1;
        assert_eq!(Pattern(3).mismatch(&bytes), Some(99));
        assert_eq!(first_difference(&[1, 2], &[1, 2, 3]), Some(2));
    }
}
