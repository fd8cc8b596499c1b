//! The header and the blocks it places (Devicetree Specification 0.4, 5.2 and 5.3).

use super::{BlobError, Block, MAX_BLOB_BYTES};

const MAGIC: u32 = 0xd00d_feed;
/// The version of every tool of the last decades; a reader of 17 can also read what claims compatibility with 16.
const VERSION: u32 = 17;
const OLDEST_COMPATIBLE: u32 = 16;
const HEADER_BYTES: usize = 40;

/// The three blocks of a blob, in bounds of it.
#[derive(Clone, Copy)]
pub(super) struct Blocks<'a> {
    /// The blob, `totalsize` bytes.
    pub(super) blob: &'a [u8],
    /// Structure block.
    pub(super) structure: &'a [u8],
    /// Offset of the structure block.
    pub(super) structure_offset: usize,
    /// Strings block.
    pub(super) strings: &'a [u8],
    /// Offset of the strings block.
    pub(super) strings_offset: usize,
    /// Offset behind the last entry of the memory reservation block.
    pub(super) reservations_end: usize,
}

/// The big-endian word at `offset`, if it is all there.
pub(super) fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let four = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

fn double_word(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from(word(bytes, offset)?) << 32 | u64::from(word(bytes, offset.checked_add(4)?)?))
}

/// Reads the header and checks where it places the blocks, and that the reservations end.
pub(super) fn blocks(bytes: &[u8]) -> Result<Blocks<'_>, BlobError> {
    let field = |index: usize| {
        word(bytes, index * 4).ok_or(BlobError::Truncated { needed: HEADER_BYTES as u64, found: bytes.len() })
    };
    let magic = field(0)?;
    if magic != MAGIC {
        return Err(BlobError::Magic(magic));
    }
    let total = field(1)?;
    let (structure_offset, strings_offset, reservations_offset) = (field(2)?, field(3)?, field(4)?);
    let (version, compatible) = (field(5)?, field(6)?);
    let (strings_bytes, structure_bytes) = (field(8)?, field(9)?);
    if version < VERSION || !(OLDEST_COMPATIBLE..=VERSION).contains(&compatible) {
        return Err(BlobError::Version { version, compatible });
    }
    if total > MAX_BLOB_BYTES {
        return Err(BlobError::TooLarge(total));
    }
    let needed = (total as usize).max(HEADER_BYTES);
    let blob = bytes.get(..needed).ok_or(BlobError::Truncated { needed: needed as u64, found: bytes.len() })?;
    let structure = block(blob, Block::Structure, structure_offset, structure_bytes, 4)?;
    let strings = block(blob, Block::Strings, strings_offset, strings_bytes, 1)?;
    let reservations_end = reservations_end(blob, reservations_offset)?;
    let (structure_offset, strings_offset) = (structure_offset as usize, strings_offset as usize);
    Ok(Blocks { blob, structure, structure_offset, strings, strings_offset, reservations_end })
}

fn block(blob: &[u8], which: Block, offset: u32, bytes: u32, alignment: u32) -> Result<&[u8], BlobError> {
    if !offset.is_multiple_of(alignment) {
        return Err(BlobError::Misaligned(which));
    }
    let start = offset as usize;
    if start < HEADER_BYTES {
        return Err(BlobError::OutOfBounds(which));
    }
    let end = start.checked_add(bytes as usize).ok_or(BlobError::OutOfBounds(which))?;
    blob.get(start..end).ok_or(BlobError::OutOfBounds(which))
}

fn reservations_end(blob: &[u8], offset: u32) -> Result<usize, BlobError> {
    let rest = block(blob, Block::Reservations, offset, 0, 8).map(|_| offset as usize)?;
    let mut at = rest;
    loop {
        let entry = double_word(blob, at).zip(double_word(blob, at + 8));
        let (address, size) = entry.ok_or(BlobError::UnterminatedReservations)?;
        if address == 0 && size == 0 {
            return Ok(at + 16);
        }
        if address.checked_add(size).is_none() {
            return Err(BlobError::ReservationOverflow { offset: at });
        }
        at += 16;
    }
}
