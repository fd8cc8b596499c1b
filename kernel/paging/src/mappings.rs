//! Everything a table maps, for audits and tests.

use sluice_abi::{PHYS_BITS, PhysAddr};

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

/// Iterator over the leaves of a table, by ascending input address. See [`mappings`].
pub struct Mappings<'m, M> {
    mem: &'m M,
    format: Format,
    stack: [Cursor; 4],
    level: u8,
}

/// All leaves under `root`, by ascending input address.
pub fn mappings<M: TableMemory>(mem: &M, format: Format, root: PhysAddr) -> Mappings<'_, M> {
    let whole = Cursor { table: root, va: 0, end: 1 << PHYS_BITS };
    Mappings { mem, format, stack: [whole; 4], level: 0 }
}

impl<M: TableMemory> Iterator for Mappings<'_, M> {
    type Item = Mapping;

    fn next(&mut self) -> Option<Mapping> {
        loop {
            let level = self.level;
            let cursor = &mut self.stack[usize::from(level)];
            let va = cursor.va;
            if va == cursor.end {
                self.level = level.checked_sub(1)?;
                continue;
            }
            let next = va + (1 << Format::coverage_bits(level));
            cursor.va = next;
            let word = self.mem.load(cursor.table.offset(Format::index(level, va) * 8));
            match self.format.decode(level, word) {
                Entry::Invalid => {}
                Entry::Leaf(leaf) => return Some(Mapping { va, leaf }),
                // decode yields no table at level 3, so the stack is deep enough
                Entry::Table(table) => {
                    self.level = level + 1;
                    self.stack[usize::from(self.level)] = Cursor { table, va, end: next };
                }
            }
        }
    }
}
