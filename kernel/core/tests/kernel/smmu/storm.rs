//! A stream that faults without end: what it costs itself, and what it costs others.

use sluice_core::{RECORDS_PER_STREAM, RECORDS_PER_TICK, UNCLAIMED};

use super::*;

impl Device {
    fn fault(&self) -> Abort {
        self.access(AT + 0x10_0000, true).expect_err("nothing is mapped there")
    }

    /// Faults until the stream is silent; how often it was recorded.
    fn storm(&mut self, limit: u32) -> u32 {
        for count in 0..limit {
            if self.fault() == Abort::Configured {
                return count;
            }
            self.system.interrupt(SMMU_INTID);
        }
        limit
    }
}

#[test]
fn a_storm_is_silenced_until_the_next_tick_whoever_listens() {
    for budget in [None, Some(0), Some(100_000)] {
        let mut device = Device::bound();
        let sid = device.sid;
        if let Some(budget) = budget {
            let notification = device.system.make(ObjectType::Notification, 0);
            device.system.done(sid, Label::SidSetFaultHandler, &[notification], &[budget]);
        }
        for _ in 0..3 {
            assert_eq!(device.storm(1000), RECORDS_PER_STREAM, "{budget:?}");
            assert_eq!(device.access(AT, true), Err(Abort::Configured), "even what is mapped");
            device.system.ticks(1);
            assert!(device.access(AT, true).is_ok(), "{budget:?}");
        }
    }
}

#[test]
fn a_storm_leaves_the_queue_and_the_record_to_others() {
    let mut device = Device::bound();
    let cb = device.cb;
    let other = device.system.next_slot;
    assert_eq!(device.system.get_sid(STREAM + 1), ok());
    device.system.done(other, Label::SidBindCb, &[cb], &[]);
    let notification = device.system.make(ObjectType::Notification, 0);
    device.system.done(other, Label::SidSetFaultHandler, &[notification], &[4]);
    device.system.model().take_executed();
    device.storm(1000);
    // To abort: one CFGI_STE and its SYNC, whatever the storm.
    assert_eq!(device.opcodes(), [0x03, 0x46]);
    assert!(device.system.model().access(STREAM as u32 + 1, Iova(AT + 0x10_0000), false).is_err());
    device.system.interrupt(SMMU_INTID);
    let Reply { words, .. } = device.system.call(other, Label::SidGetFault, &[], &[]);
    assert_eq!(words[..3], [event::F_TRANSLATION, STREAM + 1, AT + 0x10_0000]);
    let unclaimed = |device: &mut Device| device.system.call(SID_CONTROL, Label::SidControlGetEventq, &[], &[0]).words;
    let kept = std::iter::from_fn(|| Some(unclaimed(&mut device)).filter(|words| !words.is_empty())).count();
    assert_eq!(kept, UNCLAIMED / 4);
}

#[test]
fn nothing_a_holder_can_do_shortens_the_silence() {
    let tricks: [fn(&mut Device); 4] = [
        |device| device.system.done(device.sid, Label::SidClearFault, &[], &[]),
        |device| {
            device.system.done(device.sid, Label::SidUnbindCb, &[], &[]);
            device.system.done(device.sid, Label::SidBindCb, &[device.cb], &[]);
        },
        |device| {
            device.system.done(device.cb, Label::CbUnassignVspace, &[], &[]);
            device.system.done(device.cb, Label::CbAssignVspace, &[device.vspace], &[]);
        },
        |device| device.system.done(device.cb, Label::CbAssignCdTable, &[], &[AT, 0]),
    ];
    for (number, trick) in tricks.into_iter().enumerate() {
        let mut device = Device::bound();
        device.storm(1000);
        trick(&mut device);
        assert_eq!(device.fault(), Abort::Configured, "trick {number}");
        device.system.ticks(1);
        assert_ne!(device.fault(), Abort::Configured, "trick {number}");
    }
}

#[test]
fn a_silenced_stream_that_is_unbound_stays_unbound() {
    let mut device = Device::bound();
    let sid = device.sid;
    device.storm(1000);
    device.system.done(sid, Label::SidUnbindCb, &[], &[]);
    device.system.ticks(1);
    assert_eq!(device.system.reached(STREAM), BTreeSet::new());
    let mut device = Device::bound();
    let (sid, other) = (device.sid, device.system.make(ObjectType::Notification, 0));
    device.system.done(sid, Label::SidSetFaultHandler, &[other], &[u64::from(RECORDS_PER_STREAM)]);
    device.storm(1000);
    device.system.ticks(1);
    assert_eq!(device.fault(), Abort::Configured, "a spent budget outlasts the tick");
}

#[test]
fn records_of_one_tick_are_bounded_whoever_they_are_of() {
    let mut device = Device::bound();
    let sid = device.sid;
    let notification = device.system.make(ObjectType::Notification, 0);
    device.system.done(sid, Label::SidSetFaultHandler, &[notification], &[0]);
    // Streams that no table covers cannot be silenced one by one.
    for number in 0..RECORDS_PER_TICK {
        device.system.model().record([u64::from(0x1_0000 + number) << 32 | event::C_BAD_STREAMID, 0, 0, 0]);
    }
    assert_ne!(device.fault(), Abort::Configured);
    let record = |device: &mut Device| device.system.call(sid, Label::SidGetFault, &[], &[]).words;
    for _ in 0..100 {
        device.system.interrupt(SMMU_INTID);
    }
    assert_eq!(record(&mut device), [], "it waits behind as many as are taken in a tick");
    device.system.ticks(1);
    assert_eq!(record(&mut device)[1], STREAM);
}
