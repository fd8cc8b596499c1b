//! Everything a table maps, for audits and tests.

use sluice_abi::{PHYS_BITS, PhysAddr};

use crate::descriptor::VALID;
use crate::{Entry, Format, Leaf, TableMemory};

/// A leaf and the address it is mapped at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// First input address.
    pub va: u64,
    /// What is mapped there.
    pub leaf: Leaf,
}

/// A table on the way, and its next entry to look at.
#[derive(Clone, Copy)]
struct Cursor {
    table: PhysAddr,
    /// Input address of the next entry.
    va: u64,
    /// Input address behind the last entry.
    end: u64,
}

/// What a walker other than this crate's may find usable in a table: a valid word that leads to no table of the next level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Valid {
    /// First input address.
    pub va: u64,
    /// log2 of the bytes behind it.
    pub coverage_bits: u32,
    /// The word.
    pub word: u64,
    /// What it means; `None` when no encoder of the format produces it.
    pub leaf: Option<Leaf>,
}

/// Iterator over the valid words of a table, by ascending input address. See [`valid`].
pub struct ValidWords<'m, M> {
    mem: &'m M,
    format: Format,
    stack: [Cursor; 4],
    level: u8,
}

/// All leaves under `root`, by ascending input address.
pub fn mappings<M: TableMemory>(mem: &M, format: Format, root: PhysAddr) -> impl Iterator<Item = Mapping> {
    valid(mem, format, root).filter_map(|Valid { va, leaf, .. }| Some(Mapping { va, leaf: leaf? }))
}

/// All valid words under `root` that are no tables, by ascending input address: the leaves, and whatever hardware would make
/// something of although nobody here wrote it. Of a table that is none of this crate's this may have no useful end.
pub fn valid<M: TableMemory>(mem: &M, format: Format, root: PhysAddr) -> ValidWords<'_, M> {
    let whole = Cursor { table: root, va: 0, end: 1 << PHYS_BITS };
    ValidWords { mem, format, stack: [whole; 4], level: 0 }
}

impl<M: TableMemory> Iterator for ValidWords<'_, M> {
    type Item = Valid;

    fn next(&mut self) -> Option<Valid> {
        loop {
            let level = self.level;
            let cursor = &mut self.stack[usize::from(level)];
            let va = cursor.va;
            if va == cursor.end {
                self.level = level.checked_sub(1)?;
                continue;
            }
            let coverage_bits = Format::coverage_bits(level);
            let next = va + (1 << coverage_bits);
            cursor.va = next;
            let word = self.mem.load(cursor.table.offset(Format::index(level, va) * 8));
            match self.format.decode(level, word) {
                Entry::Invalid if word & VALID == 0 => {}
                Entry::Invalid => return Some(Valid { va, coverage_bits, word, leaf: None }),
                Entry::Leaf(leaf) => return Some(Valid { va, coverage_bits, word, leaf: Some(leaf) }),
                // decode yields no table at level 3, so the stack is deep enough
                Entry::Table(table) => {
                    self.level = level + 1;
                    self.stack[usize::from(self.level)] = Cursor { table, va, end: next };
                }
            }
        }
    }
}
