//! Unused bytes behind the last block of a blob, which loaders leave to grow into: QEMU's trees are a megabyte long and
//! nearly all of it is this.

use super::header::{self, Blocks};

const TOTAL_SIZE: usize = 4;

/// Takes the unused bytes off the end of the blob that `bytes` begin with, by changing its `totalsize`: how long it is
/// now. A blob whose header does not read is left as it is, and its length is that of `bytes`.
pub fn cut_slack(bytes: &mut [u8]) -> usize {
    let Ok(blocks) = header::blocks(bytes) else { return bytes.len() };
    let Blocks { blob, structure, structure_offset, strings, strings_offset, reservations_end } = blocks;
    let end = reservations_end.max(structure_offset + structure.len()).max(strings_offset + strings.len());
    let total = end.next_multiple_of(8).min(blob.len());
    if let Some(size) = bytes.get_mut(TOTAL_SIZE..TOTAL_SIZE + 4) {
        size.copy_from_slice(&(total as u32).to_be_bytes());
    }
    total
}
