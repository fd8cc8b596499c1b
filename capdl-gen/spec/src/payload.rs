//! What follows the root task in memory: a header, the encoded system, and files at page boundaries.

use core::fmt;

/// First word of a payload: "SLUICE01", little-endian.
pub const PAYLOAD_MAGIC: u64 = u64::from_le_bytes(*b"SLUICE01");

/// Header of the payload, at the first page boundary after the root task's memory image.
///
/// Four little-endian words: magic, bytes of the whole payload, offset and bytes of the encoded system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PayloadHeader {
    /// Bytes of the payload, this header included.
    pub total_len: u64,
    /// Offset of the encoded system.
    pub system_offset: u64,
    /// Bytes of the encoded system.
    pub system_len: u64,
}

/// Why bytes are no payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PayloadError {
    /// Fewer bytes than a header.
    Short,
    /// The magic number is another.
    Magic(u64),
    /// The system lies outside the payload.
    Bounds,
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => write!(f, "payload shorter than its header"),
            Self::Magic(word) => write!(f, "payload starts with {word:#x}"),
            Self::Bounds => write!(f, "payload's system lies outside the payload"),
        }
    }
}

impl PayloadHeader {
    /// Bytes of the header.
    pub const LEN: usize = 32;

    /// The header as bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let words = [PAYLOAD_MAGIC, self.total_len, self.system_offset, self.system_len];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// The header at the start of `bytes`.
    ///
    /// # Errors
    /// [`PayloadError`] when there is none, or its system lies outside the payload it describes.
    pub fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        let mut words = [0u64; 4];
        let header = bytes.get(..Self::LEN).ok_or(PayloadError::Short)?;
        for (word, chunk) in words.iter_mut().zip(header.chunks_exact(8)) {
            *word = chunk.iter().rev().fold(0, |acc, byte| acc << 8 | u64::from(*byte));
        }
        let [magic, total_len, system_offset, system_len] = words;
        if magic != PAYLOAD_MAGIC {
            return Err(PayloadError::Magic(magic));
        }
        let end = system_offset.checked_add(system_len).ok_or(PayloadError::Bounds)?;
        if system_offset < Self::LEN as u64 || end > total_len {
            return Err(PayloadError::Bounds);
        }
        Ok(Self { total_len, system_offset, system_len })
    }
}
