//! Maps of which a copy costs next to nothing: it shares what it has in common with its original.
//!
//! A step is a change of a copy, so that what is refused has changed nothing, and the states before it are there to be
//! compared. Of a state of some thousand capabilities it touches a few. Hence a map is a list of short lists in the order of
//! their keys, of which a change copies one, and the list of them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Bound, RangeBounds};

/// The most entries of a short list: few enough to copy, many enough for there to be few lists.
const MOST: usize = 16;

/// Some entries, in the order of their keys.
type List<K, V> = Arc<Vec<(K, V)>>;

/// A map, in the order of its keys. What it is does not depend on how its entries are spread over lists.
pub struct Map<K, V> {
    /// None is empty.
    lists: Arc<Vec<List<K, V>>>,
}

impl<K: Ord, V> Map<K, V> {
    /// One without entries.
    #[must_use]
    pub fn new() -> Self {
        Self { lists: Arc::new(Vec::new()) }
    }

    /// Whether it has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lists.iter().map(|list| list.len()).sum()
    }

    /// The list that has a key, if any has; the number of lists for one beyond all.
    fn list_of(&self, key: &K) -> usize {
        self.lists.partition_point(|list| list.last().is_some_and(|(last, _)| last < key))
    }

    /// List and place of a key.
    fn find(&self, key: &K) -> Option<(usize, usize)> {
        let list = self.list_of(key);
        let place = self.lists.get(list)?.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        Some((list, place))
    }

    /// What a key leads to.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        let (list, place) = self.find(key)?;
        self.lists.get(list)?.get(place).map(|(_, value)| value)
    }

    /// Whether a key leads to something.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_some()
    }

    /// The entries, by key.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.lists.iter().flat_map(|list| list.iter().map(|(key, value)| (key, value)))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// What the keys lead to, by key.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

impl<K: Ord + Copy, V> Map<K, V> {
    /// The entries whose keys are in a range.
    pub fn range(&self, range: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        let (start, end) = (range.start_bound().cloned(), range.end_bound().cloned());
        let is_before = move |key: &K| match start {
            Bound::Included(start) => *key < start,
            Bound::Excluded(start) => *key <= start,
            Bound::Unbounded => false,
        };
        let is_within = move |key: &K| match end {
            Bound::Included(end) => *key <= end,
            Bound::Excluded(end) => *key < end,
            Bound::Unbounded => true,
        };
        let from = self.lists.partition_point(|list| list.last().is_some_and(|(last, _)| is_before(last)));
        let to = self.lists.partition_point(|list| list.first().is_some_and(|(first, _)| is_within(first)));
        let lists = self.lists.get(from..to).unwrap_or_default();
        lists.iter().flat_map(move |list| {
            let from = list.partition_point(|(key, _)| is_before(key));
            let to = list.partition_point(|(key, _)| is_within(key));
            list.get(from..to).unwrap_or_default().iter().map(|(key, value)| (key, value))
        })
    }
}

impl<K: Ord + Copy, V: Clone> Map<K, V> {
    /// What a key leads to, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (list, place) = self.find(key)?;
        let list = Arc::make_mut(&mut self.lists).get_mut(list)?;
        Arc::make_mut(list).get_mut(place).map(|(_, value)| value)
    }

    /// What the keys lead to, to be changed: a copy of everything.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let lists = Arc::make_mut(&mut self.lists).iter_mut();
        lists.flat_map(|list| Arc::make_mut(list).iter_mut().map(|(_, value)| value))
    }

    /// Has a key lead to something; returns what it led to before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(there) = self.get_mut(&key) {
            return Some(core::mem::replace(there, value));
        }
        // What is beyond all goes to the end of the last.
        let at = self.list_of(&key).min(self.lists.len().saturating_sub(1));
        let lists = Arc::make_mut(&mut self.lists);
        let Some(list) = lists.get_mut(at) else {
            lists.push(Arc::new(alloc::vec![(key, value)]));
            return None;
        };
        let list = Arc::make_mut(list);
        list.insert(list.partition_point(|(other, _)| *other < key), (key, value));
        if list.len() > MOST {
            let rest = list.split_off(MOST / 2);
            lists.insert(at + 1, Arc::new(rest));
        }
        None
    }

    /// Has a key lead to nothing; returns what it led to before.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (at, place) = self.find(key)?;
        let lists = Arc::make_mut(&mut self.lists);
        let list = Arc::make_mut(lists.get_mut(at)?);
        let (_, value) = list.remove(place);
        if list.is_empty() {
            lists.remove(at);
        }
        Some(value)
    }

    /// Leaves only the entries that are to be kept.
    pub fn retain(&mut self, is_kept: impl Fn(&K, &V) -> bool) {
        let gone: Vec<K> = self.iter().filter(|(key, value)| !is_kept(key, value)).map(|(key, _)| *key).collect();
        for key in gone {
            self.remove(&key);
        }
    }

    /// Leaves no entry.
    pub fn clear(&mut self) {
        *self = Self::new();
    }
}

impl<K: Ord, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        Self { lists: Arc::clone(&self.lists) }
    }
}

impl<K: Ord + Copy, V: Clone> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord + Copy, V: Clone> Extend<(K, V)> for Map<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.lists, &other.lists) || self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: Ord, V: Eq> Eq for Map<K, V> {}

impl<K: Ord, V: PartialOrd> PartialOrd for Map<K, V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.iter().partial_cmp(other.iter())
    }
}

impl<K: Ord, V: Ord> Ord for Map<K, V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl<K: Ord + Hash, V: Hash> Hash for Map<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len().hash(state);
        self.iter().for_each(|entry| entry.hash(state));
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    /// Numbers without much order, always the same.
    fn numbers() -> impl Iterator<Item = u64> {
        core::iter::successors(Some(1u64), |last| Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)))
            .map(|number| number >> 33)
    }

    #[test]
    fn it_is_the_map_of_the_standard_library_whatever_is_done_to_it() {
        let (mut map, mut model) = (Map::new(), BTreeMap::new());
        for (turn, number) in numbers().take(20_000).enumerate() {
            // Entries become more, then fewer, again and again.
            let (key, grows) = (number % 300, turn / 700 % 2 == 0);
            if (number >> 10) % 3 == u64::from(grows) {
                assert_eq!(map.remove(&key), model.remove(&key));
            } else if number & 1 << 20 == 0 {
                assert_eq!(map.insert(key, turn), model.insert(key, turn));
            } else if let Some(value) = map.get_mut(&key) {
                *value += 1;
                *model.get_mut(&key).expect("the same key") += 1;
            }
            assert_eq!(map.get(&key), model.get(&key));
            assert!(map.lists.iter().all(|list| (1..=MOST).contains(&list.len())));
            let range = key..=key + number % 40;
            assert!(map.range(range.clone()).eq(model.range(range)));
            assert_eq!(map.range(..=key).next_back(), model.range(..=key).next_back());
            assert_eq!(map.range(key..).next(), model.range(key..).next());
            if turn % 100 == 0 {
                assert!(map.iter().eq(model.iter()) && map.iter().rev().eq(model.iter().rev()));
                assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
            }
        }
        map.retain(|key, _| key % 2 == 0);
        model.retain(|key, _| key % 2 == 0);
        assert!(map.iter().eq(model.iter()));
    }

    #[test]
    fn a_copy_is_not_changed_with_its_original() {
        let map: Map<u64, u64> = (0..100).map(|key| (key, key)).collect();
        let mut changed = map.clone();
        changed.insert(50, 0);
        changed.remove(&7);
        changed.insert(1000, 1);
        *changed.get_mut(&3).expect("an entry") = 9;
        assert!(map.iter().eq((0..100).map(|key| (key, key)).collect::<BTreeMap<_, _>>().iter()));
        assert_ne!(map, changed);
        // All but the lists changed are shared.
        let is_shared = |list: &Arc<Vec<_>>| map.lists.iter().any(|other| Arc::ptr_eq(list, other));
        assert!(changed.lists.iter().filter(|list| !is_shared(list)).count() <= 4);
    }

    #[test]
    fn maps_with_the_same_entries_are_the_same() {
        let up: Map<u64, u64> = (0..100).map(|key| (key, key)).collect();
        let down: Map<u64, u64> = (0..200).rev().map(|key| (key, key)).filter(|(key, _)| *key < 100).collect();
        assert_ne!(up.lists, down.lists, "spread otherwise");
        assert_eq!(up, down);
        assert_eq!(up.cmp(&down), Ordering::Equal);
        let mut less = down.clone();
        less.remove(&99);
        assert_ne!(up, less);
        assert_eq!(up.cmp(&less), Ordering::Greater);
    }
}
