//! Labels of messages to a block server's endpoint.
//!
//! A client has a range of the disk's blocks and a region of memory, both given by the spec. It names blocks by their number in its
//! range and memory by the number of a block's place in its region; it can name no others.

/// Asks what there is: answered with MR0 = bytes of a block, MR1 = blocks of the client's range, MR2 = places for blocks in its
/// region, MR3 = most blocks of one transfer.
pub const GEOMETRY: u64 = 0x220;
/// Reads blocks into memory: MR0 = first block, MR1 = how many, MR2 = place of the first in the region. Answered once they are there.
pub const READ: u64 = 0x221;
/// Writes blocks from memory: MR0 = first block, MR1 = how many, MR2 = place of the first in the region. Answered once the disk has
/// them.
pub const WRITE: u64 = 0x222;
/// Makes writes that were answered durable.
pub const FLUSH: u64 = 0x223;
/// Name of the channel to the block server.
pub const CHANNEL: &str = "block";
