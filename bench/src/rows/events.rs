//! Faults of a device: how they come to who handles them, and what a storm of them costs everybody else.

use core::sync::atomic::{AtomicU64, Ordering};

use sluice_abi::{ObjectType, TIMER_TICK_US};
use sluice_sys::{Notification, Sid};

use super::smmu::Bound;
use super::{ALL, read_overhead};
use crate::counter;
use crate::helper::{self, PRIORITY, Plan, Time};
use crate::machine::{Machine, done};
use crate::samples::{Samples, WARM_UP};

/// Records after which a stream is quarantined here: what the kernel takes of any stream between two ticks.
const BUDGET: u64 = 64;
/// Faults of a storm: more than it takes.
const STORM: usize = 2 * BUDGET as usize;
const STORMS: usize = 100;

static TAKEN: Time = Time::new();
static SID: AtomicU64 = AtomicU64::new(0);
static RECORDS: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(notification: u64) -> ! {
    let sid = Sid::from(SID.load(Ordering::Relaxed));
    loop {
        assert!(Notification::from(notification).wait() == 0, "the badge is 0");
        if let Some(record) = done(sid.get_fault()) {
            TAKEN.set(counter::now());
            RECORDS.fetch_add(1 + record.dropped, Ordering::Relaxed);
        }
    }
}

/// From the store at which a device faults until its handler, a thread of a higher priority, has the record.
pub(super) fn delivery(machine: &mut Machine, bound: &Bound) {
    let notification = machine.make(ObjectType::Notification, 0);
    done(bound.sid.set_fault_handler(Notification::from(notification), 0));
    SID.store(bound.sid.cptr().0, Ordering::Relaxed);
    let handler =
        helper::start(machine, &Plan { entry: handler, argument: notification, priority: PRIORITY + 1, faults: 0 });
    let mut samples = Samples::new("smmu-event", read_overhead());
    let mut taken = 0;
    while taken < ALL {
        TAKEN.set(0);
        let before = counter::now();
        bound.device.fault();
        for _ in 0..16 {
            core::hint::spin_loop();
        }
        // A stream that has faulted often enough is silent until the next tick.
        if TAKEN.get() != 0 {
            samples.add(TAKEN.get() - before);
            taken += 1;
        }
    }
    let records = RECORDS.load(Ordering::Relaxed);
    assert!(records.is_multiple_of(ALL as u64), "{records} records of {ALL} faults");
    samples.print_with(format_args!(" records={}", records / ALL as u64));
    done(handler.suspend());
}

/// What the kernel does because of a device that faults on and on, until it is quarantined; nobody waits for its records.
pub(super) fn storm(machine: &mut Machine, bound: &Bound) {
    let notification = Notification::from(machine.make(ObjectType::Notification, 0));
    done(bound.sid.set_fault_handler(notification, BUDGET));
    let faults = || {
        let before = counter::now();
        (0..STORM).for_each(|_| bound.device.fault());
        counter::now() - before
    };
    let mut samples = Samples::fewer("smmu-storm", STORMS, 0);
    let mut fewest = [u64::MAX; 2];
    for _ in 0..WARM_UP + STORMS {
        wait_for_tick();
        done(bound.sid.clear_fault());
        let before = counter::commands();
        let storm = faults();
        let after = counter::commands();
        fewest = fewest.min([after[0] - before[0], after[1] - before[1]]);
        let dropped = done(bound.sid.get_fault()).map_or(0, |record| record.dropped);
        assert!(dropped == BUDGET - 1, "{dropped} records were dropped");
        // What the stores themselves take: the stream is silent now.
        samples.add(storm - faults());
    }
    samples.print_with(format_args!(" commands={} syncs={} records={BUDGET}", fewest[0], fewest[1]));
}

/// Two ticks: a stream that was silenced in one interval may fault as often again in the next.
fn wait_for_tick() {
    /// An instruction takes a nanosecond of the emulated machine.
    const NANOSECONDS: u64 = 2 * 1000 * TIMER_TICK_US;
    let start = counter::now();
    while counter::now() - start < NANOSECONDS {}
}
