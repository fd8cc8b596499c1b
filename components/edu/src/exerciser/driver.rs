//! One device: its engine, its stream, and the records that its blocked accesses leave.

use sluice_abi::Iova;
use sluice_abi::smmu::{Record, StreamId};
use sluice_edu::{Direction, Expected, Shown, Stage};
use sluice_rt::time::Deadline;
use sluice_rt::{Device, RtError, Signal, check};
use sluice_sys::{Sid, yield_now};

use super::engine::Engine;
use super::error::Trouble;

/// Bytes of an attack: a few beats of the bus.
pub(super) const ATTACK_BYTES: usize = 64;
/// How long a record may take from the device to the signal.
const RECORD_MS: u64 = 1000;

pub(super) struct Driver {
    pub(super) engine: Engine,
    pub(super) stream: StreamId,
    pub(super) sid: Sid,
    /// The stage that stops what is mapped nowhere.
    pub(super) stage: Stage,
    faults: Signal,
}

impl Driver {
    /// The driver of `device`, which the component manages; `identity` names the check of its identification.
    pub(super) fn of(device: &Device<'_>, identity: &str) -> Result<Self, Trouble> {
        Ok(Self {
            engine: Engine::new(device.registers(0)?, identity),
            stream: device.streams().next().ok_or(Trouble::NoStream)?,
            sid: device.manage()?.sids.first().copied().ok_or(Trouble::NoStream)?,
            stage: Stage::Two,
            faults: device.fault_signal()?,
        })
    }

    /// Transfers, and returns the fault record that arrives at the fault signal.
    pub(super) fn attempt(&self, direction: Direction, at: Iova, count: usize) -> Result<Option<Record>, Trouble> {
        self.forget_faults()?;
        self.engine.transfer(direction, at, count)?;
        let deadline = Deadline::in_milliseconds(RECORD_MS);
        while !self.faults.poll() {
            if deadline.passed() {
                return Ok(None);
            }
            yield_now();
        }
        let record = self.sid.get_fault().map_err(RtError::refused("read a fault record"))?;
        self.forget_faults()?;
        Ok(record)
    }

    /// A transfer that must leave no record.
    pub(super) fn transfer(&self, direction: Direction, at: Iova, count: usize) -> Result<bool, Trouble> {
        self.forget_faults()?;
        self.engine.transfer(direction, at, count)?;
        let record = self.sid.get_fault().map_err(RtError::refused("read a fault record"))?;
        Ok(record.is_none())
    }

    /// Checks that an access is stopped with a record of this event.
    pub(super) fn must_block(&self, name: &str, event: u64, direction: Direction, at: Iova) -> Result<bool, Trouble> {
        let record = self.attempt(direction, at, ATTACK_BYTES)?;
        let expected = Expected { event, stream: self.stream, iova: at, direction, stage: self.stage };
        let blocked = record.is_some_and(|record| expected.matches(&record));
        Ok(check!(name, blocked, "{}", Shown(record)))
    }

    fn forget_faults(&self) -> Result<(), Trouble> {
        self.sid.clear_fault().map_err(RtError::refused("clear a stream's faults"))?;
        // What was signalled until now belongs to what was cleared.
        let _was_signalled: bool = self.faults.poll();
        Ok(())
    }
}
