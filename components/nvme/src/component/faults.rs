//! What the SMMU says when the controller is told to go where it may not.

use sluice_abi::Iova;
use sluice_abi::smmu::{Record, event};
use sluice_nvme::hardware::Clock as _;
use sluice_nvme::machine::Counter;
use sluice_nvme::prp::PAGE_BITS;
use sluice_rt::sys::{Failure, Sid};
use sluice_rt::{Device, Signal, check};

use super::hardware::Problem;

/// Longest time from the end of a command to its record.
const RECORD_MS: u64 = 1_000;
/// How long the kernel may keep a stream that has recorded much from its memory: a few ticks of 2 ms, until it has
/// collected all that the SMMU recorded. What the controller fetches meanwhile would be lost, and the controller with it.
const PAUSE_MS: u64 = 50;
/// log2 of the distance that [`Faults::out_of_reach`] keeps from what the device reaches.
const DISTANCE_BITS: u32 = 30;

/// How the controller went there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The stage that stops what is mapped nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// That of the component, or the only one of an SMMU.
    One,
    /// The kernel's.
    Two,
}

/// The fault records of one device's stream.
pub(crate) struct Faults {
    pub(crate) stage: Stage,
    stream: Sid,
    signal: Signal,
    out_of_reach: Iova,
}

impl Faults {
    /// Those of a device that the component manages.
    pub(crate) fn of(device: &Device<'_>) -> Result<Self, Problem> {
        let end = device.reach().map(|(iova, bytes)| iova.0 + bytes).max().unwrap_or(0);
        let out_of_reach = Iova(end).align_down(DISTANCE_BITS).offset(2 << DISTANCE_BITS);
        let streams = device.manage()?.sids;
        let [stream] = streams[..] else {
            return Err(Problem::Streams(streams.len()));
        };
        Ok(Self { stage: Stage::Two, stream, signal: device.fault_signal()?, out_of_reach })
    }

    /// A page-aligned address where the device reaches nothing, nor in the pages after it.
    pub(crate) fn out_of_reach(&self) -> Iova {
        self.out_of_reach
    }

    /// Checks that the access was recorded and signalled, and clears the way for later records.
    pub(crate) fn check_recorded(&self, name: &str, at: Iova, access: Access) {
        let kind = match access {
            Access::Read => "read",
            Access::Write => "write",
        };
        match self.take(at, access) {
            Ok(Some(record)) => check!(
                name,
                true,
                "{} of stream {}, {kind} at {}, {} more dropped",
                event::name(record.event).unwrap_or("an unknown event"),
                record.stream,
                record.iova,
                record.dropped
            ),
            Ok(None) => check!(name, false, "no record and signal of a {kind} at {at}"),
            Err(failure) => check!(name, false, "records cannot be had: {failure}"),
        };
    }

    /// The record of the access, once it has been signalled; the stream's other records are dropped.
    fn take(&self, at: Iova, access: Access) -> Result<Option<Record>, Failure> {
        let start = Counter.now_ms();
        let (mut found, mut signalled) = (None, false);
        while !(signalled && found.is_some()) && Counter.now_ms().saturating_sub(start) < RECORD_MS {
            signalled |= self.signal.poll();
            match self.stream.get_fault()? {
                Some(record) if matches(&record, at, access, self.stage) => found = Some(record),
                Some(_) => {}
                None => Counter.relax(),
            }
        }
        // An emulator on a busy host stands still now and then, and its clock does not: a leap counts as one step.
        let (mut last, mut waited) = (Counter.now_ms(), 0);
        while waited < PAUSE_MS {
            Counter.relax();
            let now = Counter.now_ms();
            waited += now.saturating_sub(last).min(1);
            last = now;
        }
        self.stream.clear_fault()?;
        Ok(found.filter(|_| signalled))
    }
}

/// A translation fault of the stage in the page and with the access.
fn matches(record: &Record, at: Iova, access: Access, stage: Stage) -> bool {
    record.event == event::F_TRANSLATION
        && record.iova.align_down(PAGE_BITS) == at.align_down(PAGE_BITS)
        && (record.flags & Record::STAGE2 != 0) == (stage == Stage::Two)
        && (record.flags & Record::READ != 0) == (access == Access::Read)
}
