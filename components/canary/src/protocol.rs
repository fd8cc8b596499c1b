//! Messages of the channel.

use core::fmt;

/// Name of the channel.
pub const CHANNEL: &str = "vault";

/// What a client asks for; the number is the label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(crate) enum Request {
    /// The physical address of the keeper's own canary page, in MR0.
    Where = 0x300,
    /// Keep the frame whose capability comes along; answered with its number among the pages in MR0.
    Adopt = 0x301,
    /// Whether every page is as it was; answered with a [`Damage`] as words.
    Check = 0x302,
    /// Give up all adopted frames.
    Release = 0x303,
    /// The physical address of the page adopted last, in MR0; 0 when there is none.
    Adopted = 0x304,
}

impl Request {
    const ALL: [Self; 5] = [Self::Where, Self::Adopt, Self::Check, Self::Release, Self::Adopted];

    pub(crate) fn from_label(label: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|request| *request as u64 == label)
    }
}

/// Why the keeper did not do what it was asked; the number is the label of the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Refusal {
    /// The label is no request.
    Request = 1,
    /// No capability came along, or none that could be received.
    NoFrame = 2,
    /// The capability is no frame of 4 KiB that can be mapped.
    Unmappable = 3,
    /// The keeper has as many pages as it can.
    Full = 4,
    /// The kernel refused something it must not refuse.
    Kernel = 5,
}

impl Refusal {
    const ALL: [Self; 5] = [Self::Request, Self::NoFrame, Self::Unmappable, Self::Full, Self::Kernel];

    pub(crate) fn from_label(label: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| *refusal as u64 == label)
    }
}

/// The first word that is not what the keeper stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damage {
    /// Number of the page; 0 is the keeper's own.
    pub page: u64,
    /// Number of the 64-bit word in it.
    pub word: u64,
    /// What is there now.
    pub found: u64,
}

/// The outcome of a check as text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShownDamage(pub Option<Damage>);

impl fmt::Display for ShownDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("no word changed"),
            Some(Damage { page, word, found }) => write!(f, "word {word} of page {page} is {found:#x}"),
        }
    }
}

/// The answer to a check: 1 and the damage, or 0.
pub(crate) fn verdict_words(damage: Option<Damage>) -> [u64; 4] {
    match damage {
        Some(Damage { page, word, found }) => [1, page, word, found],
        None => [0; 4],
    }
}

/// The damage in an answer; `None` when the answer is no verdict.
pub(crate) fn verdict(words: &[u64]) -> Option<Option<Damage>> {
    match *words {
        [0, ..] => Some(None),
        [1, page, word, found] => Some(Some(Damage { page, word, found })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_survive_the_way() {
        let damage = Some(Damage { page: 1, word: 511, found: 0xbad });
        assert_eq!(verdict(&verdict_words(damage)), Some(damage));
        assert_eq!(verdict(&verdict_words(None)), Some(None));
        assert_eq!(verdict(&[]), None, "silence is no verdict");
        assert_eq!(verdict(&[1, 2]), None);
        assert_eq!(verdict(&[2, 0, 0, 0]), None);
    }

    #[test]
    fn labels_name_one_thing() {
        for request in Request::ALL {
            assert_eq!(Request::from_label(request as u64), Some(request));
            assert_eq!(Refusal::from_label(request as u64), None);
        }
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from_label(refusal as u64), Some(refusal));
        }
        assert_eq!(Request::from_label(0), None);
        assert_eq!(Refusal::from_label(0), None, "0 is success");
    }
}
