//! Events: from the SMMU's queue to the stream's record and its holder's notification.

use sluice_abi::smmu::{MAX_SMMUS, Record, StreamId};
use sluice_abi::{CapRights, Iova};

use crate::Kernel;
use crate::cap::Cap;
use crate::hal::Hal;
use crate::object::{Pending, Stream, StreamState};

/// Most events taken from a queue in one go; what is left waits for the next interrupt or tick, so that a storm cannot
/// hold the kernel.
const BATCH: u32 = 64;
impl<H: Hal> Kernel<H> {
    /// Takes what an SMMU has recorded: its global errors, and events.
    pub(crate) fn collect_events(&mut self, smmu: u8) {
        self.collect_errors(smmu);
        for _ in 0..BATCH {
            let Some(unit) = self.smmus.unit(smmu) else { return };
            if unit.throttle.is_exhausted() {
                break;
            }
            let Some(event) = unit.driver.next_event(&self.hal) else {
                self.set_backlog(smmu, false);
                return;
            };
            self.deliver_event(event.record(smmu, 0));
        }
        self.set_backlog(smmu, true);
    }

    /// A new interval begins: throttled streams translate again, and what [`Kernel::collect_events`] left is collected.
    pub(crate) fn tick_smmus(&mut self) {
        for smmu in 0..MAX_SMMUS as u8 {
            self.end_throttling(smmu);
            if self.smmus.unit(smmu).is_some_and(|unit| unit.backlog) {
                self.collect_events(smmu);
            }
        }
    }

    /// Takes the oldest event no handler claimed.
    pub(crate) fn take_unclaimed(&mut self, smmu: u8) -> Option<Record> {
        self.smmus.unit_mut(smmu)?.unclaimed.take()
    }

    fn set_backlog(&mut self, smmu: u8, backlog: bool) {
        if let Some(unit) = self.smmus.unit_mut(smmu) {
            unit.backlog = backlog;
        }
    }

    fn deliver_event(&mut self, record: Record) {
        let stream = record.stream;
        self.trace_event(&record);
        let located = self.locate(stream);
        let handler = located.map(|located| (located, self.cap(located.shadow.slot(Stream::HANDLER))));
        self.note_event(&record);
        self.count_record(stream, located);
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
        let spent = budget != 0 && delivered >= budget;
        if spent && matches!(shadow.state.get(), StreamState::Bound | StreamState::Throttled) {
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
