//! Everything that tables lead to: what a walk of every address would find.

use std::collections::HashSet;

use crate::descriptor::Meaning;
use crate::regime::Table;
use crate::tlb::{Cached, CachedLeaf, Kind, Value};
use crate::walk::{Class, Look, Mapped, Space};

const PAGE: u64 = 0x1000;

/// Walks of all addresses of a space, each table at each address once.
struct Sweep<'l, 's> {
    look: &'l Look<'s>,
    space: &'l Space<'l>,
    walked: HashSet<(u64, Table)>,
    leaves: Vec<Mapped>,
}

impl Look<'_> {
    /// Every leaf that the tables of `space` and the cache lead to. The lowest address that the root serves is `lowest`.
    ///
    /// What was read is noted for the cache.
    pub(crate) fn all_leaves(&self, space: &Space<'_>, lowest: u64) -> Vec<Mapped> {
        let mut sweep = Sweep { look: self, space, walked: HashSet::new(), leaves: Vec::new() };
        sweep.below(space.regime.root, lowest);
        let bits = space.regime.input_bits;
        let serves = |cached: &&Cached| cached.base & lowest == lowest && (lowest != 0 || cached.base >> bits == 0);
        let tables = space.under.map(|_| Kind::Combined).into_iter().chain([space.kind()]);
        for kind in tables {
            for cached in self.state.tlb.all(kind, space.vmid, space.asid).filter(serves) {
                if let Some(table) = cached.table() {
                    sweep.below(table, cached.base);
                }
            }
        }
        let Sweep { mut leaves, .. } = sweep;
        let cached = self.state.tlb.all(space.kind(), space.vmid, space.asid).filter(serves);
        leaves.extend(cached.filter_map(|cached| Some(Mapped::of(cached, cached.leaf()?.leaf))));
        leaves
    }
}

impl Sweep<'_, '_> {
    fn below(&mut self, table: Table, base: u64) {
        if !self.walked.insert((base, table)) {
            return;
        }
        let regime = self.space.regime;
        let entries = 1u64 << regime.index_bits(table.level);
        let mut index = 0;
        while index < entries {
            let at = table.address + 8 * index;
            let in_page = ((PAGE - at % PAGE) / 8).min(entries - index);
            for place in self.places(&table, at) {
                self.page(&table, place, base, index..index + in_page);
            }
            index += in_page;
        }
    }

    /// Physical addresses of a part of a table that lies in one page.
    fn places(&self, table: &Table, at: u64) -> Vec<u64> {
        match self.space.under.filter(|_| !table.physical) {
            Some(stage2) => self.look.structure(stage2, at, Class::TableWalk).into_iter().flatten().collect(),
            None => vec![at],
        }
    }

    fn page(&mut self, table: &Table, place: u64, base: u64, indices: std::ops::Range<u64>) {
        let look = self.look;
        let Some(page) = look.memory.page(place).filter(|_| look.memory.answers(place)) else { return };
        if self.space.under.is_some() && !table.physical {
            look.note_physical(self.space, table, place - 8 * indices.start, base);
        }
        let first = (place % PAGE / 8) as usize;
        let count = (indices.end - indices.start) as usize;
        for (word, index) in page[first..first + count].iter().zip(indices) {
            if *word & 1 == 1 {
                self.descriptor(table, *word, base + (index << self.space.regime.shift(table.level)));
            }
        }
    }

    fn descriptor(&mut self, table: &Table, word: u64, input: u64) {
        match self.space.regime.meaning(table.level, table.limits, word) {
            Meaning::Fault(_) => {}
            Meaning::Table { address, limits } => {
                let next = self.space.next(table, address, limits);
                self.look.note(self.space.entry(self.space.kind(), table.level, input, Value::Table(next)));
                self.below(next, input);
            }
            Meaning::Leaf(leaf) => {
                let value = Value::Leaf(CachedLeaf { leaf, under: None });
                let cached = self.space.entry(self.space.kind(), table.level, input, value);
                self.look.note(cached);
                self.leaves.push(Mapped::of(&cached, leaf));
            }
        }
    }
}
