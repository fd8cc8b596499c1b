//! Messages that are wrong in every way, some in one place only.

use fastrand::Rng;
use sluice_manifest::{block, console, timer};

/// Words of a message, at most.
const WORDS: usize = 120;

/// Whom a message goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// The block server.
    Block,
    /// The console server.
    Console,
    /// The timer server.
    Timer,
}

/// How it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// An answer is waited for.
    Call,
    /// No answer can come.
    Send,
    /// It is lost unless the server waits for one.
    TrySend,
}

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// Whom it goes to.
    pub to: To,
    /// How.
    pub manner: Manner,
    /// Its label.
    pub label: u64,
    /// Its words.
    pub words: [u64; WORDS],
    /// How many of them are sent.
    pub length: usize,
    /// How many capabilities come along.
    pub caps: usize,
}

/// Messages without end, the same for the same seed.
#[derive(Clone, Debug)]
pub struct Letters {
    random: Rng,
}

impl Letters {
    /// Those that `seed` stands for.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed) }
    }

    fn word(&mut self) -> u64 {
        match self.random.u8(0..8) {
            0..3 => self.random.u64(0..160),
            3 => self.random.u64(0..=1 << 20),
            4 => u64::MAX - self.random.u64(0..160),
            5 => 1 << self.random.u32(0..64),
            _ => self.random.u64(..),
        }
    }

    fn label(&mut self) -> u64 {
        let known =
            [block::GEOMETRY, block::READ, block::WRITE, block::FLUSH, console::WRITE, console::READ, timer::SET];
        match self.random.u8(0..8) {
            0 => self.random.u64(0..1 << 52),
            1 => self.random.u64(0..0x400),
            _ => known[self.random.usize(..known.len())],
        }
    }
}

impl Iterator for Letters {
    type Item = Letter;

    fn next(&mut self) -> Option<Letter> {
        let to = [To::Block, To::Block, To::Console, To::Timer][self.random.usize(..4)];
        let manner = [Manner::Call, Manner::Call, Manner::Send, Manner::TrySend][self.random.usize(..4)];
        let label = self.label();
        let length = if self.random.bool() { self.random.usize(..5) } else { self.random.usize(..=WORDS) };
        let mut words = [0; WORDS];
        words[..length].fill_with(|| self.word());
        Some(Letter { to, manner, label, words, length, caps: self.random.usize(..4) })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    #[test]
    fn messages_are_repeatable_and_of_every_kind() {
        let letters = |seed| Letters::new(seed).take(2000).collect::<Vec<Letter>>();
        let some = letters(1);
        assert_eq!(some, letters(1));
        assert_ne!(some, letters(2));
        let is = |wanted: &dyn Fn(&Letter) -> bool| some.iter().filter(|letter| wanted(letter)).count() > 10;
        for label in [block::READ, block::WRITE, console::WRITE, timer::SET] {
            assert!(is(&|letter| letter.label == label && letter.manner == Manner::Call));
        }
        assert!(is(&|letter| letter.label > 0x400) && is(&|letter| letter.length == 0));
        // Good in all but one place, or all of them.
        let at_the_edge = |letter: &Letter| letter.words[0] < 160 && letter.words[1] < 160;
        assert!(is(&|letter| letter.to == To::Block && letter.length > 2 && at_the_edge(letter)));
        assert_eq!(some.iter().map(|letter| letter.caps).collect::<BTreeSet<_>>(), BTreeSet::from([0, 1, 2, 3]));
    }
}
