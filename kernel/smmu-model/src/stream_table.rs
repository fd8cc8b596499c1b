//! Finding stream table entries (IHI 0070, 3.3 and 5.1).

use sluice_smmu::regs::{L1STD, STRTAB_BASE, STRTAB_BASE_CFG};

use crate::state::State;
use crate::ste::Entry;

const TWO_LEVEL: u32 = 1;
const ENTRY_BYTES: u64 = 64;
/// Words of an entry that this model looks at: the first ones.
const MEANINGFUL_WORDS: usize = 4;

/// A first-level descriptor in the cache.
#[derive(Clone, Copy)]
pub(crate) struct CachedDescriptor {
    word: u64,
    /// The change of memory that made it what it is.
    from: u64,
}

/// Where an entry lies, and from which change of memory on it was found there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    address: u64,
    from: u64,
}

/// How the search for an entry ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found<T> {
    Entry(T),
    /// C_BAD_STREAMID.
    OutOfRange,
    /// F_STE_FETCH, with the address.
    NoMemory(u64),
}

impl State {
    fn two_level(&self) -> bool {
        STRTAB_BASE_CFG::FMT.read(self.registers.strtab_cfg) == TWO_LEVEL
    }

    fn split(&self) -> u32 {
        STRTAB_BASE_CFG::SPLIT.read(self.registers.strtab_cfg)
    }

    fn stream_bits(&self) -> u32 {
        STRTAB_BASE_CFG::LOG2SIZE.read(self.registers.strtab_cfg)
    }

    fn strtab(&self) -> u64 {
        STRTAB_BASE::ADDR.read(self.registers.strtab_base) << STRTAB_BASE::ADDR.shift
    }

    /// Index of the first-level descriptor that leads to a stream's entry.
    pub(crate) fn first_level(&self, sid: u32) -> u64 {
        u64::from(sid) >> self.split()
    }

    fn in_second_level(&self, descriptor: u64, sid: u32) -> Option<u64> {
        let span = L1STD::SPAN.read(descriptor);
        let index = u64::from(sid) & ((1 << self.split()) - 1);
        let covered = span != 0 && index < 1 << (span - 1);
        covered.then(|| (L1STD::L2PTR.read(descriptor) << L1STD::L2PTR.shift) + ENTRY_BYTES * index)
    }

    fn stored_descriptor(&self, index: u64) -> CachedDescriptor {
        let at = self.strtab() + 8 * index;
        let memory = self.memory.borrow();
        CachedDescriptor { word: memory.word(at), from: memory.changed(at) }
    }

    /// Where a fetch may find the entry: by a descriptor in the cache, and by the one in memory.
    fn places(&self, sid: u32) -> Vec<Found<Place>> {
        if u64::from(sid) >> self.stream_bits() != 0 {
            return vec![Found::OutOfRange];
        }
        if !self.two_level() {
            return vec![Found::Entry(Place { address: self.strtab() + ENTRY_BYTES * u64::from(sid), from: 0 })];
        }
        let index = self.first_level(sid);
        let cached = self.descriptors.get(&index).copied();
        let at = self.strtab() + 8 * index;
        let stored = self.memory.borrow().answers(at).then(|| self.stored_descriptor(index));
        let place = |descriptor: CachedDescriptor| match self.in_second_level(descriptor.word, sid) {
            Some(address) => Found::Entry(Place { address, from: descriptor.from }),
            None => Found::OutOfRange,
        };
        cached.map(place).into_iter().chain([stored.map_or(Found::NoMemory(at), place)]).collect()
    }

    /// The entry of a stream, from the cache or fetched into it.
    pub(crate) fn fetch_entry(&mut self, sid: u32) -> Found<Entry> {
        if u64::from(sid) >> self.stream_bits() != 0 {
            return Found::OutOfRange;
        }
        if let Some(entry) = self.entries.get(&sid) {
            return Found::Entry(*entry);
        }
        // The place that is known longest comes first.
        let place = match self.places(sid)[0] {
            Found::Entry(place) => place,
            Found::OutOfRange => return Found::OutOfRange,
            Found::NoMemory(at) => return Found::NoMemory(at),
        };
        if self.two_level() {
            let index = self.first_level(sid);
            let stored = self.stored_descriptor(index);
            self.descriptors.entry(index).or_insert(stored);
        }
        if !self.memory.borrow().answers(place.address) {
            return Found::NoMemory(place.address);
        }
        let entry = self.memory.borrow().words(place.address);
        self.entries.insert(sid, entry);
        Found::Entry(entry)
    }

    /// Entries that a fetch may have put together since the last invalidation, each word read at any moment (3.21.3).
    pub(crate) fn possible_entries(&self, sid: u32) -> Vec<Entry> {
        let memory = self.memory.borrow();
        let mut words: [Vec<u64>; 8] = std::array::from_fn(|_| Vec::new());
        let mut add = |word: usize, value: u64| {
            if !words[word].contains(&value) {
                words[word].push(value);
            }
        };
        if let Some(entry) = self.entries.get(&sid) {
            (0..MEANINGFUL_WORDS).for_each(|word| add(word, entry[word]));
        }
        let forgotten = self.forgotten.of(sid);
        for place in self.places(sid).into_iter().filter_map(|found| match found {
            Found::Entry(place) if memory.answers(place.address) => Some(place),
            Found::Entry(_) | Found::OutOfRange | Found::NoMemory(_) => None,
        }) {
            for word in 0..MEANINGFUL_WORDS {
                let since = forgotten.max(place.from);
                memory.values_since(place.address + 8 * word as u64, since).iter().for_each(|value| add(word, *value));
            }
        }
        combinations(&words)
    }

    /// Ways in which the search for an entry may fail now, other than by what is cached.
    pub(crate) fn possible_misses(&self, sid: u32) -> Vec<Found<Entry>> {
        let misses = self.places(sid).into_iter().filter_map(|found| match found {
            Found::Entry(place) => {
                (!self.memory.borrow().answers(place.address)).then_some(Found::NoMemory(place.address))
            }
            Found::OutOfRange => Some(Found::OutOfRange),
            Found::NoMemory(at) => Some(Found::NoMemory(at)),
        });
        misses.collect()
    }
}

/// Every structure whose words are each among those given. Words without a value are 0 in all.
pub(crate) fn combinations(words: &[Vec<u64>; 8]) -> Vec<[u64; 8]> {
    if words[0].is_empty() {
        return Vec::new();
    }
    let mut joined = vec![[0; 8]];
    for (word, values) in words.iter().enumerate() {
        let Some((first, others)) = values.split_first() else { continue };
        joined.iter_mut().for_each(|entry| entry[word] = *first);
        let more: Vec<_> = others
            .iter()
            .flat_map(|value| {
                joined.iter().map(move |entry| {
                    let mut entry = *entry;
                    entry[word] = *value;
                    entry
                })
            })
            .collect();
        joined.extend(more);
    }
    joined
}

/// Since which change of memory entries have been forgotten, by the streams of an invalidation.
#[derive(Default)]
pub(crate) struct Forgotten {
    ranges: std::collections::BTreeMap<(u32, u32), u64>,
}

impl Forgotten {
    pub(crate) fn note(&mut self, first: u32, last: u32, change: u64) {
        self.ranges.retain(|(begin, end), _| *begin < first || *end > last);
        self.ranges.insert((first, last), change);
    }

    fn of(&self, sid: u32) -> u64 {
        let covering = self.ranges.iter().filter(|((first, last), _)| (*first..=*last).contains(&sid));
        covering.map(|(_, change)| *change).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_of_any_moments_are_joined() {
        let mut words: [Vec<u64>; 8] = std::array::from_fn(|word| vec![word as u64]);
        assert_eq!(combinations(&words), [[0, 1, 2, 3, 4, 5, 6, 7]]);
        words[0].push(10);
        words[3].push(13);
        let joined: BTreeSet<_> = combinations(&words).into_iter().map(|entry| (entry[0], entry[3])).collect();
        assert_eq!(joined, BTreeSet::from([(0, 3), (0, 13), (10, 3), (10, 13)]));
        assert_eq!(combinations(&Default::default()), Vec::<[u64; 8]>::new());
    }

    #[test]
    fn a_wider_invalidation_stands_for_the_narrower_ones() {
        let mut forgotten = Forgotten::default();
        forgotten.note(3, 3, 1);
        forgotten.note(0, 7, 5);
        assert_eq!((forgotten.of(3), forgotten.of(8), forgotten.ranges.len()), (5, 0, 1));
        forgotten.note(3, 3, 9);
        assert_eq!((forgotten.of(3), forgotten.of(4)), (9, 5));
    }
}
