//! Identifiers of outstanding commands.

/// Most commands outstanding on one queue.
pub const MAX_OUTSTANDING: u16 = 64;

/// Identifier of a command that is outstanding, below [`MAX_OUTSTANDING`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CommandId(u16);

impl CommandId {
    /// Its number, which also names the command's PRP list.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.0
    }
}

/// Which identifiers are outstanding.
#[derive(Clone, Debug)]
pub struct CommandIds {
    outstanding: u64,
    limit: u16,
}

impl CommandIds {
    /// Identifiers 0..`limit`, none outstanding; at most [`MAX_OUTSTANDING`].
    #[must_use]
    pub fn new(limit: u16) -> Self {
        Self { outstanding: 0, limit: limit.min(MAX_OUTSTANDING) }
    }

    /// An identifier that is not outstanding, and is from now on.
    pub fn take(&mut self) -> Option<CommandId> {
        let id = self.outstanding.trailing_ones() as u16;
        if id >= self.limit {
            return None;
        }
        self.outstanding |= 1 << id;
        Some(CommandId(id))
    }

    /// Ends the command with the number a controller reported; `None` when there is no such command.
    pub fn end(&mut self, number: u16) -> Option<CommandId> {
        if number >= self.limit || self.outstanding & 1 << number == 0 {
            return None;
        }
        self.outstanding &= !(1 << number);
        Some(CommandId(number))
    }

    /// Number of outstanding commands.
    #[must_use]
    pub fn outstanding(&self) -> u16 {
        self.outstanding.count_ones() as u16
    }

    /// Most commands that can be outstanding.
    #[must_use]
    pub fn limit(&self) -> u16 {
        self.limit
    }
}
