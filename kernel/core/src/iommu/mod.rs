//! SMMUs as the kernel sees them: streams, contexts, and the bindings between them.
//!
//! A binding is a derived capability in a hidden slot: the stream's holds its context, the context's holds its VSpace.
//! When such a capability goes, for whatever reason, `finalise` comes here and the hardware state goes with it.

mod binding;
mod event;
mod table;

pub use event::UNCLAIMED;

use sluice_abi::smmu::{ContextId, MAX_SMMUS, Record, StreamId};
use sluice_abi::{FrameSize, PhysAddr, VirtAddr};
use sluice_smmu::{Failure, Smmu};

use crate::Kernel;
use crate::cap::Asid;
use crate::hal::Hal;
use crate::object::{Context, Stream};
use crate::store::Handle;

/// One SMMU.
pub(crate) struct Unit {
    pub(crate) driver: Smmu,
    contexts: PhysAddr,
    context_count: u32,
    /// Events no stream's handler claimed, oldest first.
    unclaimed: event::Unclaimed,
    /// Whether events were left in the queue, to be collected at the next tick.
    backlog: bool,
}

/// All SMMUs, in device-tree order.
pub(crate) struct Smmus {
    units: [Option<Unit>; MAX_SMMUS],
}

/// A stream's shadow and its hardware entry.
#[derive(Clone, Copy)]
pub(crate) struct Located {
    pub(crate) shadow: Handle<Stream>,
    pub(crate) entry: PhysAddr,
}

impl Smmus {
    pub(crate) const fn new() -> Self {
        Self { units: [const { None }; MAX_SMMUS] }
    }

    pub(crate) fn unit(&self, smmu: u8) -> Option<&Unit> {
        self.units.get(usize::from(smmu))?.as_ref()
    }

    fn unit_mut(&mut self, smmu: u8) -> Option<&mut Unit> {
        self.units.get_mut(usize::from(smmu))?.as_mut()
    }

    /// The object of a context that exists.
    pub(crate) fn context(&self, context: ContextId) -> Option<Handle<Context>> {
        let unit = self.unit(context.smmu)?;
        (u32::from(context.cb) < unit.context_count).then(|| unit.context(context.cb))
    }

    /// Whether any SMMU reads tables past the CPU's caches.
    pub(crate) fn any_non_coherent(&self) -> bool {
        self.units.iter().flatten().any(|unit| !unit.driver.features().coherent)
    }
}

impl Unit {
    const fn context(&self, cb: u16) -> Handle<Context> {
        Handle::new(PhysAddr(self.contexts.0 + cb as u64 * Context::STRIDE))
    }

    /// Contexts of this SMMU.
    pub(crate) const fn context_count(&self) -> u32 {
        self.context_count
    }
}

/// What boot gives the kernel for one SMMU.
pub struct SmmuAtBoot {
    /// The driver, enabled with every stream aborting (or left bypassed on request).
    pub driver: Smmu,
    /// Memory for its contexts: [`context_bytes`] of them.
    pub contexts: PhysAddr,
    /// How many.
    pub context_count: u32,
}

/// Bytes of memory for `count` contexts.
#[must_use]
pub const fn context_bytes(count: u32) -> u64 {
    count as u64 * Context::STRIDE
}

impl<H: Hal> Kernel<H> {
    /// Takes over SMMU number `smmu`; boot only.
    pub fn add_smmu(&mut self, smmu: u8, boot: SmmuAtBoot) {
        let SmmuAtBoot { driver, contexts, context_count } = boot;
        for cb in 0..context_count {
            let at = PhysAddr(contexts.0 + u64::from(cb) * Context::STRIDE);
            self.hal.create::<Context>(at);
        }
        self.trace_smmu(smmu, driver.streams(), context_count);
        if let Some(unit) = self.smmus.units.get_mut(usize::from(smmu)) {
            let unclaimed = event::Unclaimed::new();
            *unit = Some(Unit { driver, contexts, context_count, unclaimed, backlog: false });
        }
    }

    /// The stream's shadow, if a second-level table covers it.
    pub(crate) fn locate(&self, stream: StreamId) -> Option<Located> {
        let unit = self.smmus.unit(stream.smmu)?;
        let table = unit.driver.stream_table_of(&self.hal, stream.sid)?;
        Some(table::located(table, stream.sid))
    }

    /// A driver that lost its SMMU has made it abort everything; one that could not do even that ends the kernel.
    fn settle(&self, result: Result<(), Failure>) {
        if let Err(failure) = result
            && matches!(failure, Failure::Uncontrollable)
        {
            self.hal.halt("SMMU acknowledges neither a sync nor being disabled");
        }
    }

    /// Removes a page of a VSpace from the TLBs of all SMMUs, with one sync for each SMMU concerned.
    pub(crate) fn invalidate_contexts_range(&mut self, asid: Asid, vaddr: VirtAddr, size: FrameSize) {
        self.for_each_context(asid, |kernel, unit, cb| {
            unit.driver.invalidate(&kernel.hal, cb, vaddr.0, size.bytes(), size.bits())
        });
    }

    /// Removes a whole VSpace from the TLBs of all SMMUs.
    pub(crate) fn invalidate_contexts(&mut self, asid: Asid) {
        self.for_each_context(asid, |kernel, unit, cb| unit.driver.queue_invalidate_context(&kernel.hal, cb));
    }

    fn for_each_context(&self, asid: Asid, act: impl Fn(&Self, &Unit, u16) -> Result<(), Failure>) {
        let mut next = self.spaces.entry(&self.hal, asid).and_then(|entry| entry.contexts);
        let mut touched = 0u16;
        while let Some(context) = next {
            let (Some(unit), Some(handle)) = (self.smmus.unit(context.smmu), self.smmus.context(context)) else {
                break;
            };
            self.settle(act(self, unit, context.cb));
            touched |= 1 << context.smmu;
            next = self.get(handle).next_of_vspace.get();
        }
        for smmu in 0..MAX_SMMUS as u8 {
            if touched & 1 << smmu != 0
                && let Some(unit) = self.smmus.unit(smmu)
            {
                self.settle(unit.driver.sync(&self.hal));
            }
        }
    }

    /// Forgets every TLB entry of one SMMU.
    pub(crate) fn invalidate_smmu(&mut self, smmu: u8) {
        if let Some(unit) = self.smmus.unit(smmu) {
            self.settle(unit.driver.invalidate_all(&self.hal));
        }
    }

    /// Forgets every TLB entry of one context.
    pub(crate) fn invalidate_context(&mut self, context: ContextId) {
        if let Some(unit) = self.smmus.unit(context.smmu) {
            self.settle(unit.driver.invalidate_context(&self.hal, context.cb));
        }
    }

    /// Takes the oldest event no handler claimed.
    pub(crate) fn take_unclaimed(&mut self, smmu: u8) -> Option<Record> {
        self.smmus.unit_mut(smmu)?.unclaimed.take()
    }
}
