//! What may be cached of translations, and kept until it is invalidated (IHI 0070, 3.17 and 4.4).
//!
//! Leaves and tables of both stages, and what both stages give together: an implementation may have any of them. One
//! address may have several entries, where a translation changed without an invalidation.

use std::collections::BTreeMap;

use crate::descriptor::{Leaf, Rights};
use crate::regime::Table;

/// Which stages an entry stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// Stage 1 alone: its output is intermediate where stage 2 translates.
    Stage1,
    Stage2,
    /// Stages 1 and 2 together.
    Combined,
}

/// A leaf in the cache.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct CachedLeaf {
    pub(crate) leaf: Leaf,
    /// Of a combined entry, what stage 2 permits, and the intermediate address it was.
    pub(crate) under: Option<(Rights, u64)>,
}

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Value {
    Leaf(CachedLeaf),
    /// The table that translates these addresses.
    Table(Table),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Cached {
    pub(crate) kind: Kind,
    pub(crate) vmid: u16,
    /// `None` for stage 2 and for what serves every ASID.
    pub(crate) asid: Option<u16>,
    /// First input address.
    pub(crate) base: u64,
    /// log2 of the input addresses.
    pub(crate) order: u32,
    /// Level of the descriptor.
    pub(crate) level: u32,
    pub(crate) value: Value,
}

impl Cached {
    pub(crate) fn leaf(&self) -> Option<CachedLeaf> {
        match self.value {
            Value::Leaf(leaf) => Some(leaf),
            Value::Table(_) => None,
        }
    }

    pub(crate) fn table(&self) -> Option<Table> {
        match self.value {
            Value::Table(table) => Some(table),
            Value::Leaf(_) => None,
        }
    }

    /// Whether it serves an address in `first..=last`.
    pub(crate) fn overlaps(&self, first: u64, last: u64) -> bool {
        self.base <= last && first <= self.base + ((1 << self.order) - 1)
    }
}

type Place = (Kind, u16, u32, u64);

/// The translation caches.
#[derive(Default)]
pub(crate) struct Tlb {
    entries: BTreeMap<Place, Vec<Cached>>,
    /// Bit n: entries of order n exist, or did.
    orders: u64,
}

impl Tlb {
    pub(crate) fn insert(&mut self, cached: Cached) {
        self.orders |= 1 << cached.order;
        let there = self.entries.entry((cached.kind, cached.vmid, cached.order, cached.base)).or_default();
        if !there.contains(&cached) {
            there.push(cached);
        }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Cached) -> bool) {
        self.entries.retain(|_, there| {
            there.retain(&keep);
            !there.is_empty()
        });
    }

    /// Entries for `input`, those of the smallest extent first and older ones before newer ones.
    pub(crate) fn at(&self, kind: Kind, vmid: u16, asid: Option<u16>, input: u64) -> impl Iterator<Item = &Cached> {
        (0..u64::BITS)
            .filter(|order| self.orders >> order & 1 != 0)
            .filter_map(move |order| self.entries.get(&(kind, vmid, order, input >> order << order)))
            .flatten()
            .filter(move |cached| cached.asid.is_none() || cached.asid == asid)
    }

    /// Every entry of a VMID.
    pub(crate) fn all_tags(&self, kind: Kind, vmid: u16) -> impl Iterator<Item = &Cached> {
        self.entries.range((kind, vmid, 0, 0)..=(kind, vmid, u32::MAX, u64::MAX)).flat_map(|(_, there)| there)
    }

    /// Every entry of a tag.
    pub(crate) fn all(&self, kind: Kind, vmid: u16, asid: Option<u16>) -> impl Iterator<Item = &Cached> {
        self.all_tags(kind, vmid).filter(move |cached| cached.asid.is_none() || cached.asid == asid)
    }
}
