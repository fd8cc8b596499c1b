//! Layout of a thread's IPC buffer: byte offsets of its words.

use crate::MessageInfo;

/// log2 of the buffer's bytes and of its alignment.
pub const SIZE_BITS: u32 = 10;
/// Words in the buffer's message area.
pub const MESSAGE_WORDS: usize = MessageInfo::MAX_LENGTH as usize;
/// Offset of the user's data word.
pub const USER_DATA: u64 = 968;
/// Offset of the slot's root CNode for a received capability.
pub const RECEIVE_CNODE: u64 = 1000;
/// Offset of the index of the receive slot.
pub const RECEIVE_INDEX: u64 = 1008;
/// Offset of the depth of the receive slot.
pub const RECEIVE_DEPTH: u64 = 1016;

/// Offset of message word `index`; words 0..4 travel in registers and are not read from here.
#[must_use]
pub const fn message(index: usize) -> u64 {
    8 * (index as u64 + 1)
}

/// Offset of the `index`-th capability pointer to send, or badge received (`index` < 3).
#[must_use]
pub const fn cap_or_badge(index: usize) -> u64 {
    976 + 8 * index as u64
}

const _: () = assert!(message(MESSAGE_WORDS) == USER_DATA && RECEIVE_DEPTH + 8 == 1 << SIZE_BITS);
