//! What invalidations forget (IHI 0070, 4.3 and 4.4): no more than they must.

use crate::state::State;
use crate::tlb::{Cached, Kind};

/// An invalidation that the next SYNC completes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Streams `first..=last`, their context descriptors, and unless `leaf` the descriptors that lead to them.
    Streams { first: u32, last: u32, leaf: bool },
    /// One context descriptor.
    Context { sid: u32, ssid: u32 },
    /// All context descriptors of a stream.
    Contexts { sid: u32 },
    /// Translations.
    Translations(Scope),
}

/// Which translations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// All.
    All,
    /// Both stages of a VMID.
    Vmid(u16),
    /// Stage 1 of a VMID, with what both stages give together.
    Stage1(u16),
    /// Stage 1 of an ASID, without what serves every ASID.
    Asid { vmid: u16, asid: u16 },
    /// Stage 1 of addresses, in an ASID or in all of them.
    Addresses { vmid: u16, asid: Option<u16>, range: Range },
    /// Stage 2 of intermediate addresses. What both stages give together stays.
    Intermediate { vmid: u16, range: Range },
}

/// Addresses of a TLBI command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Tables stay.
    pub(crate) leaf: bool,
    /// Leaves of other levels may stay.
    pub(crate) level: Option<u32>,
}

impl Range {
    /// A block is gone when any page of it is named.
    fn names(&self, cached: &Cached) -> bool {
        let kind = match cached.leaf() {
            Some(_) => self.level.is_none_or(|level| level == cached.level),
            None => !self.leaf,
        };
        kind && cached.overlaps(self.first, self.last)
    }
}

impl Scope {
    fn names(&self, cached: &Cached) -> bool {
        let stage1 = cached.kind != Kind::Stage2;
        match *self {
            Self::All => true,
            Self::Vmid(vmid) => cached.vmid == vmid,
            Self::Stage1(vmid) => stage1 && cached.vmid == vmid,
            Self::Asid { vmid, asid } => stage1 && cached.vmid == vmid && cached.asid == Some(asid),
            Self::Addresses { vmid, asid, range } => {
                let tagged = cached.asid.is_none() || asid.is_none() || cached.asid == asid;
                stage1 && cached.vmid == vmid && tagged && range.names(cached)
            }
            Self::Intermediate { vmid, range } => !stage1 && cached.vmid == vmid && range.names(cached),
        }
    }
}

impl State {
    pub(crate) fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Streams { first, last, leaf } => {
                let streams = first..=last;
                self.entries.retain(|sid, _| !streams.contains(sid));
                self.contexts.retain(|(sid, _), _| !streams.contains(sid));
                if !leaf {
                    let covered = self.first_level(first)..=self.first_level(last);
                    self.descriptors.retain(|index, _| !covered.contains(index));
                }
                let now = self.memory.borrow().now();
                self.forgotten.note(first, last, now);
            }
            Effect::Context { sid, ssid } => {
                self.contexts.remove(&(sid, ssid));
            }
            Effect::Contexts { sid } => self.contexts.retain(|(of, _), _| *of != sid),
            Effect::Translations(scope) => self.tlb.retain(|cached| !scope.names(cached)),
        }
    }
}
