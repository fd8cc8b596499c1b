//! The pattern a scratch disk is filled with: each word tells where it belongs, so a misplaced block is as visible as
//! a damaged one.

/// The word at byte `offset` of the disk, a multiple of eight; stored little-endian.
#[must_use]
pub const fn word(offset: u64) -> u64 {
    offset ^ 0x5c5c_5c5c_5c5c_5c5c
}
