//! Which faults are the guest's, and how it reads of them (IHI 0070, 7.3).

use sluice_abi::smmu::{Record, event};

use super::formats::{EVT0, EVT1, EVT3};

/// A record of the event queue.
pub(super) type Words = [u64; 4];

/// Values of CLASS in a record of the kernel.
mod class {
    pub(super) const DESCRIPTOR: u64 = 0;
    pub(super) const WALK: u64 = 1;
    pub(super) const INPUT: u64 = 2;
}

/// What the guest reads of a fault of its stream `sid`; `None` for a fault that is not its affair.
///
/// Stage 1 is the guest's: its faults are passed on. That the guest's descriptors or tables are where stage 2 has
/// nothing is to it what a bus without memory there would be: the fetch fails. Anything else a guest's own SMMU could
/// not have seen, such as stage 2 refusing the address that stage 1 came to.
pub(super) fn for_guest(record: &Record, sid: u32) -> Option<Words> {
    let class = record.flags >> Record::CLASS_SHIFT & 3;
    let stage2 = record.flags & Record::STAGE2 != 0;
    let access = attributes(record);
    match record.event {
        event::F_TRANSLATION | event::F_ADDR_SIZE | event::F_ACCESS | event::F_PERMISSION => match class {
            class::INPUT if !stage2 => {
                let about = (access + EVT1::CLASS::Input).value;
                Some([head(record.event, record, sid), about, record.iova.0, 0])
            }
            // What SMMUs tell of the stage differs for faults of stage 2 in a walk of stage 1.
            class::WALK => {
                let about = (access + EVT1::CLASS::TableWalk).value;
                Some([head(event::F_WALK_EABT, record, sid), about, record.iova.0, fetch_address(record)])
            }
            class::DESCRIPTOR => Some([head(event::F_CD_FETCH, record, sid), 0, 0, fetch_address(record)]),
            _ => None,
        },
        event::C_BAD_CD => Some([head(record.event, record, sid), 0, 0, 0]),
        // The number is what the record is about, and SSV is not part of it (7.3.9).
        event::C_BAD_SUBSTREAMID => Some([head(record.event, record, sid) & !EVT0::SSV::SET.value, 0, 0, 0]),
        _ => None,
    }
}

/// C_BAD_STE (7.3.5). A stream with an illegal entry aborts in silence, so this comes when the entry is read, and not
/// with the first transaction.
pub(super) fn bad_entry(sid: u32) -> Words {
    [(EVT0::KIND.val(event::C_BAD_STE) + EVT0::SID.val(u64::from(sid))).value, 0, 0, 0]
}

fn head(kind: u64, record: &Record, sid: u32) -> u64 {
    let substream = if record.flags & Record::SUBSTREAM_VALID != 0 {
        EVT0::SSV::SET + EVT0::SSID.val(record.flags >> Record::SUBSTREAM_SHIFT)
    } else {
        EVT0::SSV::CLEAR
    };
    (EVT0::KIND.val(kind) + EVT0::SID.val(u64::from(sid)) + substream).value
}

fn attributes(record: &Record) -> tock_registers::fields::FieldValue<u64, EVT1::Register> {
    let flag = |bit| u64::from(record.flags & bit != 0);
    EVT1::RNW.val(flag(Record::READ))
        + EVT1::IND.val(flag(Record::INSTRUCTION))
        + EVT1::PNU.val(flag(Record::PRIVILEGED))
}

/// To the guest an intermediate address is a physical one; the kernel tells it where it knows it, as a page.
fn fetch_address(record: &Record) -> u64 {
    EVT3::FETCHADDR.val(record.ipa >> EVT3::FETCHADDR.shift).value
}
