//! Which fault record an attack must leave, and how one is shown.

use core::fmt;

use sluice_abi::smmu::{Record, StreamId, event};
use sluice_abi::{Iova, PAGE_SIZE};

/// Which way the device moves bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// The device reads memory.
    FromMemory,
    /// The device writes memory.
    ToMemory,
}

/// The record that a blocked access must leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected {
    /// Event type.
    pub event: u64,
    /// The device's stream.
    pub stream: StreamId,
    /// Address of the access.
    pub iova: Iova,
    /// Its direction.
    pub direction: Direction,
    /// What stopped it.
    pub stage: Stage,
}

/// A stage of translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The one that a component can have of its own, or the only one of an SMMU.
    One,
    /// The kernel's.
    Two,
}

impl Expected {
    /// Whether `record` is it: the event, the stream, the page, the direction, and the stage that stopped it.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        let read = record.flags & Record::READ != 0;
        record.event == self.event
            && record.stream == self.stream
            && record.iova.0 & !(PAGE_SIZE - 1) == self.iova.0 & !(PAGE_SIZE - 1)
            && read == (self.direction == Direction::FromMemory)
            && (record.flags & Record::STAGE2 != 0) == (self.stage == Stage::Two)
    }
}

/// A record as text, or its absence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown(pub Option<Record>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(record) = self.0 else { return f.write_str("no record") };
        match event::name(record.event) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "event {:#04x}", record.event)?,
        }
        let access = if record.flags & Record::READ != 0 { "read" } else { "write" };
        let stage = if record.flags & Record::STAGE2 != 0 { 2 } else { 1 };
        write!(f, " sid {} iova {:#x} {access} stage {stage}", record.stream, record.iova.0)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    const STREAM: StreamId = StreamId { smmu: 0, sid: 8 };
    const RECORD: Record = Record {
        event: event::F_TRANSLATION,
        stream: STREAM,
        iova: Iova(0x4123_4010),
        ipa: 0x4123_4010,
        flags: Record::STAGE2 | 2 << Record::CLASS_SHIFT,
        dropped: 15,
    };
    const EXPECTED: Expected = Expected {
        event: event::F_TRANSLATION,
        stream: STREAM,
        iova: Iova(0x4123_4000),
        direction: Direction::ToMemory,
        stage: Stage::Two,
    };

    #[test]
    fn only_the_attack_s_own_record_counts() {
        assert!(EXPECTED.matches(&RECORD));
        for other in [
            Record { event: event::F_PERMISSION, ..RECORD },
            Record { stream: StreamId { smmu: 0, sid: 16 }, ..RECORD },
            Record { iova: Iova(0x4123_5010), ..RECORD },
            Record { flags: RECORD.flags | Record::READ, ..RECORD },
            Record { flags: RECORD.flags & !Record::STAGE2, ..RECORD },
        ] {
            assert!(!EXPECTED.matches(&other), "{other:?}");
        }
        let stage1 = Expected { stage: Stage::One, ..EXPECTED };
        assert!(stage1.matches(&Record { flags: RECORD.flags & !Record::STAGE2, ..RECORD }));
        assert!(!stage1.matches(&RECORD));
    }

    #[test]
    fn records_are_shown_with_reason_sid_iova_and_access() {
        let shown = Shown(Some(RECORD)).to_string();
        assert_eq!(shown, "F_TRANSLATION sid 0:0x0008 iova 0x41234010 write stage 2");
        let shown = Shown(Some(Record { event: 0x7f, flags: Record::READ, ..RECORD })).to_string();
        assert_eq!(shown, "event 0x7f sid 0:0x0008 iova 0x41234010 read stage 1");
        assert_eq!(Shown(None).to_string(), "no record");
    }
}
