//! The stream table: tables in and out, and the one function that publishes an entry.

use sluice_abi::{PhysAddr, smmu::STREAM_TABLE_SPLIT};

use super::Smmu;
use crate::cd::CD_BYTES;
use crate::regs::L1STD;
use crate::ste::STE_BYTES;
use crate::{Bus, Cd, Command, Failure, Ste, StreamTableFormat};

/// Streams of one second-level table.
const SPAN: u64 = 1 << STREAM_TABLE_SPLIT;
/// Bytes of its entries, which it is aligned to.
const TABLE_BYTES: u64 = SPAN * STE_BYTES;

impl Smmu {
    /// Puts a table under the streams from `first_sid` on: every one of them aborts, silently from now on.
    ///
    /// `table` holds 256 entries at its start, in memory only the kernel writes, and no table is there yet. With a
    /// linear stream table the SMMU's own memory has the entries, and `table` is filled just the same.
    ///
    /// # Errors
    /// [`Failure::OutOfRange`] when the stream table does not reach that far or an argument is misaligned; nothing was
    /// changed. Otherwise the SMMU was taken down to abort, or is [`Failure::Uncontrollable`].
    pub fn install_stream_table(&self, bus: &impl Bus, first_sid: u32, table: PhysAddr) -> Result<(), Failure> {
        let descriptor = self.descriptor(first_sid)?;
        if !table.is_aligned(TABLE_BYTES.trailing_zeros()) {
            return Err(Failure::OutOfRange);
        }
        for entry in 0..SPAN {
            self.fill(bus, table.offset(entry * STE_BYTES), &Ste::abort());
        }
        self.clean(bus, table, TABLE_BYTES);
        // The entries abort before the descriptor leads to them.
        bus.barrier();
        match self.needs.format {
            StreamTableFormat::Linear => Ok(()),
            StreamTableFormat::TwoLevel => {
                let span = L1STD::SPAN.val(u64::from(STREAM_TABLE_SPLIT) + 1);
                let value = span + L1STD::L2PTR.val(table.0 >> L1STD::L2PTR.shift);
                self.publish_descriptor(bus, first_sid, descriptor, value.value)
            }
        }
    }

    /// Takes the table from under the streams from `first_sid` on: they abort as unknown, and the SMMU does not read
    /// the table's memory any more.
    ///
    /// # Errors
    /// As [`install_stream_table`](Self::install_stream_table).
    pub fn remove_stream_table(&self, bus: &impl Bus, first_sid: u32) -> Result<(), Failure> {
        let descriptor = self.descriptor(first_sid)?;
        match self.needs.format {
            StreamTableFormat::Linear => {
                let [word0, ..] = Ste::abort().words();
                let first = self.strtab.offset(u64::from(first_sid) * STE_BYTES);
                let streams = SPAN.min(self.streams());
                for entry in 0..streams {
                    bus.store(first.offset(entry * STE_BYTES), word0);
                }
                self.clean(bus, first, streams * STE_BYTES);
                bus.barrier();
                self.forget_span(bus, first_sid)
            }
            StreamTableFormat::TwoLevel => self.publish_descriptor(bus, first_sid, descriptor, 0),
        }
    }

    /// Makes every entry of a table abort that was [removed](Self::remove_stream_table), or that the SMMU reads in memory of
    /// its own: whatever is written to them as abort after that needs no command.
    pub fn retire_stream_table(&self, bus: &impl Bus, table: PhysAddr) {
        for entry in 0..SPAN {
            self.fill(bus, table.offset(entry * STE_BYTES), &Ste::abort());
        }
    }

    /// Writes one of the kernel's own context descriptors, to which no entry leads that translates.
    pub fn write_descriptor(&self, bus: &impl Bus, at: PhysAddr, descriptor: &Cd) {
        for (word, offset) in descriptor.words().into_iter().zip((0..).step_by(8)) {
            bus.store(at.offset(offset), word);
        }
        self.clean(bus, at, CD_BYTES);
        bus.barrier();
    }

    /// Makes `ste` the entry of a stream. `entry` is its place in the table installed; a linear stream table has its
    /// own. Between any two stores the stream does what the old entry says, aborts, or does what the new one says.
    ///
    /// The SMMU reads the eight words in any order and at any time (3.21.3), so a fetch that overlaps a change could
    /// join words of two entries. Hence: to abort, with word 0 alone, and forget; then the words that mean nothing
    /// under abort, and forget again, which also ends fetches that saw some of them; then word 0, and forget. Abort,
    /// not V=0, because an invalid entry would record C_BAD_STE for each transaction in between.
    ///
    /// # Errors
    /// [`Failure::OutOfRange`] when the stream table does not reach that far; nothing was changed. Otherwise the SMMU
    /// was taken down to abort, or is [`Failure::Uncontrollable`].
    pub fn write_ste(&self, bus: &impl Bus, sid: u32, entry: PhysAddr, ste: &Ste) -> Result<(), Failure> {
        if u64::from(sid) >= self.streams() {
            return Err(Failure::OutOfRange);
        }
        let at = match self.needs.format {
            StreamTableFormat::Linear => self.strtab.offset(u64::from(sid) * STE_BYTES),
            StreamTableFormat::TwoLevel => entry,
        };
        let [abort, ..] = Ste::abort().words();
        if bus.load(at) != abort {
            self.publish_word0(bus, sid, at, abort)?;
        }
        self.fill_after_word0(bus, at, ste);
        if *ste == Ste::abort() {
            return Ok(());
        }
        self.forget_entry(bus, sid)?;
        let [word0, ..] = ste.words();
        self.publish_word0(bus, sid, at, word0)
    }

    fn publish_word0(&self, bus: &impl Bus, sid: u32, at: PhysAddr, word0: u64) -> Result<(), Failure> {
        bus.store(at, word0);
        self.clean(bus, at, STE_BYTES);
        bus.barrier();
        self.forget_entry(bus, sid)
    }

    fn publish_descriptor(
        &self,
        bus: &impl Bus,
        first_sid: u32,
        descriptor: PhysAddr,
        value: u64,
    ) -> Result<(), Failure> {
        bus.store(descriptor, value);
        self.clean(bus, descriptor, 8);
        bus.barrier();
        self.forget_span(bus, first_sid)
    }

    fn forget_entry(&self, bus: &impl Bus, sid: u32) -> Result<(), Failure> {
        self.issue(bus, Command::CfgiSte { sid, leaf: true })?;
        self.sync(bus)
    }

    fn forget_span(&self, bus: &impl Bus, first_sid: u32) -> Result<(), Failure> {
        self.issue(bus, Command::CfgiSteRange { sid: first_sid, bits: STREAM_TABLE_SPLIT })?;
        self.sync(bus)
    }

    fn fill(&self, bus: &impl Bus, at: PhysAddr, ste: &Ste) {
        let [word0, ..] = ste.words();
        bus.store(at, word0);
        self.fill_after_word0(bus, at, ste);
    }

    fn fill_after_word0(&self, bus: &impl Bus, at: PhysAddr, ste: &Ste) {
        for (word, offset) in ste.words().into_iter().zip((0..).step_by(8)).skip(1) {
            bus.store(at.offset(offset), word);
        }
        self.clean(bus, at, STE_BYTES);
        bus.barrier();
    }

    /// Place of the first-level descriptor (of a two-level table) of an aligned range inside the table.
    fn descriptor(&self, first_sid: u32) -> Result<PhysAddr, Failure> {
        let sid = u64::from(first_sid);
        if !sid.is_multiple_of(SPAN) || sid >= self.streams() {
            return Err(Failure::OutOfRange);
        }
        Ok(self.strtab.offset(sid / SPAN * 8))
    }
}
