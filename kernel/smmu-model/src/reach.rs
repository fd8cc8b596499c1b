//! Everything a stream may reach, whatever the SMMU fetched when.

use std::collections::BTreeSet;

use sluice_abi::PhysAddr;

use crate::Model;
use crate::cd::Context;
use crate::state::State;
use crate::ste::{Default, Stage1, Stage2, Stream, Translated};
use crate::stream_table::combinations;
use crate::tlb::{Cached, Kind};
use crate::translate::{Fetch, combined};
use crate::walk::{Class, Look, Mapped, Space};

const PAGE_BITS: u32 = 12;
/// Words of a context descriptor that decide where a transaction goes: the first ones.
const MEANINGFUL_WORDS: usize = 3;

/// One page a stream reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Page {
    /// Page-aligned address the device uses.
    pub iova: u64,
    /// The memory it reaches.
    pub address: PhysAddr,
    /// Reads pass.
    pub read: bool,
    /// Writes pass.
    pub write: bool,
}

/// What a stream reaches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// All memory, untranslated.
    Everything,
    /// These pages.
    Pages(BTreeSet<Page>),
}

impl Reach {
    /// No memory at all.
    #[must_use]
    pub fn nothing() -> Self {
        Self::Pages(BTreeSet::new())
    }

    /// Whether everything reached here is reached by `other` too.
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Everything) => true,
            (Self::Everything, Self::Pages(_)) => false,
            (Self::Pages(these), Self::Pages(those)) => these.is_subset(those),
        }
    }
}

/// How far a sweep goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Through both stages: the addresses are the device's.
    Device,
    /// Through stage 2 alone: the addresses are intermediate where there is stage 1.
    Intermediate,
}

impl Model {
    /// Everything a stream may reach now, by the addresses the device uses: through any entry and context descriptor a
    /// fetch may hold, through the tables as they are and those that are cached, and through what the TLB holds.
    #[must_use]
    pub fn reach(&self, sid: u32) -> Reach {
        self.swept(sid, Depth::Device)
    }

    /// Everything a stream may reach whatever its context descriptors and stage-1 tables say, by intermediate address:
    /// what stage 2 permits, and what the TLB holds of both stages.
    ///
    /// A stream without stage 1 uses intermediate addresses itself. One without stage 2 reaches everything.
    #[must_use]
    pub fn stage2_reach(&self, sid: u32) -> Reach {
        self.swept(sid, Depth::Intermediate)
    }

    /// Addresses of the tables that entries in the cache lead to, of a tag: a VMID, or without stage 2 an ASID. Tables of a
    /// holder's stage 1, which are its own affair, are left out.
    #[must_use]
    pub fn remembered_tables(&self, tag: u16) -> BTreeSet<PhysAddr> {
        let state = self.state.borrow();
        let (kind, vmid, asid) = match state.registers.identity.stage2() {
            true => (Kind::Stage2, tag, None),
            false => (Kind::Stage1, 0, Some(tag)),
        };
        state.tlb.all(kind, vmid, asid).filter_map(|cached| Some(PhysAddr(cached.table()?.address))).collect()
    }

    /// Whether anything of a stage 1 under this VMID is in the cache.
    #[must_use]
    pub fn remembers_stage1(&self, vmid: u16) -> bool {
        let state = self.state.borrow();
        [Kind::Stage1, Kind::Combined].into_iter().any(|kind| state.tlb.all_tags(kind, vmid).next().is_some())
    }

    fn swept(&self, sid: u32, depth: Depth) -> Reach {
        let state = self.state.borrow();
        if state.registers.bypassed() {
            return Reach::Everything;
        }
        if !state.registers.enabled() {
            return Reach::nothing();
        }
        let look = Look::new(&state);
        let mut pages = BTreeSet::new();
        for stream in state.possible_streams(sid) {
            match look.stream_reach(sid, &stream, depth) {
                Reach::Everything => return Reach::Everything,
                Reach::Pages(more) => pages.extend(more),
            }
        }
        Reach::Pages(pages)
    }

    /// Fills the caches with everything that an entry in memory leads to, as prefetching may at any moment.
    pub fn speculate(&self, sid: u32) {
        let mut state = self.state.borrow_mut();
        if !state.registers.enabled() {
            return;
        }
        let look = Look::new(&state);
        for stream in state.possible_streams(sid) {
            look.stream_reach(sid, &stream, Depth::Device);
        }
        let (fetched, contexts) = (look.fetched.take(), look.contexts.take());
        drop(look);
        state.cache(fetched, contexts);
    }
}

impl State {
    fn possible_streams(&self, sid: u32) -> Vec<Translated> {
        let entries = self.possible_entries(sid);
        let streams = entries.iter().filter_map(|entry| match self.registers.identity.stream(entry) {
            Stream::Translated(stream) => Some(stream),
            Stream::Abort | Stream::Illegal => None,
        });
        let mut distinct = Vec::new();
        streams.for_each(|stream| crate::walk::add(&mut distinct, stream));
        distinct
    }
}

impl Look<'_> {
    fn stream_reach(&self, sid: u32, stream: &Translated, depth: Depth) -> Reach {
        let lower = stream.stage2.as_ref().map(|stage2| self.all_leaves(&Space::stage2(stage2, Class::Input), 0));
        let Some(stage1) = &stream.stage1 else {
            return lower.map_or(Reach::Everything, |leaves| Reach::Pages(pages_of(&leaves)));
        };
        let bypasses = stage1.substream_bits > 0 && stage1.default == Default::Bypass;
        if lower.is_none() && (bypasses || depth == Depth::Intermediate) {
            return Reach::Everything;
        }
        let mut pages = BTreeSet::new();
        if bypasses || depth == Depth::Intermediate {
            pages.extend(pages_of(lower.as_deref().unwrap_or_default()));
        }
        if depth == Depth::Intermediate {
            let everywhere = self.state.tlb.all_tags(Kind::Combined, stream.vmid);
            pages.extend(everywhere.flat_map(|cached| combined_pages(cached, depth)));
            return Reach::Pages(pages);
        }
        for context in self.possible_contexts(sid, stream, stage1) {
            self.context_pages(stream, &context, lower.as_deref(), &mut pages);
        }
        Reach::Pages(pages)
    }

    fn context_pages(
        &self,
        stream: &Translated,
        context: &Context,
        lower: Option<&[Mapped]>,
        pages: &mut BTreeSet<Page>,
    ) {
        for (regime, lowest) in context.halves() {
            let under = stream.stage2.as_ref();
            let space = Space { regime, vmid: stream.vmid, asid: Some(context.asid), under, class: Class::Input };
            let upper = self.all_leaves(&space, lowest);
            match (lower, under) {
                (Some(lower), Some(stage2)) => self.note_overlaps(&space, stage2, &upper, lower, pages),
                (_, _) => pages.extend(pages_of(&upper)),
            }
        }
        let cached = self.state.tlb.all(Kind::Combined, stream.vmid, Some(context.asid));
        pages.extend(cached.flat_map(|cached| combined_pages(cached, Depth::Device)));
    }

    /// Leaves of both stages, page by page or block by block of the smaller.
    fn note_overlaps(
        &self,
        space: &Space<'_>,
        stage2: &Stage2,
        upper: &[Mapped],
        lower: &[Mapped],
        pages: &mut BTreeSet<Page>,
    ) {
        for upper in upper {
            let (first, last) = (upper.leaf.output, upper.leaf.output + ((1 << upper.order) - 1));
            for lower in
                lower.iter().filter(|lower| lower.base <= last && first <= lower.base + ((1 << lower.order) - 1))
            {
                debug_assert!(lower.base >> stage2.regime.input_bits == 0);
                let input = upper.base + (lower.base.max(first) - first);
                let both = combined(space, upper, lower, input);
                self.note(both);
                pages.extend(combined_pages(&both, Depth::Device));
            }
        }
    }

    /// Context descriptors that a fetch may have put together, of every substream.
    fn possible_contexts(&self, sid: u32, stream: &Translated, stage1: &Stage1) -> Vec<Context> {
        let mut contexts = Vec::new();
        for ssid in 0..1u32 << stage1.substream_bits {
            let mut words: [Vec<u64>; 8] = std::array::from_fn(|_| Vec::new());
            for fetch in self.descriptors(sid, stream, stage1, ssid) {
                let Fetch::Words(fetched) = fetch else { continue };
                self.contexts.borrow_mut().push(((sid, ssid), fetched));
                (0..MEANINGFUL_WORDS).for_each(|word| crate::walk::add(&mut words[word], fetched[word]));
            }
            let identity = &self.state.registers.identity;
            let legal =
                combinations(&words).into_iter().filter_map(|words| identity.context(&words, stage1.never_stalls));
            legal.for_each(|context| crate::walk::add(&mut contexts, context));
        }
        contexts
    }
}

fn pages_of(leaves: &[Mapped]) -> BTreeSet<Page> {
    let pages = leaves.iter().flat_map(|mapped| {
        let rights = mapped.leaf.rights;
        expanded(mapped.base, mapped.leaf.output, mapped.order, rights.reads(), rights.writes())
    });
    pages.collect()
}

fn combined_pages(cached: &Cached, depth: Depth) -> impl Iterator<Item = Page> + use<> {
    let both = cached.leaf().and_then(|leaf| leaf.under.map(|(rights, ipa)| (leaf.leaf, rights, ipa)));
    let (base, order) = (cached.base, cached.order);
    both.into_iter().flat_map(move |(leaf, under, ipa)| match depth {
        Depth::Device => {
            let (read, write) = (leaf.rights.reads() && under.reads(), leaf.rights.writes() && under.writes());
            expanded(base, leaf.output, order, read, write)
        }
        Depth::Intermediate => expanded(ipa, leaf.output, order, under.reads(), under.writes()),
    })
}

fn expanded(base: u64, output: u64, order: u32, read: bool, write: bool) -> impl Iterator<Item = Page> {
    (0..1u64 << (order - PAGE_BITS)).map(move |page| page << PAGE_BITS).map(move |offset| Page {
        iova: base + offset,
        address: PhysAddr(output + offset),
        read,
        write,
    })
}
