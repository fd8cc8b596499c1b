//! The virtual timer of a processor that waits.

use sluice_vmm::timer::VirtualTimer;

#[test]
fn it_fires_when_the_virtual_count_is_there() {
    for (control, compare, offset, now, line, remaining) in [
        (1, 1000, 0, 999, false, Some(1)),
        (1, 1000, 0, 1000, true, Some(0)),
        (1, 1000, 0, 1001, true, Some(0)),
        // The guest began at 500.
        (1, 1000, 500, 1000, false, Some(500)),
        (1, 1000, 500, 1500, true, Some(0)),
        // An offset that makes the virtual count lead.
        (1, 1000, u64::MAX - 99, 899, false, Some(1)),
        (1, 1000, u64::MAX - 99, 900, true, Some(0)),
        // Off, masked, and ISTATUS, which says nothing here.
        (0, 0, 0, 1000, false, None),
        (2, 0, 0, 1000, false, None),
        (3, 0, 0, 1000, false, None),
        (5, 0, 0, 1000, true, Some(0)),
        (5, 2000, 0, 1000, false, Some(1000)),
        // As far as can be: what Linux writes to switch it off for good.
        (1, u64::MAX, 0, 0, false, Some(u64::MAX)),
        (1, u64::MAX, 0, u64::MAX, true, Some(0)),
    ] {
        let timer = VirtualTimer { control, compare, offset };
        assert_eq!((timer.line(now), timer.remaining(now)), (line, remaining), "{timer:?} at {now}");
    }
}

#[test]
fn it_fires_after_what_remains_and_not_before() {
    let mut random = fastrand::Rng::with_seed(27);
    for _ in 0..100_000 {
        let timer = VirtualTimer { control: random.u64(..8), compare: random.u64(..), offset: random.u64(..) };
        let now = random.u64(..);
        match timer.remaining(now) {
            None => assert!(!timer.line(now)),
            Some(0) => assert!(timer.line(now)),
            Some(remaining) => {
                assert!(!timer.line(now));
                assert!(!timer.line(now.wrapping_add(remaining - 1)));
                assert!(timer.line(now.wrapping_add(remaining)));
            }
        }
    }
}
