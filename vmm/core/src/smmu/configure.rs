//! What a stream does: as its entry says, or GBPA while the SMMU is disabled.

use super::backend::{Backend, Stage1};
use super::batch::Batch;
use super::regs::{CR0, GBPA, offset};
use super::ste::Entry;
use super::stream_table::StreamTable;
use super::streams::Found;
use super::{Smmu, event};

impl Smmu {
    /// Has every stream do what it is configured to do by now.
    pub(super) fn reconfigure_all(&mut self, world: &mut impl Backend) {
        let mut batch = Batch::default();
        for index in 0..self.streams.len() {
            self.reconfigure(index, &mut batch, world);
        }
        batch.issue(&self.streams, world);
    }

    /// Has a stream do what it is configured to do by now. Where that is what it did, its context descriptors are
    /// forgotten: CFGI_STE covers all that was reached through the entry (IHI 0070, 4.3.1).
    pub(super) fn reconfigure(&mut self, index: usize, batch: &mut Batch, world: &mut impl Backend) {
        let Some(stream) = self.streams.get(index) else { return };
        let sid = stream.sid;
        let (stage1, found) = if self.is_enabled(CR0::SMMUEN) {
            match self.fetch(sid, world) {
                Entry::Good(stage1) => (stage1, Found::Good),
                Entry::Invalid => (Stage1::Abort, Found::Nothing),
                Entry::Bad => (Stage1::Abort, Found::Bad),
            }
        } else {
            (self.disabled(), Found::Nothing)
        };
        if self.streams.set(index, stage1, world) {
            batch.drop_descriptors(index);
        } else {
            batch.descriptors(index, None, false, &self.streams, world);
        }
        if self.streams.note(index, found) != Found::Bad && found == Found::Bad {
            self.record(event::bad_entry(sid), world);
        }
    }

    fn fetch(&self, sid: u32, world: &impl Backend) -> Entry {
        let base = self.pages.get_double(offset::STRTAB_BASE);
        let config = self.pages.get(offset::STRTAB_BASE_CFG);
        let table = StreamTable::new(base, config, self.features.sid_bits, self.features.output_end());
        table.fetch(sid, world).map_or(Entry::Invalid, |words| Entry::decode(&self.features, &words))
    }

    /// What streams do while the SMMU is disabled (6.3.9.6, 6.3.14).
    pub(super) fn disabled(&self) -> Stage1 {
        if GBPA::ABORT.is_set(self.pages.get(offset::GBPA)) { Stage1::Abort } else { Stage1::Bypass }
    }
}
