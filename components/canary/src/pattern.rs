//! What a canary page holds.

/// Words of a page.
pub(crate) const WORDS: usize = sluice_abi::PAGE_SIZE as usize / 8;

/// Word `word` of page `page`: different in each place, and unlike anything a device's buffer or a cleared page holds.
pub(crate) const fn word(page: u64, word: usize) -> u64 {
    // Steps of the golden ratio's fraction never meet within 2^64 of them.
    let place = page * WORDS as u64 + word as u64 + 1;
    place.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x00ca_7a12_00ca_7a12
}

/// The first word that `load` finds to be another: its number and what is there.
pub(crate) fn first_damage(page: u64, load: impl Fn(usize) -> u64) -> Option<(u64, u64)> {
    (0..WORDS)
        .map(|index| (index, load(index)))
        .find(|(index, found)| *found != word(page, *index))
        .map(|(index, found)| (index as u64, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_flipped_bit_anywhere_is_found() {
        for index in [0, 1, 255, WORDS - 1] {
            for bit in [0, 31, 63] {
                let load = |at: usize| if at == index { word(3, at) ^ 1 << bit } else { word(3, at) };
                assert_eq!(first_damage(3, load), Some((index as u64, word(3, index) ^ 1 << bit)));
            }
        }
        assert_eq!(first_damage(3, |at| word(3, at)), None);
    }

    #[test]
    fn pages_differ_from_each_other_and_from_nothing() {
        assert!(first_damage(0, |at| word(1, at)).is_some());
        assert!((0..WORDS).all(|at| word(0, at) != 0 && word(0, at) != u64::MAX && word(0, at) != word(1, at)));
    }
}
