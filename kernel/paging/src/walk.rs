//! The walker.

use sluice_abi::{PhysAddr, USER_TOP};

use crate::{Access, Entry, Format, MemoryType, TableMemory};

/// Where a walk ended: the first entry on the way that is not a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// Address of the word, where a new descriptor for the walked address goes.
    pub slot: PhysAddr,
    /// Level of the table that holds the word.
    pub level: u8,
    /// What the word means; a table never.
    pub entry: Entry,
}

/// Walks the tables under `root` for `va` (at most [`USER_TOP`]) up to the first entry that is not a table.
///
/// The caller has checked `va`: a walk of four levels has no entry for anything beyond.
#[must_use]
pub fn lookup(mem: &impl TableMemory, format: Format, root: PhysAddr, va: u64) -> Found {
    debug_assert!(va <= USER_TOP);
    let mut table = root;
    let mut level = 0;
    loop {
        let slot = table.offset(Format::index(level, va) * 8);
        let word = mem.load(slot);
        // Most entries on the way are tables: whatever else a word may be is not decoded for them.
        let Some(next) = Format::table(level, word) else {
            return Found { slot, level, entry: format.decode(level, word) };
        };
        table = next;
        level += 1;
    }
}

/// The physical address behind `va`, and what its mapping permits; `None` when nothing is mapped there.
#[must_use]
pub fn translate(
    mem: &impl TableMemory,
    format: Format,
    root: PhysAddr,
    va: u64,
) -> Option<(PhysAddr, Access, MemoryType)> {
    if va > USER_TOP {
        return None;
    }
    match lookup(mem, format, root, va).entry {
        Entry::Leaf(leaf) => Some((leaf.address.offset(va & (leaf.size.bytes() - 1)), leaf.access, leaf.memory)),
        Entry::Invalid | Entry::Table(_) => None,
    }
}
