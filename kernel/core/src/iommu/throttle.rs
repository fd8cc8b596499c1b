//! What a stream in a storm may cost: so many records between two ticks, then silence until the next.
//!
//! A handler's budget is its holder's choice and may be none; this bound is the kernel's, and for every stream.

use core::cell::Cell;

use sluice_abi::smmu::{ContextId, StreamId};

use super::Located;
use crate::Kernel;
use crate::cap::Cap;
use crate::hal::Hal;
use crate::object::{Stream, StreamState};

/// Most records of one stream between two ticks: the stream aborts, silently, from there to the next tick.
pub const RECORDS_PER_STREAM: u32 = 64;
/// Most records taken from one SMMU between two ticks.
pub const RECORDS_PER_TICK: u32 = 512;
/// Streams that can reach their bound in one interval.
const STREAMS: usize = (RECORDS_PER_TICK / RECORDS_PER_STREAM) as usize;

/// The present interval of an SMMU.
pub(crate) struct Throttle {
    interval: Cell<u64>,
    taken: Cell<u32>,
    streams: [Cell<Option<StreamId>>; STREAMS],
}

impl Throttle {
    pub(super) const fn new() -> Self {
        Self { interval: Cell::new(1), taken: Cell::new(0), streams: [const { Cell::new(None) }; STREAMS] }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.taken.get() >= RECORDS_PER_TICK
    }

    /// Remembers a stream that has reached its bound. There is room for all that can.
    fn add(&self, stream: StreamId) {
        let known = self.streams.iter().any(|entry| entry.get() == Some(stream));
        if let (false, Some(free)) = (known, self.streams.iter().find(|entry| entry.get().is_none())) {
            free.set(Some(stream));
        }
    }
}

impl<H: Hal> Kernel<H> {
    /// Counts a record, and silences its stream when it has recorded as much as it may.
    pub(super) fn count_record(&self, stream: StreamId, located: Option<Located>) {
        let Some(unit) = self.smmus.unit(stream.smmu) else { return };
        unit.throttle.taken.set(unit.throttle.taken.get() + 1);
        let Some(located) = located else { return };
        let interval = unit.throttle.interval.get();
        let shadow = self.get(located.shadow);
        let (last, count) = shadow.burst.get();
        shadow.burst.set((interval, if last == interval { count + 1 } else { 1 }));
        if shadow.state.get() == StreamState::Bound && self.is_over_bound(stream, located) {
            self.write_abort(stream, located);
            self.throttle_stream(stream, located);
        }
    }

    /// Whether a stream has recorded too much to translate before the next tick.
    pub(super) fn is_over_bound(&self, stream: StreamId, located: Located) -> bool {
        let (last, count) = self.get(located.shadow).burst.get();
        let interval = self.smmus.unit(stream.smmu).map(|unit| unit.throttle.interval.get());
        interval == Some(last) && count >= RECORDS_PER_STREAM
    }

    /// Lets a stream, which aborts, wait for the next tick.
    pub(super) fn throttle_stream(&self, stream: StreamId, located: Located) {
        self.get(located.shadow).state.set(StreamState::Throttled);
        if let Some(unit) = self.smmus.unit(stream.smmu) {
            unit.throttle.add(stream);
        }
    }

    /// Begins a new interval: streams silenced in the last one translate again.
    pub(super) fn end_throttling(&self, smmu: u8) {
        let Some(unit) = self.smmus.unit(smmu) else { return };
        unit.throttle.interval.set(unit.throttle.interval.get() + 1);
        unit.throttle.taken.set(0);
        for stream in unit.throttle.streams.iter().filter_map(Cell::take) {
            if let Some((located, context)) = self.throttled(stream) {
                self.activate_stream(stream, located, context);
            }
        }
    }

    fn throttled(&self, stream: StreamId) -> Option<(Located, ContextId)> {
        let located = self.locate(stream)?;
        let shadow = self.get(located.shadow);
        if let Cap::Cb { context, .. } = self.cap(located.shadow.slot(Stream::CONTEXT))
            && shadow.state.get() == StreamState::Throttled
        {
            Some((located, context))
        } else {
            None
        }
    }
}
