//! A stage 1 of the holder's before stage 2: what is accepted, what becomes of the entries, what is forgotten when.

use super::*;

/// Where the table of context descriptors is, in the device's address space.
const CDS: u64 = AT + 0x40;
/// S1DSS: substream 0. S1CIR, S1COR: write-back. S1CSH: inner shareable.
const FIELDS: u64 = 2 << 16 | 1 << 24 | 1 << 26 | 3 << 28;

impl Device {
    /// A bound device with a stage 1.
    pub(super) fn nested() -> Self {
        let mut device = Self::bound();
        device.system.done(device.cb, Label::CbAssignCdTable, &[], &[CDS, FIELDS]);
        device
    }

    /// Words of a stream's entry.
    pub(super) fn entry(&self, stream: u64) -> [u64; 4] {
        let at = STREAM_TABLE.offset(64 * stream);
        [0, 8, 16, 24].map(|offset| self.system.machine().memory.load(at.offset(offset)))
    }

    /// Opcodes of the commands executed since the last call.
    pub(super) fn opcodes(&self) -> Vec<u64> {
        self.system.model().take_executed().iter().map(|[low, _]| low & 0xff).collect()
    }
}

const CONFIG: u64 = 0b1110;
const STAGE2: u64 = 0b1100;
const NESTED: u64 = 0b1110;

#[test]
fn a_table_is_checked_before_anything_changes() {
    let mut device = Device::unbound();
    let (cb, vspace) = (device.cb, device.vspace);
    let assign = |device: &mut Device, words: &[u64]| device.system.call(cb, Label::CbAssignCdTable, &[], words);
    assert_eq!(assign(&mut device, &[CDS, FIELDS]), illegal(), "there is no stage 2");
    device.system.done(cb, Label::CbAssignVspace, &[vspace], &[]);
    assert_eq!(assign(&mut device, &[]), truncated());
    assert_eq!(assign(&mut device, &[CDS]), truncated());
    let used = 0x1f | 3 << 8 | 3 << 16 | 0x3f << 24;
    for bit in (0..64).filter(|bit| used >> bit & 1u64 == 0) {
        assert_eq!(assign(&mut device, &[CDS, FIELDS | 1 << bit]), invalid_argument(1), "bit {bit}");
    }
    assert_eq!(assign(&mut device, &[CDS, FIELDS | 1]), range(0, 0), "the SMMU has no substreams");
    assert_eq!(assign(&mut device, &[CDS, FIELDS | 1 << 8]), illegal(), "two levels");
    assert_eq!(assign(&mut device, &[CDS, FIELDS | 3 << 8]), invalid_argument(1), "a reserved format");
    assert_eq!(assign(&mut device, &[CDS, FIELDS | 3 << 16]), invalid_argument(1), "a reserved S1DSS");
    assert_eq!(assign(&mut device, &[CDS, FIELDS & !(2 << 28)]), invalid_argument(1), "a reserved shareability");
    assert_eq!(assign(&mut device, &[CDS + 0x20, FIELDS]), alignment());
    assert_eq!(assign(&mut device, &[1 << 44, FIELDS]), invalid_argument(0));
    assert_eq!(assign(&mut device, &[0, 0]), ok(), "where it leads is the holder's affair");
    assert_eq!(assign(&mut device, &[CDS, FIELDS]), delete_first());
    device.system.done(cb, Label::CbUnassignCdTable, &[], &[]);
    assert_eq!(device.system.call(cb, Label::CbUnassignCdTable, &[], &[]), illegal());
}

#[test]
fn every_stream_of_the_context_gets_the_stage_1_and_loses_it() {
    let mut device = Device::bound();
    let cb = device.cb;
    let other = device.system.next_slot;
    assert_eq!(device.system.get_sid(STREAM + 1), ok());
    device.system.done(other, Label::SidBindCb, &[cb], &[]);
    let plain = device.entry(STREAM);
    assert_eq!(plain[0] & CONFIG, STAGE2);
    device.system.done(cb, Label::CbAssignCdTable, &[], &[CDS, FIELDS]);
    let nested = device.entry(STREAM);
    assert_eq!(nested, [CDS | NESTED | 1, plain[1] | 2 | 1 << 2 | 1 << 4 | 3 << 6, plain[2], plain[3]]);
    assert_eq!(device.entry(STREAM + 1), nested);
    device.system.done(other, Label::SidUnbindCb, &[], &[]);
    device.system.done(other, Label::SidBindCb, &[cb], &[]);
    assert_eq!(device.entry(STREAM + 1), nested, "whoever is bound later gets it too");
    device.system.done(cb, Label::CbUnassignCdTable, &[], &[]);
    assert_eq!((device.entry(STREAM), device.entry(STREAM + 1)), (plain, plain));
}

#[test]
fn a_stage_1_comes_and_goes_through_abort_with_nothing_left_in_the_tlb() {
    let mut device = Device::bound();
    let cb = device.cb;
    let entry = STREAM_TABLE.offset(64 * STREAM);
    for (label, words) in
        [(Label::CbAssignCdTable, [CDS, FIELDS].as_slice()), (Label::CbUnassignCdTable, [].as_slice())]
    {
        device.opcodes();
        device.system.machine().take_log();
        device.system.done(cb, label, &[], words);
        // To abort; the context forgotten; the other words; word 0: each with its SYNC.
        assert_eq!(device.opcodes(), [0x03, 0x46, 0x28, 0x46, 0x03, 0x46, 0x03, 0x46], "{label:?}");
        let word0: Vec<u64> = device
            .system
            .machine()
            .take_log()
            .into_iter()
            .filter_map(
                |effect| if let Effect::Store { at, value } = effect { (at == entry).then_some(value) } else { None },
            )
            .collect();
        assert_eq!((word0.len(), word0[0]), (2, 1), "{label:?}: {word0:x?}");
    }
}

#[test]
fn a_stage_1_goes_with_the_address_space_it_lies_in() {
    let mut device = Device::nested();
    let (cb, vspace) = (device.cb, device.vspace);
    device.system.done(cb, Label::CbUnassignVspace, &[], &[]);
    assert_eq!(device.entry(STREAM), [1, 0, 0, 0]);
    assert_eq!(device.system.call(cb, Label::CbUnassignCdTable, &[], &[]), illegal());
    device.system.done(cb, Label::CbAssignVspace, &[vspace], &[]);
    assert_eq!(device.entry(STREAM)[0] & CONFIG, STAGE2);
}

#[test]
fn a_stage_1_survives_quarantine() {
    let mut device = Device::nested();
    let sid = device.sid;
    let nested = device.entry(STREAM);
    let notification = device.system.make(ObjectType::Notification, 0);
    device.system.done(sid, Label::SidSetFaultHandler, &[notification], &[1]);
    device.system.model().record([STREAM << 32 | event::C_BAD_CD, 0, 0, 0]);
    device.system.interrupt(SMMU_INTID);
    assert_eq!(device.entry(STREAM), [1, 0, 0, 0]);
    device.system.done(sid, Label::SidClearFault, &[], &[]);
    assert_eq!(device.entry(STREAM), nested);
}

#[test]
fn behind_a_stage_1_descriptors_and_combined_entries_are_forgotten_too() {
    let unmaps: [fn(&mut Device) -> Reply; 3] = [
        |device| device.system.call(device.frame, Label::PageUnmap, &[], &[]),
        |device| device.system.map(device.frame, device.vspace, AT, 2, 7),
        |device| device.system.delete(device.tables[2]),
    ];
    for unmap in unmaps {
        let mut device = Device::nested();
        let cb = device.cb;
        let other = device.system.next_slot;
        assert_eq!(device.system.get_sid(STREAM + 1), ok());
        device.system.done(other, Label::SidBindCb, &[cb], &[]);
        device.opcodes();
        assert_eq!(unmap(&mut device), ok());
        // Stage 2, then both streams' descriptors, then stage 1, each synced before the next.
        assert_eq!(device.opcodes(), [0x2a, 0x46, 0x06, 0x06, 0x46, 0x10, 0x46]);
    }
    let mut device = Device::bound();
    device.opcodes();
    device.system.done(device.frame, Label::PageUnmap, &[], &[]);
    assert_eq!(device.opcodes(), [0x2a, 0x46], "without a stage 1 there are none");
}
