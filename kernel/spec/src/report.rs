//! What SMMUs report: who is told, what is kept, and when a stream is put in quarantine.

use alloc::vec::Vec;

use sluice_abi::smmu::{ContextId, Record, StreamId};

use crate::step::{Answer, Stepped};
use crate::{Cap, Refused, Slot, Smmu, State};

/// Records without a handler that are kept for each SMMU; later ones are counted.
pub const KEPT: usize = 16;
/// Of them, those of one stream.
const KEPT_OF_ONE: usize = KEPT / 4;

/// What is remembered of the faults of a stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Faults {
    /// Records after which the stream is put in quarantine; 0 for no bound.
    pub budget: u64,
    /// Records since the budget was set, or all was forgotten.
    pub seen: u64,
    /// The oldest record nobody has taken; what came after it was dropped.
    pub oldest: Option<Record>,
    /// How many were dropped.
    pub dropped: u64,
    /// Whether the stream aborts although it is bound, until its faults are cleared.
    pub quarantined: bool,
}

/// Type and address of an event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LatestFault {
    /// Its type.
    pub event: u64,
    /// The address the device used.
    pub iova: u64,
}

impl State {
    /// An SMMU reports a fault of a stream.
    pub fn reported(&mut self, record: Record) {
        let stream = record.stream;
        if let Some(Cap::Cb(context)) = self.cap(Slot::Binding(stream)) {
            self.latest.insert(context, LatestFault { event: record.event, iova: record.iova.0 });
        }
        let Some(Cap::Notification { object, badge, .. }) = self.cap(Slot::Handler(stream)) else {
            if let Some(smmu) = self.smmus.get_mut(&stream.smmu) {
                smmu.keep(record);
            }
            return;
        };
        let translates = self.translates(stream);
        let faults = self.faults.entry(stream).or_default();
        if faults.oldest.is_some() {
            faults.dropped += 1;
        } else {
            faults.oldest = Some(record);
        }
        faults.seen += 1;
        faults.quarantined |= translates && faults.budget != 0 && faults.seen >= faults.budget;
        self.signal(object, badge);
    }

    /// Whether a stream is bound to a context that has an address space, and is not in quarantine.
    pub(crate) fn translates(&self, stream: StreamId) -> bool {
        let Some(Cap::Cb(context)) = self.cap(Slot::Binding(stream)) else { return false };
        self.space_of(context).is_some() && !self.faults.get(&stream).is_some_and(|faults| faults.quarantined)
    }

    pub(crate) fn get_eventq(&self, control: Slot, smmu: u64) -> Stepped {
        let number = self.invoked_smmu(control, smmu)?;
        let mut after = self.clone();
        let kept = after.smmus.get_mut(&number).map(|smmu| &mut smmu.unclaimed).filter(|kept| !kept.is_empty());
        let words = kept.map_or_else(Vec::new, |kept| kept.remove(0).words().to_vec());
        Ok(Answer { state: after, words })
    }

    pub(crate) fn get_fault(&self, sid: Slot) -> Stepped {
        let stream = self.invoked_stream(sid)?;
        let mut words = Vec::new();
        let mut answer = self.changed(|after| {
            if let Some(faults) = after.faults.get_mut(&stream)
                && let Some(record) = faults.oldest.take()
            {
                words = Record { dropped: core::mem::take(&mut faults.dropped), ..record }.words().to_vec();
            }
            after.tidy_faults(stream);
        });
        answer.words = words;
        Ok(answer)
    }

    /// Forgets what a stream's records said, and ends its quarantine.
    pub(crate) fn clear_fault(&self, sid: Slot) -> Stepped {
        let stream = self.invoked_stream(sid)?;
        Ok(self.changed(|after| {
            if let Some(faults) = after.faults.get_mut(&stream) {
                *faults = Faults { budget: faults.budget, ..Faults::default() };
            }
            after.tidy_faults(stream);
        }))
    }

    pub(crate) fn get_context_fault(&self, cb: Slot) -> Stepped {
        let context = self.invoked_context(cb)?;
        let (event, iova) = self.latest.get(&context).map_or((0, 0), |latest| (latest.event, latest.iova));
        Ok(Answer { state: self.clone(), words: alloc::vec![event, iova] })
    }

    pub(crate) fn clear_context_fault(&self, cb: Slot) -> Stepped {
        let context = self.invoked_context(cb)?;
        Ok(self.changed(|after| {
            after.latest.remove(&context);
        }))
    }

    pub(crate) fn invalidate_context(&self, cb: Slot) -> Stepped {
        let context = self.invoked_context(cb)?;
        self.expect_held(Slot::Translation(context))?;
        Ok(self.changed(|_| {}))
    }

    pub(crate) fn invoked_context(&self, cb: Slot) -> Result<ContextId, Refused> {
        if let Cap::Cb(context) = self.invoked(cb)? { Ok(context) } else { Err(Refused::IllegalOperation) }
    }

    /// What says nothing need not be remembered.
    pub(crate) fn tidy_faults(&mut self, stream: StreamId) {
        self.faults.retain(|other, faults| *other != stream || *faults != Faults::default());
    }
}

impl Smmu {
    fn keep(&mut self, record: Record) {
        let of_it = self.unclaimed.iter().filter(|kept| kept.stream == record.stream).count();
        if self.unclaimed.len() == KEPT || of_it == KEPT_OF_ONE {
            self.dropped += 1;
        } else {
            self.unclaimed.push(Record { dropped: core::mem::take(&mut self.dropped), ..record });
        }
    }
}
