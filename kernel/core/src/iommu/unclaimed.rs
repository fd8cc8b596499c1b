//! Records no handler claimed.

use sluice_abi::smmu::{Record, StreamId};

use crate::Kernel;
use crate::hal::Hal;

/// Unclaimed records kept for each SMMU.
pub const UNCLAIMED: usize = 16;
/// Of them, most of one stream: a stream in a storm leaves room for the others.
const OF_ONE_STREAM: usize = UNCLAIMED / 4;

/// Records no handler claimed, oldest first; the newest are dropped when there is no room, and counted.
pub(crate) struct Unclaimed {
    records: [Option<Record>; UNCLAIMED],
    first: usize,
    count: usize,
    dropped: u64,
}

impl Unclaimed {
    pub(super) const fn new() -> Self {
        Self { records: [None; UNCLAIMED], first: 0, count: 0, dropped: 0 }
    }

    pub(super) fn put(&mut self, record: Record) {
        if self.count == UNCLAIMED || self.kept_of(record.stream) >= OF_ONE_STREAM {
            self.dropped += 1;
            return;
        }
        let dropped = core::mem::take(&mut self.dropped);
        self.records[(self.first + self.count) % UNCLAIMED] = Some(Record { dropped, ..record });
        self.count += 1;
    }

    /// Counts records that never got here.
    pub(super) fn add_dropped(&mut self, records: u64) {
        self.dropped += records;
    }

    fn iter(&self) -> impl Iterator<Item = Record> + '_ {
        (0..self.count).filter_map(|index| self.records[(self.first + index) % UNCLAIMED])
    }

    pub(super) fn take(&mut self) -> Option<Record> {
        let record = self.records[self.first].take()?;
        self.first = (self.first + 1) % UNCLAIMED;
        self.count -= 1;
        Some(record)
    }

    fn kept_of(&self, stream: StreamId) -> usize {
        self.records.iter().flatten().filter(|record| record.stream == stream).count()
    }
}

impl<H: Hal> Kernel<H> {
    /// The records that `SIDControl_GetEventq` has yet to give, oldest first, for checks.
    pub fn unclaimed(&self, smmu: u8) -> impl Iterator<Item = Record> + '_ {
        self.smmus.unit(smmu).into_iter().flat_map(|unit| unit.unclaimed.iter())
    }

    /// How many records came after the last of those and were dropped, for checks.
    #[must_use]
    pub fn unclaimed_dropped(&self, smmu: u8) -> u64 {
        self.smmus.unit(smmu).map_or(0, |unit| unit.unclaimed.dropped)
    }
}
