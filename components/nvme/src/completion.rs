//! Completion queue entries (4.6).

use crate::status::Status;

/// Words of a completion queue entry.
pub const WORDS: u64 = 2;

/// What a controller says about a command that ended; none of it is checked yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completion {
    /// Dword 0: a result of the command's own.
    pub result: u32,
    /// Head of the submission queue.
    pub head: u16,
    /// Number of the submission queue.
    pub queue: u16,
    /// Identifier of the command.
    pub id: u16,
    /// How it ended.
    pub status: Result<(), Status>,
}

impl Completion {
    /// Whether the upper word of an entry carries the phase tag `phase`.
    #[must_use]
    pub const fn has_phase(upper: u64, phase: bool) -> bool {
        (upper >> 48 & 1 == 1) == phase
    }

    /// The entry in these words.
    #[must_use]
    pub const fn decode(lower: u64, upper: u64) -> Self {
        Self {
            result: lower as u32,
            head: upper as u16,
            queue: (upper >> 16) as u16,
            id: (upper >> 32) as u16,
            status: Status::decode((upper >> 49) as u16),
        }
    }
}
