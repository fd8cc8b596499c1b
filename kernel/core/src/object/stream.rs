//! Shadow state of a stream, in the stream-table object behind the hardware's entries.
//!
//! A stream-table object is 64 KiB: 256 stream table entries of 64 bytes for the SMMU, then 256 shadows of 192 bytes for
//! the kernel. The SMMU reads only the first 16 KiB.

use core::cell::Cell;

use sluice_abi::PhysAddr;
use sluice_abi::smmu::{STREAM_TABLE_BITS, STREAM_TABLE_SPLIT, StreamId};

use crate::store::{Handle, Object};

/// Bytes from one shadow to the next.
pub const STREAM_STRIDE: u64 = 192;
const ENTRY_BYTES: u64 = 64;

/// The shadow of the `index`-th stream of the table at `table`.
#[must_use]
pub const fn stream_shadow(table: PhysAddr, index: u64) -> Handle<Stream> {
    Handle::new(PhysAddr(table.0 + (ENTRY_BYTES << STREAM_TABLE_SPLIT) + index * STREAM_STRIDE))
}

/// What a stream's transactions meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamState {
    /// Abort, and nobody is told.
    Abort,
    /// The context in the hidden slot.
    Bound,
    /// Abort although bound: the handler's budget is spent.
    Quarantined,
    /// Abort although bound, until the next tick: it has recorded as much as a stream may between two ticks.
    Throttled,
    /// All memory, untranslated.
    Bypassed,
}

/// The oldest event not yet collected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pending {
    /// Event type.
    pub event: u64,
    /// Address used.
    pub iova: u64,
    /// Intermediate address.
    pub ipa: u64,
    /// Flags of the record.
    pub flags: u64,
}

/// Shadow of one stream. Slot [`Stream::CONTEXT`] holds the binding, slot [`Stream::HANDLER`] the notification.
pub struct Stream {
    /// Whether a SID capability for it exists.
    pub issued: Cell<bool>,
    /// What its transactions meet.
    pub state: Cell<StreamState>,
    /// Next stream bound to the same context.
    pub next_of_context: Cell<Option<StreamId>>,
    /// Budget as set; 0 is unlimited.
    pub budget: Cell<u64>,
    /// Records since the handler was set or faults were cleared.
    pub delivered: Cell<u64>,
    /// Records dropped since the last one collected.
    pub dropped: Cell<u64>,
    /// The record waiting.
    pub pending: Cell<Option<Pending>>,
    /// Which interval between two ticks it recorded anything in, and how many records.
    pub burst: Cell<(u64, u32)>,
}

impl Stream {
    /// Index of the slot with the CB capability.
    pub const CONTEXT: u64 = 0;
    /// Index of the slot with the notification capability.
    pub const HANDLER: u64 = 1;
}

impl Object for Stream {
    const SLOTS: u64 = 2;
    const BODY: u64 = 64;

    fn new() -> Self {
        Self {
            issued: Cell::new(false),
            state: Cell::new(StreamState::Abort),
            next_of_context: Cell::new(None),
            budget: Cell::new(0),
            delivered: Cell::new(0),
            dropped: Cell::new(0),
            pending: Cell::new(None),
            burst: Cell::new((0, 0)),
        }
    }
}

const _: () = assert!(size_of::<Stream>() as u64 + Stream::BODY <= STREAM_STRIDE);
const _: () = assert!((ENTRY_BYTES + STREAM_STRIDE) << STREAM_TABLE_SPLIT == 1 << STREAM_TABLE_BITS);
