//! The memory behind SMMUs: words by page, with what they were before.
//!
//! An SMMU may have read a word at any moment since it last forgot it. So every change is kept with its number in the
//! order of changes.

use std::collections::HashMap;
use std::ops::Range;

const PAGE_BITS: u32 = 12;
const PAGE_WORDS: usize = 512;

/// A word that changed.
#[derive(Clone, Copy)]
struct Change {
    number: u64,
    before: u64,
}

#[derive(Default)]
pub(crate) struct Memory {
    pages: HashMap<u64, Box<[u64; PAGE_WORDS]>>,
    changes: HashMap<u64, Vec<Change>>,
    latest: u64,
    /// Where memory answers; everywhere when empty.
    ram: Vec<Range<u64>>,
}

impl Memory {
    /// The word at `at`, a multiple of 8.
    pub(crate) fn word(&self, at: u64) -> u64 {
        self.page(at).map_or(0, |page| page[(at >> 3) as usize % PAGE_WORDS])
    }

    /// The words of the page that contains `at`; `None` when all are 0.
    pub(crate) fn page(&self, at: u64) -> Option<&[u64; PAGE_WORDS]> {
        self.pages.get(&(at >> PAGE_BITS)).map(|page| &**page)
    }

    pub(crate) fn words<const N: usize>(&self, at: u64) -> [u64; N] {
        std::array::from_fn(|word| self.word(at + 8 * word as u64))
    }

    pub(crate) fn store(&mut self, at: u64, value: u64) {
        let page = self.pages.entry(at >> PAGE_BITS).or_insert_with(|| Box::new([0; PAGE_WORDS]));
        let word = &mut page[(at >> 3) as usize % PAGE_WORDS];
        if *word != value {
            self.latest += 1;
            self.changes.entry(at).or_default().push(Change { number: self.latest, before: *word });
            *word = value;
        }
    }

    /// What only hardware writes, and nobody fetches.
    pub(crate) fn store_unnoted(&mut self, at: u64, value: u64) {
        let page = self.pages.entry(at >> PAGE_BITS).or_insert_with(|| Box::new([0; PAGE_WORDS]));
        page[(at >> 3) as usize % PAGE_WORDS] = value;
    }

    /// The number of the latest change of all.
    pub(crate) fn now(&self) -> u64 {
        self.latest
    }

    /// The number of the change that gave the word its value.
    pub(crate) fn changed(&self, at: u64) -> u64 {
        self.changes.get(&at).and_then(|changes| changes.last()).map_or(0, |change| change.number)
    }

    /// Every value that the word had after change number `since`, the present one first.
    pub(crate) fn values_since(&self, at: u64, since: u64) -> Vec<u64> {
        let mut values = vec![self.word(at)];
        let changes = self.changes.get(&at).into_iter().flatten().rev();
        for change in changes.take_while(|change| change.number > since) {
            if !values.contains(&change.before) {
                values.push(change.before);
            }
        }
        values
    }

    pub(crate) fn limit(&mut self, ram: Vec<Range<u64>>) {
        self.ram = ram;
    }

    /// Whether anything answers at `at`.
    pub(crate) fn answers(&self, at: u64) -> bool {
        self.ram.is_empty() || self.ram.iter().any(|range| range.contains(&at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_remember_what_they_were_and_from_when() {
        let mut memory = Memory::default();
        memory.store(0x1000, 1);
        let first = memory.now();
        memory.store(0x2000, 9);
        memory.store(0x1000, 2);
        memory.store(0x1000, 2);
        memory.store(0x1000, 3);
        assert_eq!(memory.values_since(0x1000, 0), [3, 2, 1, 0]);
        assert_eq!(memory.values_since(0x1000, first), [3, 2, 1]);
        assert_eq!(memory.values_since(0x1000, memory.now()), [3]);
        assert_eq!(memory.changed(0x1000), memory.now());
        assert_eq!((memory.changed(0x3000), memory.words(0x2000)), (0, [9, 0]));
    }
}
