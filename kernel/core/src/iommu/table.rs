//! Second-level stream tables as objects, and which streams have one.
//!
//! A directory in memory of the kernel's own has a word for each 256 streams an SMMU can tell apart: the table that covers
//! them, whatever format of stream table the SMMU itself reads; or, where a table is gone, how many of its streams are still
//! held by somebody.

use sluice_abi::PhysAddr;
use sluice_abi::smmu::{STREAM_TABLE_BITS, STREAM_TABLE_SPLIT, StreamId};

use super::Located;
use crate::Kernel;
use crate::cap::raw::Field;
use crate::hal::Hal;
use crate::object::{Stream, stream_shadow};

const STREAMS: u64 = 1 << STREAM_TABLE_SPLIT;
/// Bytes of a stream table entry (IHI 0070, 5.2).
const ENTRY_BYTES: u64 = 64;

/// Streams without a table that are held.
const ORPHANS: Field = Field::new(0, 9);
/// There is a table.
const PRESENT: Field = Field::new(15, 1);
/// Its address divided by its size.
const TABLE: Field = Field::new(STREAM_TABLE_BITS, 44 - STREAM_TABLE_BITS);

/// Bytes of the directory for so many streams.
#[must_use]
pub const fn table_directory_bytes(streams: u64) -> u64 {
    streams.div_ceil(STREAMS) * 8
}

/// The stream `sid` in the table that covers it.
pub(super) const fn located(table: PhysAddr, sid: u32) -> Located {
    let index = sid as u64 & (STREAMS - 1);
    Located { shadow: stream_shadow(table, index), entry: PhysAddr(table.0 + index * ENTRY_BYTES) }
}

impl<H: Hal> Kernel<H> {
    /// Makes the shadows of a table whose memory is zeroed and not yet installed.
    pub(crate) fn create_stream_table(&mut self, table: PhysAddr) {
        for index in 0..STREAMS {
            self.hal.create::<Stream>(stream_shadow(table, index).at());
        }
    }

    /// Installs a table for the 256 streams from `first`; true when the SMMU has taken it.
    pub(crate) fn install_stream_table(&mut self, first: StreamId, table: PhysAddr) -> bool {
        let Some(unit) = self.smmus.unit(first.smmu) else { return false };
        let result = unit.driver.install_stream_table(&self.hal, first.sid, table);
        let installed = result.is_ok();
        self.settle(result);
        self.note_table(first, PRESENT.put(1) | TABLE.put(table.0 >> STREAM_TABLE_BITS));
        installed
    }

    /// Makes and installs a table in kernel memory; boot only. `memory` is zeroed.
    pub fn add_stream_table(&mut self, first: StreamId, memory: PhysAddr) -> bool {
        self.create_stream_table(memory);
        self.trace_table(first);
        self.install_stream_table(first, memory)
    }

    /// The table that covers a stream.
    pub(super) fn table_of(&self, stream: StreamId) -> Option<PhysAddr> {
        let word = self.hal.load(self.directory_entry(stream)?);
        (PRESENT.get(word) != 0).then(|| PhysAddr(TABLE.get(word) << STREAM_TABLE_BITS))
    }

    /// Whether somebody holds one of the streams from `first` on although their table is gone: with a new one it would be
    /// worth something again.
    pub(crate) fn has_orphans(&self, first: StreamId) -> bool {
        self.orphans(first) != 0
    }

    /// The last capability of a stream goes that has no table any more.
    pub(super) fn forget_orphan(&self, stream: StreamId) {
        let orphans = self.orphans(stream);
        self.note_table(stream, ORPHANS.put(orphans.saturating_sub(1)));
    }

    fn orphans(&self, stream: StreamId) -> u64 {
        self.directory_entry(stream).map_or(0, |at| ORPHANS.get(self.hal.load(at)))
    }

    fn note_table(&self, stream: StreamId, word: u64) {
        if let Some(at) = self.directory_entry(stream) {
            self.hal.store(at, word);
        }
    }

    fn directory_entry(&self, stream: StreamId) -> Option<PhysAddr> {
        let unit = self.smmus.unit(stream.smmu)?;
        let sid = u64::from(stream.sid);
        (sid < unit.driver.streams()).then(|| unit.tables.offset((sid >> STREAM_TABLE_SPLIT) * 8))
    }

    /// The last capability of a table goes: its streams abort for good, with two commands for all of them.
    pub(crate) fn finalise_stream_table(&mut self, table: PhysAddr, mapped: Option<StreamId>) {
        if let Some(first) = mapped {
            if let Some(unit) = self.smmus.unit(first.smmu) {
                self.settle(unit.driver.remove_stream_table(&self.hal, first.sid));
                unit.driver.retire_stream_table(&self.hal, table);
            }
            let mut held = 0;
            for index in 0..STREAMS as u32 {
                let stream = StreamId { sid: first.sid + index, ..first };
                let Some(located) = self.locate(stream) else { break };
                held += u64::from(self.get(located.shadow).issued.get());
                self.finalise_stream(stream);
            }
            self.note_table(first, ORPHANS.put(held));
        }
        for index in 0..STREAMS {
            self.hal.destroy(stream_shadow(table, index));
        }
    }
}
