//! Why the driver cannot go on, as opposed to why one command failed ([`Status`]).

use core::fmt;

use crate::prp::PrpError;
use crate::status::Status;

/// A failure of the driver's operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The registers read as all ones: no function decodes them.
    Absent,
    /// The controller reports a fatal status (CSTS.CFS); only a reset helps.
    Fatal,
    /// Something did not happen in time.
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        ms: u64,
    },
    /// The controller or its namespace is of a kind this driver cannot use.
    Unsupported(Unsupported),
    /// A command of the driver's own (not a transfer of its user) failed.
    Command {
        /// Which.
        what: &'static str,
        /// How.
        status: Status,
    },
    /// A transfer failed at a block.
    Transfer {
        /// First block of the command.
        lba: u64,
        /// How.
        status: Status,
    },
    /// The controller broke the protocol; nothing it says can be relied on any more.
    Protocol(Violation),
    /// As many commands are outstanding as the queue takes; reap completions first.
    Busy,
    /// The caller's transfer cannot be expressed in one command.
    Prp(PrpError),
    /// What one command is to transfer is no number of blocks, or more than it can.
    Blocks,
    /// The memory given to the driver is too small.
    Memory {
        /// Bytes needed.
        needed: u64,
        /// Bytes given.
        given: u64,
    },
}

/// What a controller lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unsupported {
    /// 4 KiB pages.
    PageSize,
    /// The NVM command set.
    CommandSet,
    /// Queues of two entries.
    QueueSize,
    /// Register window that holds the doorbells of queue 1.
    Window,
    /// 64-byte submission and 16-byte completion entries.
    EntrySize,
    /// A namespace.
    Namespace,
    /// Blocks of 512 to 4096 bytes without metadata.
    BlockFormat,
}

/// How a controller broke the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Violation {
    /// A completion for a command that is not outstanding.
    UnknownCommand(u16),
    /// A completion on one queue for a command of another.
    WrongQueue(u16),
    /// A submission queue head that skips over entries never submitted.
    Head(u16),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no controller answers (registers read as all ones)"),
            Self::Fatal => f.write_str("the controller reports a fatal status"),
            Self::TimedOut { what, ms } => write!(f, "{what} took longer than {ms} ms"),
            Self::Unsupported(what) => write!(f, "the controller has no {what}"),
            Self::Command { what, status } => write!(f, "{what} failed: {status}"),
            Self::Transfer { lba, status } => write!(f, "transfer at block {lba} failed: {status}"),
            Self::Protocol(violation) => write!(f, "the controller broke the protocol: {violation}"),
            Self::Busy => f.write_str("the queue is full"),
            Self::Prp(error) => error.fmt(f),
            Self::Blocks => f.write_str("the number of blocks does not fit one command"),
            Self::Memory { needed, given } => write!(f, "{given} bytes of DMA memory where {needed} are needed"),
        }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PageSize => "support for 4 KiB pages",
            Self::CommandSet => "NVM command set",
            Self::QueueSize => "queues of two entries or more",
            Self::Window => "registers for an I/O queue inside its window",
            Self::EntrySize => "queue entries of 64 and 16 bytes",
            Self::Namespace => "usable namespace 1",
            Self::BlockFormat => "format with blocks of 512 to 4096 bytes and no metadata",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCommand(id) => write!(f, "it completed command {id}, which is not outstanding"),
            Self::WrongQueue(queue) => write!(f, "it completed a command of queue {queue} elsewhere"),
            Self::Head(head) => write!(f, "it reports submission queue head {head}, beyond what was submitted"),
        }
    }
}

impl From<PrpError> for Error {
    fn from(error: PrpError) -> Self {
        Self::Prp(error)
    }
}
