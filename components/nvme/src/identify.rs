//! What Identify returns (5.15.2), checked.

use core::fmt;

use crate::error::{Error, Unsupported};
use crate::hardware::Dma;
use crate::layout::MAX_TRANSFER;
use crate::prp::PAGE;

/// A copy of the answer's page, taken once: the controller could change the page while it is being looked at.
pub struct Answer([u64; 512]);

impl Answer {
    /// Copies the page at `offset`.
    #[must_use]
    pub fn copy(memory: &impl Dma, offset: u64) -> Self {
        let mut words = [0; 512];
        for (index, word) in (0..).zip(words.iter_mut()) {
            *word = memory.load(offset + 8 * index);
        }
        Self(words)
    }

    /// The byte at `at`, below 4096.
    #[must_use]
    pub const fn byte(&self, at: usize) -> u8 {
        (self.0[at / 8] >> (8 * (at % 8))) as u8
    }

    /// The little-endian number of `bytes` (at most 8) bytes at `at`.
    #[must_use]
    pub fn number(&self, at: usize, bytes: usize) -> u64 {
        (0..bytes).fold(0, |value, index| value | u64::from(self.byte(at + index)) << (8 * index))
    }

    fn text<const N: usize>(&self, at: usize) -> Text<N> {
        let mut text = [b' '; N];
        for (index, byte) in text.iter_mut().enumerate() {
            *byte = self.byte(at + index);
        }
        Text(text)
    }
}

/// Text a controller gave, padded with spaces; shown with everything but printable ASCII replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Text<const N: usize>([u8; N]);

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().rposition(|&byte| byte != b' ' && byte != 0).map_or(0, |last| last + 1);
        for &byte in &self.0[..end] {
            let shown = if byte == b' ' || byte.is_ascii_graphic() { char::from(byte) } else { '?' };
            fmt::Write::write_char(f, shown)?;
        }
        Ok(())
    }
}

/// The controller (figure 247).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ControllerIdentity {
    /// Serial number.
    pub serial: Text<20>,
    /// Model number.
    pub model: Text<40>,
    /// Firmware revision.
    pub firmware: Text<8>,
    /// Most bytes of one command: the smaller of what the controller and what a PRP list of this driver allows.
    pub max_transfer: u64,
    /// The controller has a volatile write cache, so that only Flush makes writes durable.
    pub write_cache: bool,
}

impl ControllerIdentity {
    /// Checks the answer.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for queue entries of other sizes.
    pub fn parse(answer: &Answer) -> Result<Self, Error> {
        let allows = |sizes: u8, wanted: u8| sizes & 0xf <= wanted && wanted <= sizes >> 4;
        if !allows(answer.byte(512), 6) || !allows(answer.byte(513), 4) {
            return Err(Error::Unsupported(Unsupported::EntrySize));
        }
        // MDTS is a power of two of the smallest page, and 0 for no limit; beyond 2^20 pages it is none for us either.
        let max_transfer = match answer.byte(77) {
            pages @ 1..=20 => MAX_TRANSFER.min(PAGE << pages),
            _ => MAX_TRANSFER,
        };
        Ok(Self {
            serial: answer.text(4),
            model: answer.text(24),
            firmware: answer.text(64),
            max_transfer,
            write_cache: answer.byte(525) & 1 != 0,
        })
    }
}

/// A namespace (figure 245).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Namespace {
    /// Its identifier.
    pub id: u32,
    /// Blocks, not zero.
    pub blocks: u64,
    /// log2 of the bytes of a block, 9..=12.
    pub block_bits: u32,
}

impl Namespace {
    /// Checks the answer about namespace `id`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when it is inactive (all zero), its blocks have metadata or other sizes, or its bytes
    /// are beyond 2^64.
    pub fn parse(id: u32, answer: &Answer) -> Result<Self, Error> {
        let blocks = answer.number(0, 8);
        if blocks == 0 {
            return Err(Error::Unsupported(Unsupported::Namespace));
        }
        let format = 128 + 4 * usize::from(answer.byte(26) & 0xf);
        let metadata = answer.number(format, 2);
        let block_bits = u32::from(answer.byte(format + 2));
        if metadata != 0 || !(9..=12).contains(&block_bits) || blocks > u64::MAX >> block_bits {
            return Err(Error::Unsupported(Unsupported::BlockFormat));
        }
        Ok(Self { id, blocks, block_bits })
    }

    /// Bytes of the namespace.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.blocks << self.block_bits
    }

    /// Bytes of a block.
    #[must_use]
    pub const fn block_bytes(&self) -> u64 {
        1 << self.block_bits
    }
}

/// An entry of the error log (figure 194).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorEntry {
    /// Number of the error since the controller was made; 0 marks an entry that is not in use.
    pub count: u64,
    /// Submission queue of the command.
    pub queue: u16,
    /// The command's identifier.
    pub command: u16,
    /// Status field with phase tag.
    pub status: u16,
    /// First block with the error.
    pub lba: u64,
}

impl ErrorEntry {
    /// The first entry of the page.
    #[must_use]
    pub fn parse(answer: &Answer) -> Self {
        Self {
            count: answer.number(0, 8),
            queue: answer.number(8, 2) as u16,
            command: answer.number(10, 2) as u16,
            status: answer.number(12, 2) as u16,
            lba: answer.number(16, 8),
        }
    }
}
