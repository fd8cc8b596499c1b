//! Forgetting what SMMUs have cached of an address space or a context.
//!
//! An invocation that takes many pages away, one after the other, waits once for all that lie side by side: the range is kept
//! until the invocation ends or stops, and only then is memory anybody's to use again.

use core::cell::Cell;

use sluice_abi::VirtAddr;
use sluice_abi::smmu::{ContextId, StreamId};
use sluice_smmu::Failure;

use super::{Located, Unit};
use crate::Kernel;
use crate::cap::Asid;
use crate::hal::Hal;
use crate::object::Context;

/// Most streams of one context that are told one by one to forget their descriptors; above it all streams of the SMMU
/// forget theirs, which bounds the commands of one call.
pub(super) const MAX_NAMED_STREAMS: usize = 64;

/// What has changed of an address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extent {
    /// First address.
    pub(crate) vaddr: VirtAddr,
    /// How much.
    pub(crate) bytes: u64,
    /// log2 of the smallest page that was mapped there.
    pub(crate) leaf_bits: u32,
}

impl Extent {
    /// Both, when nothing lies between them.
    fn joined(self, other: Self) -> Option<Self> {
        let (low, high) = if self.vaddr <= other.vaddr { (self, other) } else { (other, self) };
        (low.vaddr.0 + low.bytes == high.vaddr.0).then(|| Self {
            vaddr: low.vaddr,
            bytes: low.bytes + high.bytes,
            leaf_bits: low.leaf_bits.min(high.leaf_bits),
        })
    }
}

/// The part of an address space that is gone from its tables and may still be cached by SMMUs.
pub(crate) struct Stale(Cell<Option<(Asid, Extent)>>);

impl Stale {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(None))
    }
}

/// SMMUs, by number.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Concerned(u16);

impl Concerned {
    fn add(&mut self, smmu: u8) {
        self.0 |= 1 << smmu;
    }

    fn numbers(self) -> impl Iterator<Item = u8> {
        core::iter::successors(Some(self.0), |left| Some(left & left.wrapping_sub(1)))
            .take_while(|left| *left != 0)
            .map(|left| left.trailing_zeros() as u8)
    }
}

impl<H: Hal> Kernel<H> {
    /// Contexts that translate with an address space.
    pub(super) fn contexts_of(&self, asid: Asid) -> impl Iterator<Item = (ContextId, &Context)> {
        let first = self.spaces.entry(&self.hal, asid).and_then(|entry| entry.contexts);
        let found = |id: ContextId| Some((id, self.get(self.smmus.context(id)?)));
        core::iter::successors(first.and_then(found), move |(_, context)| context.next_of_vspace.get().and_then(found))
    }

    /// Streams bound to a context.
    pub(super) fn streams_of(&self, context: &Context) -> impl Iterator<Item = (StreamId, Located)> + Clone {
        let found = |id: StreamId| Some((id, self.locate(id)?));
        core::iter::successors(context.streams.get().and_then(found), move |(_, located)| {
            self.get(located.shadow).next_of_context.get().and_then(found)
        })
    }

    /// Removes part of an address space from the caches of all SMMUs.
    ///
    /// A context without a stage 1 costs one command for most extents, and its SMMU one sync. Behind a stage 1 two more
    /// things remember stage 2: fetched context descriptors, which keep the address that stage 2 gave their tables, and
    /// entries that combine both stages. Each may be made again from what is forgotten before it, so each waits for a
    /// sync of its own.
    pub(crate) fn invalidate_contexts(&self, asid: Asid, extent: Extent) {
        if self.contexts_of(asid).next().is_none() {
            return;
        }
        let Extent { vaddr, bytes, leaf_bits } = extent;
        self.for_contexts(self.contexts_of(asid), |unit, id, _| {
            unit.driver.invalidate(&self.hal, id.cb, vaddr.0, bytes, leaf_bits)
        });
        let nested = || self.contexts_of(asid).filter(|(_, context)| context.stage1.get().is_some());
        self.for_contexts(nested(), |unit, _, context| self.forget_descriptors(unit, context));
        self.for_contexts(nested(), |unit, id, _| unit.driver.queue_invalidate_stage1(&self.hal, id.cb));
    }

    /// Removes part of an address space from the caches of all SMMUs before the invocation under way ends.
    pub(crate) fn invalidate_contexts_later(&self, asid: Asid, extent: Extent) {
        let joined = match self.stale.0.get() {
            Some((other, before)) if other == asid => before.joined(extent),
            Some(_) | None => None,
        };
        if joined.is_none() {
            self.forget_stale();
        }
        self.stale.0.set(Some((asid, joined.unwrap_or(extent))));
    }

    /// The invocation ends, or stops for an interrupt: what it took away is gone from the hardware from here on.
    pub(crate) fn forget_stale(&self) {
        if let Some((asid, extent)) = self.stale.0.take() {
            self.invalidate_contexts(asid, extent);
        }
    }

    /// Queues something for each of some contexts, then syncs each SMMU concerned.
    fn for_contexts<'a>(
        &'a self,
        contexts: impl Iterator<Item = (ContextId, &'a Context)>,
        queue: impl Fn(&Unit, ContextId, &Context) -> Result<(), Failure>,
    ) {
        let mut concerned = Concerned::default();
        for (id, context) in contexts {
            if let Some(unit) = self.smmus.unit(id.smmu) {
                self.settle(queue(unit, id, context));
                concerned.add(id.smmu);
            }
        }
        for smmu in concerned.numbers() {
            self.sync_smmu(smmu);
        }
    }

    pub(super) fn sync_smmu(&self, smmu: u8) {
        if let Some(unit) = self.smmus.unit(smmu) {
            self.settle(unit.driver.sync(&self.hal));
        }
    }

    fn forget_descriptors(&self, unit: &Unit, context: &Context) -> Result<(), Failure> {
        let mut streams = self.streams_of(context);
        if streams.clone().nth(MAX_NAMED_STREAMS).is_some() {
            return unit.driver.queue_forget_configuration(&self.hal);
        }
        streams.try_for_each(|(stream, _)| unit.driver.queue_forget_descriptors(&self.hal, stream.sid))
    }

    /// Forgets every TLB entry of one SMMU.
    pub(crate) fn invalidate_smmu(&self, smmu: u8) {
        if let Some(unit) = self.smmus.unit(smmu) {
            self.settle(unit.driver.invalidate_all(&self.hal));
        }
    }

    /// Forgets every TLB entry of one context.
    pub(crate) fn invalidate_context(&self, context: ContextId) {
        if let Some(unit) = self.smmus.unit(context.smmu) {
            self.settle(unit.driver.invalidate_context(&self.hal, context.cb));
        }
    }
}
