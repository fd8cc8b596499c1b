//! Submission queue entries (4.2): the commands this driver gives.

use sluice_abi::Iova;

use crate::ids::CommandId;
use crate::prp::Pointers;

/// Words of a submission queue entry.
pub const WORDS: usize = 8;

/// A command, complete but for its identifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Command {
    opcode: u8,
    namespace: u32,
    data: Pointers,
    dwords: [u32; 6],
}

/// Log page of errors (5.14.1.1).
pub const LOG_ERRORS: u8 = 0x01;
/// Bytes of one entry of that page.
pub const LOG_ERROR_BYTES: u32 = 64;

/// What Identify tells (5.15).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identify {
    /// The controller.
    Controller,
    /// A namespace.
    Namespace(u32),
}

impl Command {
    const fn new(opcode: u8, namespace: u32, data: Pointers) -> Self {
        Self { opcode, namespace, data, dwords: [0; 6] }
    }

    const fn dword(mut self, number: usize, value: u32) -> Self {
        self.dwords[number - 10] = value;
        self
    }

    /// Identify into the page at `page` (5.15).
    #[must_use]
    pub const fn identify(what: Identify, page: Iova) -> Self {
        let (namespace, cns) = match what {
            Identify::Controller => (0, 1),
            Identify::Namespace(namespace) => (namespace, 0),
        };
        Self::new(0x06, namespace, Pointers { first: page, second: Iova(0) }).dword(10, cns)
    }

    /// Set Features: asks for one I/O submission and one I/O completion queue (5.21.1.7, numbers are zero-based).
    #[must_use]
    pub const fn one_queue_pair() -> Self {
        Self::new(0x09, 0, Pointers { first: Iova(0), second: Iova(0) }).dword(10, 0x07).dword(11, 0)
    }

    /// Create I/O Completion Queue: contiguous, interrupting on vector 0 (5.3).
    #[must_use]
    pub const fn create_completion_queue(queue: u16, entries: u16, at: Iova) -> Self {
        Self::new(0x05, 0, Pointers { first: at, second: Iova(0) })
            .dword(10, ((entries - 1) as u32) << 16 | queue as u32)
            .dword(11, 0b11)
    }

    /// Create I/O Submission Queue: contiguous, completing to the completion queue of the same number (5.4).
    #[must_use]
    pub const fn create_submission_queue(queue: u16, entries: u16, at: Iova) -> Self {
        Self::new(0x01, 0, Pointers { first: at, second: Iova(0) })
            .dword(10, ((entries - 1) as u32) << 16 | queue as u32)
            .dword(11, (queue as u32) << 16 | 0b1)
    }

    /// Get Log Page: the first `bytes`, a multiple of four and not zero, of page `log` (5.14).
    #[must_use]
    pub const fn log_page(log: u8, bytes: u32, at: Iova) -> Self {
        let dwords = bytes / 4 - 1;
        Self::new(0x02, u32::MAX, Pointers { first: at, second: Iova(0) })
            .dword(10, (dwords & 0xffff) << 16 | log as u32)
            .dword(11, dwords >> 16)
    }

    /// Flush (6.8).
    #[must_use]
    pub const fn flush(namespace: u32) -> Self {
        Self::new(0x00, namespace, Pointers { first: Iova(0), second: Iova(0) })
    }

    /// Write `blocks` from `lba` on (6.15); `blocks` is not zero.
    #[must_use]
    pub const fn write(namespace: u32, lba: u64, blocks: u32, data: Pointers) -> Self {
        Self::transfer(0x01, namespace, lba, blocks, data)
    }

    /// Read `blocks` from `lba` on (6.9); `blocks` is not zero.
    #[must_use]
    pub const fn read(namespace: u32, lba: u64, blocks: u32, data: Pointers) -> Self {
        Self::transfer(0x02, namespace, lba, blocks, data)
    }

    const fn transfer(opcode: u8, namespace: u32, lba: u64, blocks: u32, data: Pointers) -> Self {
        Self::new(opcode, namespace, data)
            .dword(10, lba as u32)
            .dword(11, (lba >> 32) as u32)
            .dword(12, (blocks - 1) & 0xffff)
    }

    /// The entry for the queue.
    #[must_use]
    pub const fn encode(&self, id: CommandId) -> [u64; WORDS] {
        let d = &self.dwords;
        [
            pair(self.opcode as u32 | (id.index() as u32) << 16, self.namespace),
            0,
            0,
            self.data.first.0,
            self.data.second.0,
            pair(d[0], d[1]),
            pair(d[2], d[3]),
            pair(d[4], d[5]),
        ]
    }
}

const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}
