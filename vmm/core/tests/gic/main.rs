//! The guest's interrupt controller.

mod delivery;
mod linux;
mod processors;
mod random;
mod registers;

use sluice_vmm::gic::{Gic, Injection};
use sluice_vmm::layout::REDISTRIBUTOR_STRIDE;
use sluice_vmm::mmio::{Place, Width};
use sluice_vmm::processor::Processor;

pub(crate) const CTLR: u64 = 0;
pub(crate) const IGROUPR: u64 = 0x80;
pub(crate) const ISENABLER: u64 = 0x100;
pub(crate) const ICENABLER: u64 = 0x180;
pub(crate) const ISPENDR: u64 = 0x200;
pub(crate) const ICPENDR: u64 = 0x280;
pub(crate) const ISACTIVER: u64 = 0x300;
pub(crate) const ICACTIVER: u64 = 0x380;
pub(crate) const IPRIORITYR: u64 = 0x400;
pub(crate) const ICFGR: u64 = 0xc00;
pub(crate) const IROUTER: u64 = 0x6000;
pub(crate) const WAKER: u64 = 0x14;
pub(crate) const SGI_FRAME: u64 = 0x1_0000;

pub(crate) fn cpu(index: usize) -> Processor {
    Processor::new(index).expect("a processor")
}

pub(crate) const fn word(offset: u64) -> Place {
    Place { offset, width: Width::Word }
}

/// Offset of a register in the redistributors.
pub(crate) fn of(processor: usize, offset: u64) -> u64 {
    processor as u64 * REDISTRIBUTOR_STRIDE + offset
}

/// Writes a bit of a distributor register that has one for each interrupt.
pub(crate) fn set_bit(gic: &mut Gic, register: u64, intid: u32) {
    gic.write_distributor(word(register + u64::from(intid / 32) * 4), 1 << (intid % 32));
}

pub(crate) fn bit(gic: &Gic, register: u64, intid: u32) -> bool {
    gic.read_distributor(word(register + u64::from(intid / 32) * 4)) >> (intid % 32) & 1 != 0
}

/// A controller with everything in group 1, enabled, at priority 0xa0, and all processors awake.
pub(crate) fn running(processors: usize, list_registers: usize) -> Gic {
    let mut gic = Gic::new(processors, list_registers);
    enable_all(&mut gic, processors);
    gic
}

/// Makes a controller as [`running`] has it, whatever it was, with what is pending in it.
pub(crate) fn enable_all(gic: &mut Gic, processors: usize) {
    gic.write_distributor(word(CTLR), 2);
    for bank in 1..4 {
        gic.write_distributor(word(IGROUPR + 4 * bank), !0);
        gic.write_distributor(word(ISENABLER + 4 * bank), !0);
    }
    for offset in (32..128).step_by(4) {
        gic.write_distributor(word(IPRIORITYR + offset), 0xa0a0_a0a0);
    }
    for processor in 0..processors {
        gic.write_redistributors(word(of(processor, WAKER)), 0);
        let frame = of(processor, SGI_FRAME);
        gic.write_redistributors(word(frame + IGROUPR), !0);
        gic.write_redistributors(word(frame + ISENABLER), !0);
        for offset in (0..32).step_by(4) {
            gic.write_redistributors(word(frame + IPRIORITYR + offset), 0xa0a0_a0a0);
        }
    }
}

/// Everything that can be injected into a processor now.
pub(crate) fn inject_all(gic: &mut Gic, processor: usize) -> Vec<Injection> {
    let all = core::iter::from_fn(|| gic.next_injection(cpu(processor))).collect();
    assert_eq!(gic.violation(), None);
    all
}

/// The INTIDs of [`inject_all`].
pub(crate) fn injected(gic: &mut Gic, processor: usize) -> Vec<u16> {
    inject_all(gic, processor).into_iter().map(|injection| injection.intid).collect()
}
