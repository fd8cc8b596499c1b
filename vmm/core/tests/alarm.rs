//! The alarm of a VMM whose processors wait.

use sluice_vmm::alarm::{Alarm, Wait};
use sluice_vmm::processor::Processor;
use sluice_vmm::timer::VirtualTimer;

fn cpu(index: usize) -> Processor {
    Processor::new(index).expect("a processor")
}

fn at(compare: u64) -> VirtualTimer {
    VirtualTimer { control: 1, compare, offset: 0 }
}

const OFF: VirtualTimer = VirtualTimer { control: 0, compare: 0, offset: 0 };

#[test]
fn the_alarm_is_set_only_when_it_has_to_come_earlier() {
    let mut alarm = Alarm::new();
    assert_eq!(alarm.wait(cpu(0), at(1000), 10), Wait::Until(1000));
    assert_eq!(alarm.wait(cpu(1), at(2000), 20), Wait::Quietly);
    assert_eq!(alarm.wait(cpu(2), at(500), 30), Wait::Until(500));
    assert_eq!(alarm.wait(cpu(3), OFF, 40), Wait::Quietly);
    assert_eq!(alarm.wait(cpu(4), at(50), 50), Wait::Not);
    assert!(!alarm.is_due(cpu(2), 499) && alarm.is_due(cpu(2), 500));
    assert!(!alarm.is_due(cpu(3), u64::MAX - 1) && !alarm.is_due(cpu(4), 60));
    alarm.wakes(cpu(2));
    assert_eq!(alarm.came(500), Some(1000));
    alarm.wakes(cpu(0));
    assert_eq!(alarm.came(1000), Some(2000));
    alarm.wakes(cpu(1));
    assert_eq!(alarm.came(2000), None);
}

#[test]
fn a_timer_that_was_switched_off_wakes_nobody() {
    let mut alarm = Alarm::new();
    alarm.wait(cpu(0), at(1000), 10);
    assert_eq!(alarm.wait(cpu(0), OFF, 20), Wait::Quietly);
    assert!(!alarm.is_due(cpu(0), 5000));
    assert_eq!(alarm.came(1000), None);
}

/// With what it was told to do done, nobody sleeps past the moment their timer fires.
#[test]
fn nobody_oversleeps() {
    let mut random = fastrand::Rng::with_seed(27);
    for _ in 0..500 {
        let (mut alarm, mut set, mut now) = (Alarm::new(), u64::MAX, 0u64);
        let mut waiting = [None; 4];
        for _ in 0..200 {
            now += random.u64(..40);
            if now >= set {
                for (index, due) in waiting.iter_mut().enumerate() {
                    if alarm.is_due(cpu(index), now) {
                        assert!(due.take().is_some_and(|due| due <= now), "woken early");
                        alarm.wakes(cpu(index));
                    }
                }
                set = alarm.came(now).unwrap_or(u64::MAX);
            }
            let index = random.usize(..waiting.len());
            let moment = now + random.u64(..100);
            match alarm.wait(cpu(index), at(moment), now) {
                Wait::Not => {
                    assert!(moment <= now);
                    alarm.wakes(cpu(index));
                    waiting[index] = None;
                }
                Wait::Quietly => waiting[index] = Some(moment),
                Wait::Until(at) => {
                    assert!(at < set, "set for nothing");
                    (waiting[index], set) = (Some(moment), at);
                }
            }
            let first = waiting.iter().flatten().min();
            assert!(first.is_none_or(|due| set <= *due), "{first:?} and the alarm at {set}");
        }
    }
}
