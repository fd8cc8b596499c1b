//! An SMMU that errs: what the holder of the SIDControl learns, and what it can do.

use sluice_smmu_model::Faults;

use super::*;

const ENABLED: u64 = 0;
const ABORTING: u64 = 1;
const EVENTQ_ABT: u64 = 1 << 2;

impl Device {
    fn control(&mut self, label: Label) -> Reply {
        self.system.call(SID_CONTROL, label, &[], &[0])
    }

    fn inject(&self, faults: Faults) {
        self.system.model().inject(faults);
    }

    fn state(&mut self) -> u64 {
        self.control(Label::SidControlGetFault).words[4]
    }
}

#[test]
fn an_smmu_goes_down_to_abort_and_comes_up_as_it_was() {
    let mut device = Device::bound();
    let (frame, vspace) = (device.frame, device.vspace);
    let before = device.system.reached(STREAM);
    assert_eq!(device.control(Label::SidControlInitSmmu), illegal(), "it is up");
    assert_eq!(device.control(Label::SidControlDisableSmmu), ok());
    assert_eq!(device.access(AT, true), Err(Abort::Configured));
    assert_eq!(device.control(Label::SidControlDisableSmmu), ok(), "once more changes nothing");
    assert_eq!(device.state(), ABORTING);
    // What is unmapped meanwhile is unmapped after, whatever the TLB held.
    device.system.done(frame, Label::PageUnmap, &[], &[]);
    assert_eq!(device.control(Label::SidControlInitSmmu), ok());
    assert_eq!((device.state(), device.system.reached(STREAM)), (ENABLED, BTreeSet::new()));
    assert_eq!(device.system.map(frame, vspace, AT, 3, 7), ok());
    assert_eq!(device.system.reached(STREAM), before);
}

#[test]
fn numbers_of_smmus_are_checked() {
    let mut system = System::with_smmu();
    for label in [Label::SidControlSkipCmdqError, Label::SidControlInitSmmu, Label::SidControlDisableSmmu] {
        assert_eq!(system.call(SID_CONTROL, label, &[], &[]), truncated(), "{label:?}");
        for number in [1, 16, 256, u64::MAX] {
            assert_eq!(system.call(SID_CONTROL, label, &[], &[number]), invalid_argument(0), "{label:?}");
        }
    }
}

#[test]
fn a_sync_that_hangs_takes_the_smmu_down_and_the_unmap_is_done() {
    let mut device = Device::bound();
    let (frame, vspace) = (device.frame, device.vspace);
    device.inject(Faults { sync_hangs: true, ..Faults::default() });
    assert_eq!(device.system.call(frame, Label::PageUnmap, &[], &[]), ok());
    assert_eq!(device.access(AT, true), Err(Abort::Configured));
    assert_eq!(device.state(), ABORTING);
    assert_eq!(device.control(Label::SidControlInitSmmu), illegal(), "it does not come up");
    assert_eq!(device.state(), ABORTING);
    device.inject(Faults::default());
    assert_eq!(device.control(Label::SidControlInitSmmu), ok());
    assert_eq!(device.system.reached(STREAM), BTreeSet::new());
    assert_eq!(device.system.map(frame, vspace, AT, 3, 7), ok());
    assert!(device.access(AT, true).is_ok());
}

#[should_panic(expected = "kernel halted: SMMU acknowledges neither a sync nor being disabled")]
#[test]
fn an_smmu_beyond_control_ends_the_kernel() {
    let mut device = Device::bound();
    device.inject(Faults { sync_hangs: true, cr0_stuck: true, ..Faults::default() });
    let frame = device.frame;
    device.system.call(frame, Label::PageUnmap, &[], &[]);
}

#[test]
fn a_rejected_command_is_stepped_over_and_told() {
    let mut device = Device::bound();
    let frame = device.frame;
    assert_eq!(device.control(Label::SidControlSkipCmdqError), illegal());
    device.inject(Faults { rejected_opcode: Some(0x2a), ..Faults::default() });
    assert_eq!(device.system.call(frame, Label::PageUnmap, &[], &[]), ok());
    assert_eq!(device.system.reached(STREAM), BTreeSet::new());
    let Reply { words, .. } = device.control(Label::SidControlGetFault);
    assert_eq!((words[0], words[1], words[4]), (0, 1, ENABLED), "CERROR_ILL, and the queue runs");
    assert_eq!(device.control(Label::SidControlSkipCmdqError), ok_with(&[3 << 32 | 0x2a, AT]));
    assert_eq!(device.control(Label::SidControlSkipCmdqError), illegal());
    assert_eq!(device.control(Label::SidControlGetFault), ok_with(&[0; 5]));
}

#[test]
fn records_that_no_queue_takes_are_told_of() {
    let mut device = Device::bound();
    let queue = 0x4000_0000..0x4000_0000 + RAM_WITHOUT_QUEUE;
    device.system.model().limit_memory(vec![queue]);
    assert!(device.access(AT + 0x1000, true).is_err());
    device.system.interrupt(SMMU_INTID);
    let told = ok_with(&[EVENTQ_ABT, 0, 0, 1, ENABLED]);
    assert_eq!(device.control(Label::SidControlGetFault), told);
    assert_eq!(device.control(Label::SidControlGetFault), told, "until it is cleared");
    assert!(device.access(AT + 0x1000, true).is_err());
    device.system.interrupt(SMMU_INTID);
    assert_eq!(device.control(Label::SidControlGetFault), ok_with(&[EVENTQ_ABT, 0, 0, 2, ENABLED]));
    assert_eq!(device.control(Label::SidControlClearFault), ok());
    assert_eq!(device.control(Label::SidControlGetFault), ok_with(&[0; 5]));
}

/// RAM that holds everything but the event queue.
const RAM_WITHOUT_QUEUE: u64 = 0x1000;

#[test]
fn an_overflow_is_recovered_from_and_not_forgotten() {
    let mut device = Device::bound();
    for _ in 0..1100 {
        // Its stream table does not cover the stream.
        device.system.model().record([0x5_0000 << 32 | event::C_BAD_STREAMID, 0, 0, 0]);
    }
    for _ in 0..40 {
        device.system.interrupt(SMMU_INTID);
        device.system.ticks(1);
    }
    let Reply { words, .. } = device.control(Label::SidControlGetFault);
    assert_eq!((words[0], words[3], words[4]), (0, 1, ENABLED));
    assert!(device.access(AT + 0x1000, true).is_err());
    device.system.interrupt(SMMU_INTID);
    let mut records = Vec::new();
    loop {
        let Reply { words, .. } = device.control(Label::SidControlGetEventq);
        let Ok(words) = words.try_into() else { break };
        records.push(Record::from_words(words).expect("a record"));
    }
    let last = records.last().expect("a record");
    assert_eq!((last.event, last.stream.word()), (event::F_TRANSLATION, STREAM), "the queue goes on");
    let told: u64 = records.iter().map(|record| record.dropped + 1).sum();
    assert!(told > 1024, "{told} records told of");
    assert_eq!(device.control(Label::SidControlClearFault), ok());
    assert_eq!(device.control(Label::SidControlGetFault), ok_with(&[0; 5]));
}
