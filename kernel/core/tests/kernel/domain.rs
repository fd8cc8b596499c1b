//! The one scheduling domain, and its schedule.

use sluice_abi::Label;
use sluice_abi::bootinfo::slot::{DOMAIN, INIT_CNODE, INIT_TCB};

use crate::user::*;

const MAX_TICKS: u64 = (1 << 56) - 1;

#[test]
fn there_is_one_domain() {
    let mut system = System::boot();
    let set = |system: &mut System, caps: &[u64], words: &[u64]| system.call(DOMAIN, Label::DomainSetSet, caps, words);
    assert_eq!(set(&mut system, &[INIT_TCB], &[]), truncated());
    assert_eq!(set(&mut system, &[], &[0]), truncated());
    assert_eq!(set(&mut system, &[INIT_TCB], &[1]), invalid_argument(0));
    assert_eq!(set(&mut system, &[INIT_TCB], &[1 << 32]), invalid_argument(0));
    assert_eq!(set(&mut system, &[INIT_CNODE], &[0]), invalid_argument(1));
    assert_eq!(set(&mut system, &[INIT_TCB], &[0]), ok());
    assert_eq!(system.call(DOMAIN, Label::TcbResume, &[], &[]), illegal());
}

#[test]
fn a_thread_that_is_put_into_its_domain_is_first_there() {
    let mut system = System::boot();
    let (a, b) = (system.running(20), system.running(20));
    assert_eq!(system.kernel.ready(20).first, Some(b.tcb));
    system.done(DOMAIN, Label::DomainSetSet, &[a.cptr], &[0]);
    assert_eq!(system.kernel.ready(20).first, Some(a.tcb));
    let stopped = system.thread(20);
    system.done(DOMAIN, Label::DomainSetSet, &[stopped.cptr], &[0]);
    assert_eq!(system.kernel.ready(20).last, Some(b.tcb));
}

#[test]
fn the_schedule_is_one_slice_and_an_end() {
    let mut system = System::boot();
    let configure =
        |system: &mut System, words: &[u64]| system.call(DOMAIN, Label::DomainScheduleConfigure, &[], words);
    assert_eq!(configure(&mut system, &[0, 0]), truncated());
    assert_eq!(configure(&mut system, &[1, 0, 1]), range(0, 0));
    assert_eq!(configure(&mut system, &[u64::MAX, 1, 1]), range(0, 0));
    assert_eq!(configure(&mut system, &[0, 1, 1 << 56]), range(0, 0));
    assert_eq!(configure(&mut system, &[0, 0, 1 << 56]), invalid_argument(2));
    assert_eq!(configure(&mut system, &[0, 0, 0]), invalid_argument(2), "the schedule starts here");
    assert_eq!(configure(&mut system, &[0, 0, MAX_TICKS]), ok());
    assert_eq!(configure(&mut system, &[0, 0, 1]), ok());
    let start = |system: &mut System, words: &[u64]| system.call(DOMAIN, Label::DomainScheduleSetStart, &[], words);
    assert_eq!(start(&mut system, &[]), truncated());
    assert_eq!(start(&mut system, &[2]), range(0, 1));
    assert_eq!(start(&mut system, &[1 << 32]), range(0, 1));
    assert_eq!(start(&mut system, &[1]), invalid_argument(0), "an end");
    assert_eq!(start(&mut system, &[0]), ok());
    // However short the slice, there is no other domain to go to.
    system.ticks(20);
    assert_eq!(system.current(), system.root);
}
