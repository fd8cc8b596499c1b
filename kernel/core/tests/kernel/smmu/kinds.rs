//! Every invocation of an SMMU object on every other kind of capability.

use super::*;

#[test]
fn every_invocation_is_refused_by_every_other_kind_of_capability() {
    let mut device = Device::bound();
    let system = &mut device.system;
    let table = system.make(ObjectType::StreamTable, 0);
    let notification = system.make(ObjectType::Notification, 0);
    let read_only = system.minted(notification, 2, 0);
    let huge = system.make(ObjectType::Untyped, 12);
    let owners = [SID_CONTROL, CB_CONTROL, device.sid, device.cb];
    let others = [
        INIT_TCB,
        INIT_CNODE,
        ASID_CONTROL,
        device.pool,
        device.vspace,
        device.tables[2],
        device.frame,
        table,
        huge,
        read_only,
    ];
    for label in Label::ALL.into_iter().skip(Label::SidControlGetSid as usize) {
        let owner = match label as u64 {
            56..=58 | 68..=72 | 79.. => SID_CONTROL,
            59 | 60 | 73..=75 => device.sid,
            61 | 62 => CB_CONTROL,
            63..=67 | 76..=78 => device.cb,
            other => panic!("label {other} has no owner"),
        };
        for wrong in owners.into_iter().chain(others).filter(|slot| *slot != owner) {
            for (words, caps) in
                [([0; 6], [].as_slice()), ([1, 0, 0x10, 0, 0, 0], &[device.cb]), ([u64::MAX; 6], &[INIT_CNODE])]
            {
                let reply = system.call(wrong, label, caps, &words);
                // A read-only notification cannot be sent to, the others do not know the label.
                let expected = if wrong == read_only { invalid_capability(0) } else { illegal() };
                assert_eq!(reply, expected, "{label:?} on slot {wrong}");
            }
        }
    }
}
