//! `FDT_NOP` tokens (Devicetree Specification 0.4, 5.4.1), with which loaders cross out what they replace.

use super::header::word;
use super::structure::{BEGIN_NODE, END, END_NODE, NOP, PROP};

const STRUCTURE_OFFSET: usize = 8;
const STRUCTURE_BYTES: usize = 36;

/// Takes the NOP tokens out of the blob that `bytes` begin with, in place: the structure block becomes shorter, and
/// nothing else moves.
///
/// The reader behind [`validate`](super::validate) does not survive them, while QEMU writes them into every tree given
/// with `-dtb`. A blob without them, or that does not read to its end, is left as it is: `validate` says what is wrong
/// with it.
pub fn remove_nops(bytes: &mut [u8]) {
    let field = |offset| word(bytes, offset).map(|value| value as usize);
    let Some((start, len)) = field(STRUCTURE_OFFSET).zip(field(STRUCTURE_BYTES)) else { return };
    let Some(structure) = start.checked_add(len).and_then(|end| bytes.get_mut(start..end)) else { return };
    let Some(kept) = bytes_kept(structure) else { return };
    let (mut from, mut to) = (0, 0);
    while to < kept {
        let Some((token, len)) = token(structure, from) else { return };
        if token != NOP {
            structure.copy_within(from..from + len, to);
            to += len;
        }
        from += len;
    }
    structure[kept..].fill(0);
    if let Some(size) = bytes.get_mut(STRUCTURE_BYTES..STRUCTURE_BYTES + 4) {
        size.copy_from_slice(&(kept as u32).to_be_bytes());
    }
}

/// Bytes of all tokens but the NOPs; `None` when there are no NOPs, or the end is not reached.
fn bytes_kept(structure: &[u8]) -> Option<usize> {
    let (mut at, mut nops) = (0, 0);
    loop {
        let (token, len) = token(structure, at)?;
        at += len;
        match token {
            NOP => nops += len,
            END => return (nops > 0).then_some(at - nops),
            _ => {}
        }
    }
}

/// The token at `at`, and its bytes with all that belongs to it.
fn token(structure: &[u8], at: usize) -> Option<(u32, usize)> {
    let token = word(structure, at)?;
    let len: usize = match token {
        BEGIN_NODE => 4 + structure.get(at + 4..)?.iter().position(|byte| *byte == 0)? + 1,
        PROP => (word(structure, at + 4)? as usize).checked_add(12)?,
        END_NODE | NOP | END => 4,
        _ => return None,
    };
    let len = len.checked_next_multiple_of(4)?;
    (at.checked_add(len)? <= structure.len()).then_some((token, len))
}
