//! Several processors.

use sluice_vmm::gic::{Gic, SgiRegister};
use sluice_vmm::mmio::{Place, Width};
use sluice_vmm::processor::Processor;

use crate::{IGROUPR, IROUTER, ISPENDR, SGI_FRAME, bit, cpu, injected, of, running, word};

fn waiting(gic: &Gic) -> Vec<Processor> {
    gic.to_be_injected().collect()
}

#[test]
fn a_shared_interrupt_goes_where_it_is_routed() {
    let mut gic = running(4, 4);
    for target in 0..4 {
        gic.write_distributor(Place { offset: IROUTER + 8 * 35, width: Width::Double }, target as u64);
        gic.set_level(35, true);
        assert_eq!(waiting(&gic), [cpu(target)]);
        for other in (0..4).filter(|other| *other != target) {
            assert!(!gic.deliverable(cpu(other)));
            assert_eq!(injected(&mut gic, other), []);
        }
        assert_eq!(injected(&mut gic, target), [35]);
        gic.set_level(35, false);
        assert_eq!(gic.ended(cpu(target), Some(0)), Some(35));
    }
}

#[test]
fn an_interrupt_that_one_has_does_not_come_to_another() {
    let mut gic = running(2, 4);
    gic.set_level(35, true);
    assert_eq!(injected(&mut gic, 0), [35]);
    gic.write_distributor(word(IROUTER + 8 * 35), 1);
    assert_eq!(waiting(&gic), []);
    assert_eq!(gic.ended(cpu(0), Some(0)), Some(35));
    assert_eq!(injected(&mut gic, 1), [35]);
}

#[test]
fn private_interrupts_are_private() {
    let mut gic = running(3, 4);
    gic.set_private_level(cpu(1), 27, true);
    assert_eq!(waiting(&gic), [cpu(1)]);
    assert_eq!(injected(&mut gic, 1), [27]);
    gic.set_private_level(cpu(2), 27, true);
    assert_eq!(injected(&mut gic, 2), [27]);
    assert_eq!(gic.ended(cpu(1), Some(0)), Some(27));
    gic.set_private_level(cpu(1), 27, false);
    assert_eq!(waiting(&gic), []);
    assert!(gic.deliverable(cpu(2)));
}

#[test]
fn lines_that_are_not_there_do_nothing() {
    let mut gic = running(2, 4);
    let before = gic.clone();
    for intid in [0, 15, 27, 31, 128, 1023, u32::MAX] {
        gic.set_level(intid, true);
        gic.pulse(intid);
    }
    for intid in [0, 15, 32, 50, u32::MAX] {
        gic.set_private_level(cpu(0), intid, true);
    }
    gic.set_private_level(cpu(2), 27, true);
    gic.refused(cpu(5), 0);
    gic.switched_off(cpu(5));
    gic.switched_on(cpu(5));
    assert_eq!(gic, before);
}

#[test]
fn sgis_reach_whom_they_name() {
    const TO_ALL_OTHERS: u64 = 1 << 40;
    let table: [(u64, &[usize]); 12] = [
        (0b1010, &[1, 3]),
        (0b0001, &[0]),
        (0xffff, &[0, 1, 2, 3]),
        (0xfff0, &[]),
        (0, &[]),
        (TO_ALL_OTHERS, &[1, 2, 3]),
        (TO_ALL_OTHERS | 0b0001, &[1, 2, 3]),
        // Another range of Aff0, another Aff1, Aff2, Aff3.
        (1 << 44 | 0b1111, &[]),
        (1 << 16 | 0b1111, &[]),
        (1 << 32 | 0b1111, &[]),
        (1 << 48 | 0b1111, &[]),
        // Bits that mean nothing: 63:56, 43:41, 31:28.
        (0xff << 56 | 7 << 41 | 0xf << 28 | 0b0001, &[0]),
    ];
    for (value, targets) in table {
        let mut gic = running(4, 4);
        gic.write_sgi(cpu(0), SgiRegister::Group1, 5 << 24 | value);
        let expected: Vec<_> = targets.iter().map(|index| cpu(*index)).collect();
        assert_eq!(waiting(&gic), expected, "{value:#x}");
        for target in targets {
            assert_eq!(injected(&mut gic, *target), [5]);
        }
    }
}

#[test]
fn the_register_and_the_targets_group_have_to_agree() {
    for (register, group1, reaches) in [
        (SgiRegister::Group1, true, true),
        (SgiRegister::Group1, false, true),
        (SgiRegister::Group0, true, false),
        (SgiRegister::Group0, false, true),
        (SgiRegister::OtherGroup1, true, false),
        (SgiRegister::OtherGroup1, false, true),
    ] {
        let mut gic = running(1, 4);
        gic.write_redistributors(word(SGI_FRAME + IGROUPR), if group1 { 0xff } else { 0 });
        gic.write_sgi(cpu(0), register, 7 << 24 | 1);
        let pending = gic.read_redistributors(word(SGI_FRAME + ISPENDR));
        assert_eq!(pending, if reaches { 1 << 7 } else { 0 }, "{register:?}, group 1: {group1}");
    }
}

#[test]
fn what_a_processor_had_when_it_stopped_is_pending_again() {
    let mut gic = running(2, 4);
    gic.set_level(35, true);
    gic.pulse(106);
    gic.set_level(36, true);
    assert_eq!(injected(&mut gic, 0), [35, 36, 106]);
    gic.set_level(36, false);
    gic.switched_off(cpu(0));
    assert_eq!(gic.violation(), None);
    assert!(bit(&gic, ISPENDR, 35) && bit(&gic, ISPENDR, 106) && !bit(&gic, ISPENDR, 36));
    assert_eq!(waiting(&gic), [], "nothing goes to who is off");
    // The others get what is routed to them.
    for intid in [35, 106] {
        gic.write_distributor(word(IROUTER + 8 * intid), 1);
    }
    assert!(!gic.deliverable(cpu(0)));
    assert_eq!(injected(&mut gic, 1), [35, 106]);
    assert_eq!(gic.read_redistributors(word(of(1, SGI_FRAME + ISPENDR))), 0);
}
