//! SMMUs as the kernel sees them: streams, contexts, and the bindings between them.
//!
//! A binding is a derived capability in a hidden slot: the stream's holds its context, the context's holds its VSpace.
//! When such a capability goes, for whatever reason, `finalise` comes here and the hardware state goes with it.

mod binding;
mod event;
mod failure;
mod invalidate;
mod snapshot;
mod stage1;
mod table;
mod throttle;
mod unclaimed;

pub(crate) use failure::SmmuFault;
pub(crate) use invalidate::{Extent, Stale};
pub(crate) use stage1::Stage1Batch;
pub use table::table_directory_bytes;
pub use throttle::{RECORDS_PER_STREAM, RECORDS_PER_TICK};
pub use unclaimed::UNCLAIMED;

use sluice_abi::PhysAddr;
use sluice_abi::smmu::{ContextId, MAX_SMMUS, StreamId};
use sluice_smmu::{CD_BYTES, Smmu};

use crate::Kernel;
use crate::hal::Hal;
use crate::object::{Context, Stream};
use crate::store::Handle;

/// One SMMU.
pub(crate) struct Unit {
    pub(crate) driver: Smmu,
    contexts: PhysAddr,
    context_count: u32,
    /// Which stream tables are installed; see [`table`].
    tables: PhysAddr,
    /// Context descriptors of the kernel's own, one for each context, where there is no stage 2.
    descriptors: Option<PhysAddr>,
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

    /// The context descriptor of a context, where it is the kernel's.
    fn descriptor(&self, cb: u16) -> Option<PhysAddr> {
        self.descriptors.map(|first| first.offset(u64::from(cb) * CD_BYTES))
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
    /// Zeroed memory to note its stream tables in: [`table_directory_bytes`] of it.
    pub tables: PhysAddr,
    /// Memory for context descriptors, for an SMMU without stage 2: [`descriptor_bytes`] of it, aligned to 64.
    pub descriptors: Option<PhysAddr>,
}

/// Bytes of memory for `count` contexts.
#[must_use]
pub const fn context_bytes(count: u32) -> u64 {
    count as u64 * Context::STRIDE
}

/// Bytes of memory for `count` context descriptors.
#[must_use]
pub const fn descriptor_bytes(count: u32) -> u64 {
    count as u64 * CD_BYTES
}

impl<H: Hal> Kernel<H> {
    /// Takes over SMMU number `smmu`; boot only.
    pub fn add_smmu(&mut self, smmu: u8, boot: SmmuAtBoot) {
        let SmmuAtBoot { driver, contexts, context_count, tables, descriptors } = boot;
        for cb in 0..context_count {
            let at = PhysAddr(contexts.0 + u64::from(cb) * Context::STRIDE);
            self.hal.create::<Context>(at);
        }
        self.trace_smmu(smmu, &driver, context_count);
        self.smmus.any_non_coherent |= !driver.features().coherent;
        if let Some(unit) = self.smmus.units.get_mut(usize::from(smmu)) {
            *unit = Some(Unit {
                driver,
                contexts,
                context_count,
                tables,
                descriptors,
                unclaimed: unclaimed::Unclaimed::new(),
                backlog: false,
                throttle: throttle::Throttle::new(),
                losses: 0,
            });
        }
    }

    /// The stream's shadow, if a second-level table covers it.
    pub(crate) fn locate(&self, stream: StreamId) -> Option<Located> {
        self.table_of(stream).map(|table| table::located(table, stream.sid))
    }
}
