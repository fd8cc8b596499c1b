//! What the component decides without its disk: when each of its lives ends, and how.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

/// How a life ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Death {
    /// It panics.
    Panic,
    /// It stores to where it has no memory.
    Store,
    /// It tells its supervisor something that is no message.
    Nonsense,
}

impl Death {
    /// The end of the life with this number: each kind in turn.
    #[must_use]
    pub const fn of(life: u32) -> Self {
        match life % 3 {
            0 => Self::Panic,
            1 => Self::Store,
            _ => Self::Nonsense,
        }
    }
}

/// Commands that end before life `life` does, of `commands` altogether; at least one, and with some left.
///
/// The fractions of the golden ratio's multiples visit a range evenly (Knuth, The Art of Computer Programming 3, 6.4): a short life is
/// followed by longer ones, in which others get on.
#[must_use]
pub const fn ends_after(life: u32, commands: u64) -> u64 {
    let fraction = (life as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let range = if commands > 2 { commands - 1 } else { 1 };
    1 + ((fraction as u128 * range as u128) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn lives_end_at_many_moments_and_never_after_the_last_command() {
        let moments: BTreeSet<u64> = (0..200).map(|life| ends_after(life, 128)).collect();
        assert!(moments.len() > 90, "{}", moments.len());
        assert!(moments.iter().all(|moment| (1..128).contains(moment)), "{moments:?}");
        assert!((0..10).all(|life| ends_after(life, 0) == 1 && ends_after(life, 2) == 1));
    }

    #[test]
    fn no_short_life_follows_another() {
        for commands in [128, 250, 251, 400, 1000] {
            let short = |life: &u32| ends_after(*life, commands) < commands / 4;
            let lives: Vec<u32> = (0..1000).filter(short).collect();
            assert!(lives.len() > 200, "{commands}: {}", lives.len());
            assert!(lives.windows(2).all(|pair| pair[1] > pair[0] + 1), "{commands}: {lives:?}");
        }
    }

    #[test]
    fn every_way_to_die_is_taken() {
        let ways = [0, 1, 2, 3].map(Death::of);
        assert_eq!(ways, [Death::Panic, Death::Store, Death::Nonsense, Death::Panic]);
    }
}
