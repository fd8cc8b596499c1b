//! Walks: what an address translates to, by the caches and by the tables in memory.
//!
//! Every lookup gives *all* results that the architecture permits at this moment, the ones known longest first: a
//! cached leaf, a walk that starts at a cached table, and a walk from the root. An SMMU may give any of them.

use std::cell::{Ref, RefCell};

use sluice_abi::smmu::event;

use crate::cd::Descriptor;
use crate::descriptor::{Leaf, Limits, Meaning, Rights};
use crate::memory::Memory;
use crate::regime::{Regime, Stage, Table};
use crate::state::State;
use crate::ste::Stage2;
use crate::tlb::{Cached, CachedLeaf, Kind, Value};

/// What the SMMU was doing when a translation faulted (7.3.13, CLASS).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    ContextDescriptor = 0,
    TableWalk = 1,
    Input = 2,
}

/// Why there is no translation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: u64,
    pub(crate) stage: Stage,
    pub(crate) class: Class,
    /// Where stage 2 faults: its input. Where a fetch fails: the physical address.
    pub(crate) address: u64,
}

/// A leaf and the addresses it serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mapped {
    pub(crate) leaf: Leaf,
    pub(crate) base: u64,
    pub(crate) order: u32,
    pub(crate) level: u32,
}

impl Mapped {
    pub(crate) fn of(cached: &Cached, leaf: Leaf) -> Self {
        Self { leaf, base: cached.base, order: cached.order, level: cached.level }
    }

    pub(crate) fn output(&self, input: u64) -> u64 {
        self.leaf.output + (input - self.base)
    }
}

/// Tables to walk and the tag of what is cached of them.
#[derive(Clone, Copy)]
pub(crate) struct Space<'s> {
    pub(crate) regime: &'s Regime,
    pub(crate) vmid: u16,
    pub(crate) asid: Option<u16>,
    /// What translates the addresses of the tables.
    pub(crate) under: Option<&'s Stage2>,
    pub(crate) class: Class,
}

impl<'s> Space<'s> {
    pub(crate) fn stage2(stage2: &'s Stage2, class: Class) -> Self {
        Self { regime: &stage2.regime, vmid: stage2.vmid, asid: None, under: None, class }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.regime.stage {
            Stage::One => Kind::Stage1,
            Stage::Two => Kind::Stage2,
        }
    }

    /// A cache entry for the descriptor at `level` that translates `input`.
    pub(crate) fn entry(&self, kind: Kind, level: u32, input: u64, value: Value) -> Cached {
        let order = self.regime.shift(level);
        let asid = match value {
            Value::Leaf(CachedLeaf { leaf, .. }) if leaf.global => None,
            Value::Leaf(_) | Value::Table(_) => self.asid,
        };
        Cached { kind, vmid: self.vmid, asid, base: input >> order << order, order, level, value }
    }

    /// The table that a descriptor in `table` leads to.
    pub(crate) fn next(&self, table: &Table, address: u64, limits: Limits) -> Table {
        Table { level: table.level + 1, address, physical: self.under.is_none(), limits }
    }

    fn fault(&self, kind: u64, address: u64) -> Fault {
        Fault { kind, stage: self.regime.stage, class: self.class, address }
    }
}

pub(crate) type Results<T> = Vec<Result<T, Fault>>;

/// Adds what is not there yet.
pub(crate) fn add<T: PartialEq>(results: &mut Vec<T>, result: T) {
    if !results.contains(&result) {
        results.push(result);
    }
}

/// A moment in which addresses are looked up.
pub(crate) struct Look<'s> {
    pub(crate) state: &'s State,
    pub(crate) memory: Ref<'s, Memory>,
    /// What was read from memory and may be cached now.
    pub(crate) fetched: RefCell<Vec<Cached>>,
    /// Context descriptors that may be cached now, by StreamID and SubstreamID.
    pub(crate) contexts: RefCell<Vec<((u32, u32), Descriptor)>>,
}

impl<'s> Look<'s> {
    pub(crate) fn new(state: &'s State) -> Self {
        Self { state, memory: state.memory.borrow(), fetched: RefCell::default(), contexts: RefCell::default() }
    }

    pub(crate) fn note(&self, cached: Cached) {
        self.fetched.borrow_mut().push(cached);
    }

    /// What stage 2 makes of an intermediate address.
    pub(crate) fn stage2(&self, stage2: &Stage2, ipa: u64, class: Class) -> Results<Mapped> {
        let space = Space::stage2(stage2, class);
        if ipa >> space.regime.input_bits != 0 {
            return vec![Err(space.fault(event::F_TRANSLATION, ipa))];
        }
        self.leaves(&space, ipa)
    }

    /// What the tables of `space` make of an address in their range.
    pub(crate) fn leaves(&self, space: &Space<'_>, input: u64) -> Results<Mapped> {
        let mut results = Vec::new();
        let cached = self.state.tlb.at(space.kind(), space.vmid, space.asid, input);
        for (entry, cached) in cached.filter_map(|entry| entry.leaf().map(|leaf| (entry, leaf))) {
            add(&mut results, Ok(Mapped::of(entry, cached.leaf)));
        }
        for table in self.starts(space, input) {
            self.descend(space, &table, input, &mut results);
        }
        results
    }

    /// Where a walk may start.
    fn starts(&self, space: &Space<'_>, input: u64) -> Vec<Table> {
        let mut starts = Vec::new();
        let physical = space.under.map(|_| Kind::Combined);
        for kind in physical.into_iter().chain([space.kind()]) {
            let cached = self.state.tlb.at(kind, space.vmid, space.asid, input);
            cached.filter_map(Cached::table).for_each(|table| add(&mut starts, table));
        }
        add(&mut starts, space.regime.root);
        starts
    }

    fn descend(&self, space: &Space<'_>, table: &Table, input: u64, results: &mut Results<Mapped>) {
        let slot = space.regime.slot(table, input);
        for read in self.read(space, table, slot, input) {
            let word = match read {
                Ok(word) => word,
                Err(fault) => {
                    add(results, Err(fault));
                    continue;
                }
            };
            match space.regime.meaning(table.level, table.limits, word) {
                Meaning::Fault(kind) => add(results, Err(space.fault(kind, input))),
                Meaning::Table { address, limits } => {
                    let next = space.next(table, address, limits);
                    self.note(space.entry(space.kind(), table.level, input, Value::Table(next)));
                    self.descend(space, &next, input, results);
                }
                Meaning::Leaf(leaf) => {
                    let value = Value::Leaf(CachedLeaf { leaf, under: None });
                    let cached = space.entry(space.kind(), table.level, input, value);
                    self.note(cached);
                    add(results, Ok(Mapped::of(&cached, leaf)));
                }
            }
        }
    }

    /// The words that the descriptor at `slot` of a table may be.
    fn read(&self, space: &Space<'_>, table: &Table, slot: u64, input: u64) -> Results<u64> {
        let class =
            if space.under.is_some() || space.regime.stage == Stage::One { Class::TableWalk } else { space.class };
        let word = |at: u64| {
            let missing = Fault { class, ..space.fault(event::F_WALK_EABT, at) };
            if self.memory.answers(at) { Ok(self.memory.word(at)) } else { Err(missing) }
        };
        let Some(stage2) = space.under.filter(|_| !table.physical) else { return vec![word(slot)] };
        let mut words = Vec::new();
        for place in self.structure(stage2, slot, class) {
            if let Ok(at) = place {
                self.note_physical(space, table, at - (slot - table.address), input);
            }
            add(&mut words, place.and_then(word));
        }
        words
    }

    /// A table below the root that lies in one page is reached without stage 2 once its physical address is known.
    pub(crate) fn note_physical(&self, space: &Space<'_>, table: &Table, address: u64, input: u64) {
        if table.level > space.regime.root.level && space.regime.granule == 12 {
            let physical = Value::Table(Table { address, physical: true, ..*table });
            self.note(space.entry(Kind::Combined, table.level - 1, input, physical));
        }
    }

    /// Physical addresses at which stage 2 lets a structure of stage 1 be read.
    pub(crate) fn structure(&self, stage2: &Stage2, ipa: u64, class: Class) -> Results<u64> {
        let mut places = Vec::new();
        for result in self.stage2(stage2, ipa, class) {
            let place = result.and_then(|mapped| {
                let rights: Rights = mapped.leaf.rights;
                let readable = rights.privileged.read && !(stage2.protects_walks && mapped.leaf.device);
                let refused = Fault { kind: event::F_PERMISSION, stage: Stage::Two, class, address: ipa };
                readable.then(|| mapped.output(ipa)).ok_or(refused)
            });
            add(&mut places, place);
        }
        places
    }
}
