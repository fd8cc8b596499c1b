//! What Linux does to a GICv3 from its probe to its first interrupts, in its order.

use sluice_vmm::gic::{Gic, SgiRegister};
use sluice_vmm::mmio::{Place, Width};

use crate::{cpu, injected, of, word};

/// GICD_CTLR until RWP is clear, as Linux waits after whatever it cannot see at once.
fn distributor_settles(gic: &Gic) {
    assert_eq!(gic.read_distributor(word(0)) >> 31, 0, "GICD_CTLR.RWP");
}

fn redistributor_settles(gic: &Gic, processor: usize) {
    assert_eq!(gic.read_redistributors(word(of(processor, 0))) >> 3 & 1, 0, "GICR_CTLR.RWP");
}

/// The redistributors from the first to that which says it is the last, and what each says.
fn walk(gic: &Gic) -> Vec<u64> {
    let mut types = Vec::new();
    loop {
        let at = of(types.len(), 0);
        assert_eq!(gic.read_redistributors(word(at + 0xffe8)) & 0xf0, 0x30, "GICR_PIDR2");
        let kind = gic.read_redistributors(Place { offset: at + 8, width: Width::Double });
        types.push(kind);
        if kind & 1 << 4 != 0 {
            return types;
        }
        assert!(types.len() < 8);
    }
}

fn start_distributor(gic: &mut Gic) {
    assert_eq!(gic.read_distributor(word(0xffe8)) & 0xf0, 0x30, "GICD_PIDR2");
    let kind = gic.read_distributor(word(4));
    let lines = 32 * ((kind & 0x1f) + 1);
    assert_eq!(lines, 128);
    for (bit, what) in [(8, "extended SPIs"), (16, "messages"), (17, "LPIs"), (26, "range selector")] {
        assert_eq!(kind >> bit & 1, 0, "{what}");
    }
    // Zero would be taken for a controller with a flaw.
    assert_ne!(gic.read_distributor(word(8)), 0);
    assert_eq!(gic.read_distributor(word(0xc)), 0);

    gic.write_distributor(word(0), 0);
    distributor_settles(gic);
    for intid in (32..lines).step_by(32) {
        gic.write_distributor(word(0x80 + intid / 8), 0xffff_ffff);
    }
    for intid in (32..lines).step_by(16) {
        gic.write_distributor(word(0xc00 + intid / 4), 0);
    }
    for intid in (32..lines).step_by(4) {
        gic.write_distributor(word(0x400 + intid), 0xa0a0_a0a0);
    }
    for intid in (32..lines).step_by(32) {
        gic.write_distributor(word(0x380 + intid / 8), 0xffff_ffff);
        gic.write_distributor(word(0x180 + intid / 8), 0xffff_ffff);
    }
    distributor_settles(gic);
    gic.write_distributor(word(0), 0x13);
    distributor_settles(gic);
    assert_ne!(gic.read_distributor(word(0)) & 1 << 6, 0, "one security state");
    for intid in 32..lines {
        gic.write_distributor(Place { offset: 0x6000 + 8 * intid, width: Width::Double }, 0);
    }
}

fn start_processor(gic: &mut Gic, processor: usize) {
    let waker = word(of(processor, 0x14));
    let before = gic.read_redistributors(waker);
    gic.write_redistributors(waker, before & !2);
    assert_eq!(gic.read_redistributors(waker) & 4, 0, "ChildrenAsleep");
    let frame = of(processor, 0x1_0000);
    gic.write_redistributors(word(frame + 0x80), 0xffff_ffff);
    gic.write_redistributors(word(frame + 0x380), 0xffff_ffff);
    gic.write_redistributors(word(frame + 0x180), 0xffff_ffff);
    for intid in (0..32).step_by(4) {
        gic.write_redistributors(word(frame + 0x400 + intid), 0xa0a0_a0a0);
    }
    redistributor_settles(gic, processor);
    // SGIs that it uses.
    for sgi in 0..8 {
        gic.write_redistributors(word(frame + 0x100), 1 << sgi);
    }
}

fn boot(processors: usize) -> Gic {
    let mut gic = Gic::new(processors, 4);
    assert_eq!(walk(&gic).len(), processors);
    start_distributor(&mut gic);
    for processor in 0..processors {
        let found = walk(&gic).iter().position(|kind| kind >> 32 == processor as u64);
        start_processor(&mut gic, found.expect("a redistributor with its affinity"));
    }
    gic
}

#[test]
fn the_timer_ticks() {
    let mut gic = boot(1);
    let frame = of(0, 0x1_0000);
    // request_percpu_irq: the trigger is what it was, so there is one read and no write.
    assert_eq!(gic.read_redistributors(word(frame + 0xc04)) >> 22 & 2, 0, "level-sensitive");
    gic.write_redistributors(word(frame + 0x100), 1 << 27);
    for _ in 0..3 {
        gic.set_private_level(cpu(0), 27, true);
        assert_eq!(injected(&mut gic, 0), [27]);
        // The handler moves the comparator on before it ends the interrupt.
        assert_eq!(gic.ended(cpu(0), Some(0)), Some(27));
        gic.set_private_level(cpu(0), 27, false);
        assert_eq!(injected(&mut gic, 0), []);
    }
}

#[test]
fn a_shared_interrupt_is_requested_moved_and_freed() {
    let mut gic = boot(2);
    let (bit, bank) = (1u64 << (35 - 32), 4);
    // request_irq.
    assert_eq!(gic.read_distributor(word(0xc00 + 8)) >> (2 * (35 - 32)) & 2, 0);
    gic.write_distributor(word(0x100 + bank), bit);
    gic.set_level(35, true);
    assert_eq!(injected(&mut gic, 0), [35]);
    assert_eq!(gic.ended(cpu(0), Some(0)), Some(35));
    gic.set_level(35, false);
    // irq_set_affinity: masked on the way.
    assert_eq!(gic.read_distributor(word(0x100 + bank)) & bit, bit);
    gic.write_distributor(word(0x180 + bank), bit);
    distributor_settles(&gic);
    gic.write_distributor(Place { offset: 0x6000 + 8 * 35, width: Width::Double }, 1);
    gic.write_distributor(word(0x100 + bank), bit);
    gic.set_level(35, true);
    assert_eq!(gic.to_be_injected().collect::<Vec<_>>(), [cpu(1)]);
    assert_eq!(injected(&mut gic, 1), [35]);
    // free_irq: masks, then waits until nobody handles it.
    gic.write_distributor(word(0x180 + bank), bit);
    distributor_settles(&gic);
    assert_eq!(gic.read_distributor(word(0x300 + bank)) & bit, bit);
    assert_eq!(gic.ended(cpu(1), Some(0)), Some(35));
    assert_eq!(gic.read_distributor(word(0x300 + bank)) & bit, 0);
    assert!(!gic.deliverable(cpu(1)));
}

#[test]
fn processors_interrupt_each_other() {
    let mut gic = boot(4);
    // IPI_RESCHEDULE to 2, IPI_CALL_FUNC to everybody else: a target list, never "all but me".
    gic.write_sgi(cpu(0), SgiRegister::Group1, 0b0100);
    gic.write_sgi(cpu(0), SgiRegister::Group1, 1 << 24 | 0b1110);
    assert_eq!(gic.to_be_injected().collect::<Vec<_>>(), [cpu(1), cpu(2), cpu(3)]);
    assert_eq!(injected(&mut gic, 1), [1]);
    assert_eq!(injected(&mut gic, 2), [0, 1]);
    assert_eq!(injected(&mut gic, 3), [1]);
    assert_eq!(gic.ended(cpu(2), Some(0)), Some(0));
    assert_eq!(gic.ended(cpu(2), Some(1)), Some(1));
    assert!(!gic.deliverable(cpu(2)));
}

#[test]
fn a_processor_that_is_powered_down_sleeps_first() {
    let mut gic = boot(1);
    let waker = word(of(0, 0x14));
    gic.write_redistributors(waker, gic.read_redistributors(waker) | 2);
    assert_ne!(gic.read_redistributors(waker) & 2, 0, "ProcessorSleep can be set");
    assert_ne!(gic.read_redistributors(waker) & 4, 0, "ChildrenAsleep");
    assert!(!gic.deliverable(cpu(0)));
    gic.write_redistributors(word(of(0, 0x1_0100)), 1 << 27);
    gic.set_private_level(cpu(0), 27, true);
    assert!(gic.deliverable(cpu(0)), "wakes it");
}
