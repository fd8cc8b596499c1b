//! SMMUs as the kernel sees them: streams, contexts, and the bindings between them.
//!
//! A binding is a derived capability in a hidden slot: the stream's holds its context, the context's holds its VSpace.
//! When such a capability goes, for whatever reason, `finalise` comes here and the hardware state goes with it.

mod binding;
mod event;
mod failure;
mod invalidate;
mod stage1;
mod table;
mod throttle;
mod unclaimed;

pub(crate) use failure::SmmuFault;
pub(crate) use invalidate::{Extent, Stale};
pub(crate) use stage1::Stage1Batch;
pub use throttle::{RECORDS_PER_STREAM, RECORDS_PER_TICK};
pub use unclaimed::UNCLAIMED;

use sluice_abi::PhysAddr;
use sluice_abi::smmu::{ContextId, MAX_SMMUS, StreamId};
use sluice_smmu::Smmu;

use crate::Kernel;
use crate::hal::Hal;
use crate::object::{Context, Stream};
use crate::store::Handle;

/// One SMMU.
pub(crate) struct Unit {
    pub(crate) driver: Smmu,
    contexts: PhysAddr,
    context_count: u32,
    /// Events no stream's handler claimed, oldest first.
    unclaimed: unclaimed::Unclaimed,
    /// Whether events were left in the queue, to be collected at the next tick.
    backlog: bool,
    throttle: throttle::Throttle,
    /// How often records were lost since somebody acknowledged that.
    losses: u64,
}

/// All SMMUs, in device-tree order.
pub(crate) struct Smmus {
    units: [Option<Unit>; MAX_SMMUS],
    /// Whether any of them reads tables past the CPU's caches.
    any_non_coherent: bool,
}

/// A stream's shadow and its hardware entry.
#[derive(Clone, Copy)]
pub(crate) struct Located {
    pub(crate) shadow: Handle<Stream>,
    pub(crate) entry: PhysAddr,
}

impl Smmus {
    pub(crate) const fn new() -> Self {
        Self { units: [const { None }; MAX_SMMUS], any_non_coherent: false }
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
        self.any_non_coherent
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
        self.smmus.any_non_coherent |= !driver.features().coherent;
        if let Some(unit) = self.smmus.units.get_mut(usize::from(smmu)) {
            *unit = Some(Unit {
                driver,
                contexts,
                context_count,
                unclaimed: unclaimed::Unclaimed::new(),
                backlog: false,
                throttle: throttle::Throttle::new(),
                losses: 0,
            });
        }
    }

    /// The stream's shadow, if a second-level table covers it.
    pub(crate) fn locate(&self, stream: StreamId) -> Option<Located> {
        let unit = self.smmus.unit(stream.smmu)?;
        let table = unit.driver.stream_table_of(&self.hal, stream.sid)?;
        Some(table::located(table, stream.sid))
    }
}
