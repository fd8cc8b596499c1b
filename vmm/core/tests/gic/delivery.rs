//! What reaches a processor, and in which order.

use sluice_vmm::gic::{Gic, Injection, SgiRegister};
use sluice_vmm::mmio::{Place, Width};

use crate::{
    CTLR, ICACTIVER, ICENABLER, ICFGR, ICPENDR, IGROUPR, IPRIORITYR, IROUTER, ISACTIVER, ISENABLER, ISPENDR, SGI_FRAME,
    WAKER, bit, cpu, inject_all, injected, of, running, set_bit, word,
};

fn route(gic: &mut Gic, intid: u32, affinity: u64) {
    gic.write_distributor(Place { offset: IROUTER + 8 * u64::from(intid), width: Width::Double }, affinity);
}

fn prioritise(gic: &mut Gic, intid: u32, priority: u64) {
    gic.write_distributor(Place { offset: IPRIORITYR + u64::from(intid), width: Width::Byte }, priority);
}

#[test]
fn a_high_line_is_an_interrupt_until_it_is_low() {
    let mut gic = running(1, 4);
    gic.set_level(33, true);
    assert!(gic.deliverable(cpu(0)));
    assert_eq!(gic.to_be_injected().collect::<Vec<_>>(), [cpu(0)]);
    assert_eq!(inject_all(&mut gic, 0), [Injection { list_register: 0, intid: 33, priority: 0xa0 >> 3, group: 1 }]);
    // It is in the list register now, and once is enough.
    assert_eq!(gic.to_be_injected().count(), 0);
    assert!(gic.deliverable(cpu(0)));
    assert!(bit(&gic, ISPENDR, 33) && bit(&gic, ISACTIVER, 33));
    // Still high at its end: it comes again.
    assert_eq!(gic.ended(cpu(0), Some(0)), Some(33));
    assert_eq!(injected(&mut gic, 0), [33]);
    gic.set_level(33, false);
    assert_eq!(gic.ended(cpu(0), Some(0)), Some(33));
    assert_eq!(injected(&mut gic, 0), []);
    assert!(!gic.deliverable(cpu(0)));
    assert!(!bit(&gic, ISPENDR, 33) && !bit(&gic, ISACTIVER, 33));
    // A line that is low before anybody noticed is no interrupt.
    gic.set_level(33, true);
    gic.set_level(33, false);
    assert!(!gic.deliverable(cpu(0)));
}

#[test]
fn an_edge_is_one_interrupt() {
    let mut gic = running(1, 4);
    gic.write_distributor(word(ICFGR + 4 * (106 / 16)), 2 << (2 * (106 % 16)));
    gic.pulse(106);
    gic.pulse(106);
    assert_eq!(injected(&mut gic, 0), [106]);
    assert!(!bit(&gic, ISPENDR, 106));
    // One that comes while the guest handles the other is not lost.
    gic.pulse(106);
    assert!(bit(&gic, ISPENDR, 106));
    assert_eq!(injected(&mut gic, 0), []);
    assert_eq!(gic.ended(cpu(0), Some(0)), Some(106));
    assert_eq!(injected(&mut gic, 0), [106]);
    assert_eq!(gic.ended(cpu(0), Some(0)), Some(106));
    assert!(!gic.deliverable(cpu(0)));
    // A line of an edge-triggered interrupt: it is the rise that counts.
    gic.set_level(106, true);
    assert_eq!(injected(&mut gic, 0), [106]);
    gic.set_level(106, true);
    assert_eq!(gic.ended(cpu(0), Some(0)), Some(106));
    assert_eq!(injected(&mut gic, 0), []);
    gic.set_level(106, false);
    gic.set_level(106, true);
    assert_eq!(injected(&mut gic, 0), [106]);
}

#[test]
fn the_most_urgent_comes_first_and_the_rest_when_one_has_ended() {
    let mut gic = running(1, 2);
    for (intid, priority) in [(40, 0xa0), (41, 0x40), (42, 0xa0), (43, 0x80), (44, 0x40)] {
        prioritise(&mut gic, intid, priority);
        gic.set_level(intid, true);
    }
    // The last list register is kept for what is more urgent.
    assert_eq!(injected(&mut gic, 0), [41]);
    for intid in [44, 43, 40, 42] {
        let ended = gic.ended(cpu(0), Some(0)).expect("one is in the register");
        gic.set_level(ended, false);
        assert_eq!(injected(&mut gic, 0), [intid]);
    }
    prioritise(&mut gic, 45, 0x98);
    gic.set_level(45, true);
    assert_eq!(
        inject_all(&mut gic, 0),
        [Injection { list_register: 1, intid: 45, priority: 0x98 >> 3, group: 1 }],
        "more urgent than 42"
    );
    prioritise(&mut gic, 46, 0);
    gic.set_level(46, true);
    assert_eq!(injected(&mut gic, 0), [], "no register is free");
}

#[test]
fn one_list_register_is_enough() {
    let mut gic = running(1, 1);
    for intid in 32..128 {
        gic.set_level(intid, true);
    }
    for intid in 32..128 {
        assert_eq!(injected(&mut gic, 0), [intid as u16]);
        assert_eq!(gic.ended(cpu(0), Some(0)), Some(intid));
        gic.set_level(intid, false);
    }
    assert!(!gic.deliverable(cpu(0)));
}

#[test]
fn whatever_holds_an_interrupt_back_holds_it() {
    type Step = fn(&mut Gic);
    let table: [(&str, Step, Step); 6] = [
        ("disabled", |gic| set_bit(gic, ICENABLER, 50), |gic| set_bit(gic, ISENABLER, 50)),
        ("group off", |gic| gic.write_distributor(word(CTLR), 1), |gic| gic.write_distributor(word(CTLR), 2)),
        (
            "the other group",
            |gic| gic.write_distributor(word(IGROUPR + 4), 0),
            |gic| gic.write_distributor(word(IGROUPR + 4), 1 << (50 - 32)),
        ),
        ("active", |gic| set_bit(gic, ISACTIVER, 50), |gic| set_bit(gic, ICACTIVER, 50)),
        ("routed to nobody", |gic| route(gic, 50, 7), |gic| route(gic, 50, 0)),
        ("routed to another cluster", |gic| route(gic, 50, 0x100), |gic| route(gic, 50, 0)),
    ];
    for (name, hold, release) in table {
        let mut gic = running(1, 4);
        hold(&mut gic);
        gic.set_level(50, true);
        assert!(!gic.deliverable(cpu(0)), "{name}");
        assert_eq!(injected(&mut gic, 0), [], "{name}");
        assert!(bit(&gic, ISPENDR, 50), "{name}");
        release(&mut gic);
        assert!(gic.deliverable(cpu(0)), "{name}");
        assert_eq!(injected(&mut gic, 0), [50], "{name}");
    }
}

#[test]
fn a_sleeping_redistributor_wakes_its_processor_and_signals_nothing() {
    let mut gic = running(1, 4);
    gic.write_redistributors(word(WAKER), 2);
    gic.set_level(50, true);
    assert!(gic.deliverable(cpu(0)));
    assert_eq!(gic.to_be_injected().count(), 0);
    assert_eq!(injected(&mut gic, 0), []);
    gic.write_redistributors(word(WAKER), 0);
    assert_eq!(injected(&mut gic, 0), [50]);
}

#[test]
fn groups_are_injected_as_they_are() {
    let mut gic = running(1, 4);
    gic.write_distributor(word(CTLR), 3);
    gic.write_distributor(word(IGROUPR + 4), !(1 << (50 - 32)));
    gic.set_level(50, true);
    gic.set_level(51, true);
    let groups: Vec<_> = inject_all(&mut gic, 0).iter().map(|injection| (injection.intid, injection.group)).collect();
    assert_eq!(groups, [(50, 0), (51, 1)]);
}

#[test]
fn the_guest_can_make_interrupts_pending_itself() {
    let mut gic = running(1, 4);
    set_bit(&mut gic, ISPENDR, 60);
    assert_eq!(injected(&mut gic, 0), [60]);
    set_bit(&mut gic, ISPENDR, 60);
    set_bit(&mut gic, ICPENDR, 60);
    assert_eq!(gic.ended(cpu(0), Some(0)), Some(60));
    assert_eq!(injected(&mut gic, 0), []);
    // What a line makes pending, a write does not undo.
    gic.set_level(61, true);
    set_bit(&mut gic, ICPENDR, 61);
    assert_eq!(injected(&mut gic, 0), [61]);
}

#[test]
fn an_end_deactivates() {
    let mut gic = running(1, 4);
    gic.set_level(50, true);
    assert_eq!(injected(&mut gic, 0), [50]);
    set_bit(&mut gic, ISACTIVER, 50);
    assert_eq!(gic.ended(cpu(0), Some(0)), Some(50));
    assert!(!bit(&gic, ISACTIVER, 50));
    assert_eq!(injected(&mut gic, 0), [50]);
}

#[test]
fn ends_that_are_none_change_nothing() {
    let mut gic = running(2, 4);
    gic.set_level(50, true);
    assert_eq!(injected(&mut gic, 0), [50]);
    let before = gic.clone();
    for (processor, list_register) in
        [(0, None), (0, Some(1)), (0, Some(4)), (0, Some(255)), (1, Some(0)), (7, Some(0)), (7, None)]
    {
        assert_eq!(gic.ended(cpu(processor), list_register), None);
        assert_eq!(gic, before);
    }
}

#[test]
fn what_the_kernel_refused_is_injected_later() {
    let mut gic = running(1, 2);
    gic.pulse(50);
    gic.set_level(51, true);
    assert_eq!(injected(&mut gic, 0), [50]);
    gic.refused(cpu(0), 0);
    assert_eq!(gic.violation(), None);
    assert!(gic.deliverable(cpu(0)));
    assert!(bit(&gic, ISPENDR, 50), "pending as before");
    // Register 0 is the guest's until it ends what it has there.
    assert_eq!(inject_all(&mut gic, 0), [Injection { list_register: 1, intid: 50, priority: 0xa0 >> 3, group: 1 }]);
    assert_eq!(gic.ended(cpu(0), Some(0)), None, "nobody knows what it was");
    assert_eq!(gic.ended(cpu(0), Some(1)), Some(50));
    assert_eq!(injected(&mut gic, 0), [51]);
    // A level that was refused is not latched: it is over when its line is low.
    gic.refused(cpu(0), 0);
    gic.set_level(51, false);
    assert_eq!(gic.ended(cpu(0), Some(0)), None);
    assert!(!gic.deliverable(cpu(0)));
}

#[test]
fn sgis_are_injected_once_for_each_target() {
    let mut gic = running(1, 4);
    gic.write_sgi(cpu(0), SgiRegister::Group1, 3 << 24 | 1);
    gic.write_sgi(cpu(0), SgiRegister::Group1, 3 << 24 | 1);
    assert_eq!(injected(&mut gic, 0), [3]);
    assert_eq!(gic.read_redistributors(word(of(0, SGI_FRAME + ISPENDR))), 0);
    assert_eq!(gic.ended(cpu(0), Some(0)), Some(3));
    assert!(!gic.deliverable(cpu(0)));
}

#[test]
fn after_a_reset_all_is_as_new() {
    let mut gic = running(3, 4);
    gic.set_level(50, true);
    gic.set_private_level(cpu(2), 27, true);
    assert_eq!(injected(&mut gic, 2), [27]);
    gic.reset();
    assert_eq!(gic, Gic::new(3, 4));
}
