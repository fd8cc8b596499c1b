//! What servers and clients say to each other, and what clients make of the answers.
//!
//! A server dies when it is asked to, and whoever waits for it has to learn that at once, and nobody else may.
#![no_std]
#![forbid(unsafe_code)]

use sluice_manifest::supervisor::ServerEnd;

/// What a client asks for; the number is the label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Request {
    /// An answer: MR0 = a number. Answered with MR0 = [`echo`] of it, and MR1 = the number of the server's life.
    Ask = 0x320,
    /// No answer before somebody asks for [`Request::Release`]; answered like [`Request::Ask`] then.
    Keep = 0x321,
    /// An answer for the client that is kept, and one for this client.
    Release = 0x322,
    /// The server's death. There is no answer of its own.
    Die = 0x323,
}

impl Request {
    /// The request with this label.
    #[must_use]
    pub fn from_label(label: u64) -> Option<Self> {
        [Self::Ask, Self::Keep, Self::Release, Self::Die].into_iter().find(|request| *request as u64 == label)
    }
}

/// Label of the answer to what is no request, or comes at the wrong time.
pub const REFUSED: u64 = 1;

/// What a number is answered with: nothing that is in a register by chance.
#[must_use]
pub const fn echo(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17)
}

/// What came of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The right answer, of this life.
    Answered(u64),
    /// The server died.
    Ended(ServerEnd),
    /// Anything else; its label.
    Wrong(u64),
}

impl Outcome {
    /// The answer to a call with `number`.
    #[must_use]
    pub fn of(number: u64, label: u64, words: &[u64]) -> Self {
        match (label, words, ServerEnd::from_label(label)) {
            (0, [word, life], _) if *word == echo(number) => Self::Answered(*life),
            (_, [], Some(end)) => Self::Ended(end),
            _ => Self::Wrong(label),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_right_or_says_that_the_server_died() {
        assert_eq!(Outcome::of(7, 0, &[echo(7), 3]), Outcome::Answered(3));
        for (label, words) in [(0, &[echo(8), 3][..]), (0, &[echo(7)]), (0, &[]), (1, &[]), (0x110, &[1])] {
            assert_eq!(Outcome::of(7, label, words), Outcome::Wrong(label), "{label:#x}");
        }
        assert_eq!(Outcome::of(7, 0x110, &[]), Outcome::Ended(ServerEnd::Died));
        assert_eq!(Outcome::of(7, 0x111, &[]), Outcome::Ended(ServerEnd::Gone));
        assert_ne!(echo(0x110), echo(0x111));
    }
}
