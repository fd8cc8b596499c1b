//! Signals and yielding.

use sluice_abi::{ObjectType, Syscall};
use sluice_sys::Notification;

use super::{ALL, around};
use crate::counter::syscall;
use crate::helper::{self, PRIORITY, Plan, Time};
use crate::machine::Machine;
use crate::samples::Samples;

extern "C" fn waiter(notification: u64) -> ! {
    loop {
        syscall(Syscall::Recv, notification, 0, 0);
    }
}

/// The signaller goes on; the waiter becomes ready.
pub(super) fn to_lower(machine: &mut Machine, overhead: u64) {
    let notification = machine.make(ObjectType::Notification, 0);
    let below = Plan { entry: waiter, argument: notification, priority: PRIORITY - 1, faults: 0 };
    helper::start(machine, &below);
    let pause = machine.make(ObjectType::Notification, 0);
    let waker = Plan { entry: let_lower_run, argument: pause, priority: PRIORITY - 2, faults: 0 };
    helper::start(machine, &waker);
    let mut samples = Samples::new("signal-lower", overhead);
    for _ in 0..ALL {
        // Both partners are below: while this thread waits, first the waiter waits too, then the other wakes this one.
        syscall(Syscall::Recv, pause, 0, 0);
        let timed = syscall(Syscall::Send, notification, 0, 0);
        samples.add(timed.after - timed.before);
    }
    samples.print();
}

extern "C" fn let_lower_run(pause: u64) -> ! {
    loop {
        syscall(Syscall::Send, pause, 0, 0);
    }
}

pub(super) fn same_thread(machine: &mut Machine) {
    let notification = Notification::from(machine.make(ObjectType::Notification, 0));
    around(
        "signal-wait",
        |_| {
            notification.signal();
            assert!(notification.wait() == 0, "the badge is 0");
        },
        |_| {},
    );
}

static YIELDED: Time = Time::new();

extern "C" fn yielder(_: u64) -> ! {
    loop {
        YIELDED.set(syscall(Syscall::Yield, 0, 0, 0).after);
    }
}

/// To a thread of the same priority.
pub(super) fn yields(machine: &mut Machine, overhead: u64) {
    helper::start(machine, &Plan { entry: yielder, argument: 0, priority: PRIORITY, faults: 0 });
    let mut samples = Samples::new("yield", overhead);
    sluice_sys::yield_now();
    for _ in 0..ALL {
        let timed = syscall(Syscall::Yield, 0, 0, 0);
        samples.add(YIELDED.get() - timed.before);
    }
    samples.print();
}
