//! Second-level stream tables as objects.

use sluice_abi::PhysAddr;
use sluice_abi::smmu::{STREAM_TABLE_SPLIT, StreamId};

use super::Located;
use crate::Kernel;
use crate::hal::Hal;
use crate::object::{Stream, stream_shadow};

const STREAMS: u64 = 1 << STREAM_TABLE_SPLIT;
/// Bytes of a stream table entry (IHI 0070, 5.2).
const ENTRY_BYTES: u64 = 64;

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
        installed
    }

    /// Makes and installs a table in kernel memory; boot only. `memory` is zeroed.
    pub fn add_stream_table(&mut self, first: StreamId, memory: PhysAddr) -> bool {
        self.create_stream_table(memory);
        self.trace_table(first);
        self.install_stream_table(first, memory)
    }

    /// The last capability of a table goes: its streams abort for good.
    pub(crate) fn finalise_stream_table(&mut self, table: PhysAddr, mapped: Option<StreamId>) {
        if let Some(first) = mapped {
            for index in 0..STREAMS as u32 {
                self.finalise_stream(StreamId { sid: first.sid + index, ..first });
            }
            if let Some(unit) = self.smmus.unit(first.smmu) {
                self.settle(unit.driver.remove_stream_table(&self.hal, first.sid));
            }
        }
        for index in 0..STREAMS {
            self.hal.destroy(stream_shadow(table, index));
        }
    }
}
