//! A translation context (CB) of an SMMU: kernel memory made at boot, one for each tag the SMMU has.

use core::cell::Cell;

use sluice_abi::smmu::{CdTable, ContextId, StreamId};

use crate::store::{Object, SlotRef};

/// A context. Its hidden slot holds the copy of the VSpace capability that binds it.
pub struct Context {
    /// Whether a CB capability for it exists.
    pub issued: Cell<bool>,
    /// Next context of the same VSpace.
    pub next_of_vspace: Cell<Option<ContextId>>,
    /// First of the streams bound to it.
    pub streams: Cell<Option<StreamId>>,
    /// The holder's context descriptors, when there is a stage 1 before stage 2.
    pub stage1: Cell<Option<CdTable>>,
    /// Type and IOVA of the latest event of any of its streams; type 0 for none.
    pub last_event: Cell<(u64, u64)>,
}

impl Context {
    /// Index of the slot with the VSpace capability.
    pub const VSPACE: u64 = 0;
    /// Bytes from one context to the next: the slot and the body.
    pub const STRIDE: u64 = 128;
}

impl Object for Context {
    const SLOTS: u64 = 1;
    const BODY: u64 = 32;

    fn new() -> Self {
        Self {
            issued: Cell::new(false),
            next_of_vspace: Cell::new(None),
            streams: Cell::new(None),
            stage1: Cell::new(None),
            last_event: Cell::new((0, 0)),
        }
    }
}

const _: () = assert!(size_of::<Context>() as u64 + Context::BODY <= Context::STRIDE);
const _: () = assert!(size_of::<SlotRef>() == 8);
