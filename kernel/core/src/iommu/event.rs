//! Events: from the SMMU's queue to the stream's record and its holder's notification.

use sluice_abi::smmu::{Record, StreamId};
use sluice_abi::{CapRights, Iova};

use crate::Kernel;
use crate::cap::Cap;
use crate::hal::Hal;
use crate::object::{Pending, Stream, StreamState};

/// Most events taken from a queue in one go; what is left waits for the next tick, so that a storm from one stream
/// cannot hold the kernel.
const BATCH: u32 = 64;
/// Unclaimed records kept for each SMMU.
pub const UNCLAIMED: usize = 16;

/// Records no handler claimed, oldest first; the newest are dropped when there is no room, and counted.
pub(crate) struct Unclaimed {
    records: [Option<Record>; UNCLAIMED],
    first: usize,
    count: usize,
    dropped: u64,
}

impl Unclaimed {
    pub(crate) const fn new() -> Self {
        Self { records: [None; UNCLAIMED], first: 0, count: 0, dropped: 0 }
    }

    fn put(&mut self, record: Record) {
        if self.count == UNCLAIMED {
            self.dropped += 1;
            return;
        }
        let dropped = core::mem::take(&mut self.dropped);
        self.records[(self.first + self.count) % UNCLAIMED] = Some(Record { dropped, ..record });
        self.count += 1;
    }

    pub(super) fn take(&mut self) -> Option<Record> {
        let record = self.records[self.first].take()?;
        self.first = (self.first + 1) % UNCLAIMED;
        self.count -= 1;
        Some(record)
    }
}

impl<H: Hal> Kernel<H> {
    /// Takes the events an SMMU has recorded. Global errors stay in its registers for `SIDControl_GetFault`.
    pub(crate) fn collect_events(&mut self, smmu: u8) {
        for _ in 0..BATCH {
            let Some(unit) = self.smmus.unit(smmu) else { return };
            let Some(event) = unit.driver.next_event(&self.hal) else {
                self.set_backlog(smmu, false);
                return;
            };
            self.deliver_event(event.record(smmu, 0));
        }
        self.set_backlog(smmu, true);
    }

    /// Goes on where [`Kernel::collect_events`] stopped.
    pub(crate) fn poll_smmus(&mut self) {
        for smmu in 0..sluice_abi::smmu::MAX_SMMUS as u8 {
            if self.smmus.unit(smmu).is_some_and(|unit| unit.backlog) {
                self.collect_events(smmu);
            }
        }
    }

    fn set_backlog(&mut self, smmu: u8, backlog: bool) {
        if let Some(unit) = self.smmus.unit_mut(smmu) {
            unit.backlog = backlog;
        }
    }

    fn deliver_event(&mut self, record: Record) {
        let stream = record.stream;
        self.trace_event(stream, record.event, record.iova.0);
        let located = self.locate(stream);
        let handler = located.map(|located| (located, self.cap(located.shadow.slot(Stream::HANDLER))));
        self.note_event(&record);
        let Some((located, Cap::Notification(notification))) = handler else {
            if let Some(unit) = self.smmus.unit_mut(stream.smmu) {
                unit.unclaimed.put(record);
            }
            return;
        };
        let shadow = self.get(located.shadow);
        if shadow.pending.get().is_some() {
            shadow.dropped.set(shadow.dropped.get() + 1);
        } else {
            let Record { event, iova, ipa, flags, .. } = record;
            shadow.pending.set(Some(Pending { event, iova: iova.0, ipa, flags }));
        }
        let delivered = shadow.delivered.get() + 1;
        shadow.delivered.set(delivered);
        let budget = shadow.budget.get();
        if budget != 0 && delivered >= budget && shadow.state.get() == StreamState::Bound {
            self.abort_stream(stream, located, StreamState::Quarantined);
        }
        if notification.rights.contains(CapRights::WRITE) {
            self.signal(notification.object, notification.badge);
        }
    }

    /// Remembers the event for `CB_GetFault` of the stream's context.
    fn note_event(&mut self, record: &Record) {
        let Some(located) = self.locate(record.stream) else { return };
        if let Cap::Cb { context, .. } = self.cap(located.shadow.slot(Stream::CONTEXT))
            && let Some(context) = self.smmus.context(context)
        {
            self.get(context).last_event.set((record.event, record.iova.0));
        }
    }

    /// Takes the pending record of a stream.
    pub(crate) fn take_record(&mut self, stream: StreamId) -> Option<Record> {
        let shadow = self.get(self.locate(stream)?.shadow);
        let Pending { event, iova, ipa, flags } = shadow.pending.take()?;
        Some(Record { event, stream, iova: Iova(iova), ipa, flags, dropped: shadow.dropped.take() })
    }
}
