//! The interrupt controller's secure side, for a kernel that finds no firmware at EL3 (IHI 0069, 4.6).
//!
//! While GICD_CTLR.DS is 0, a kernel at EL2 sees only interrupts of non-secure group 1, and cannot put one there.

use core::fmt;

use sluice_abi::PhysAddr;
use sluice_smmu::SecureBus;

/// GICD_CTLR (IHI 0069, 12.9.4).
const GICD_CTLR: u64 = 0x0;
/// Security is off: there is one state, and EL2 has it all.
const DS: u32 = 1 << 6;
/// Affinity routing for both states. It has to be on for the secure one first, with every group disabled.
const ARE_BOTH: u32 = 1 << 4 | 1 << 5;
const RWP: u32 = 1 << 31;
/// Group and group modifier (12.9.10, 12.9.11): one bit for each interrupt, 1 and 0 for non-secure group 1.
const IGROUPR: u64 = 0x80;
const IGRPMODR: u64 = 0xd00;
/// GICR_WAKER (12.11.42): secure only while DS is 0.
const GICR_WAKER: u64 = 0x14;
const PROCESSOR_SLEEP: u32 = 1 << 1;
const CHILDREN_ASLEEP: u32 = 1 << 2;
/// From a redistributor's first frame to that of its private interrupts.
const SGI_FRAME: u64 = 0x1_0000;
const POLLS: u32 = 1 << 20;

/// A register of the interrupt controller does not settle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsettled(&'static str);

impl fmt::Display for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GIC: {} does not settle", self.0)
    }
}

/// Gives EL2 all `count` interrupts of the distributor and those of one core's `redistributor`; whether anything was secure.
///
/// # Errors
/// When a register does not settle.
pub fn open_interrupts(
    bus: &impl SecureBus,
    distributor: PhysAddr,
    redistributor: PhysAddr,
    count: u32,
) -> Result<bool, Unsettled> {
    let control = distributor.offset(GICD_CTLR);
    let wait = |at, mask, name| (0..POLLS).find(|_| bus.read32(at) & mask == 0).map(|_| ()).ok_or(Unsettled(name));
    if bus.read32(control) & DS != 0 {
        return Ok(false);
    }
    bus.write32(control, 0);
    wait(control, RWP, "GICD_CTLR")?;
    bus.write32(control, ARE_BOTH);
    wait(control, RWP, "GICD_CTLR")?;
    let waker = redistributor.offset(GICR_WAKER);
    bus.write32(waker, bus.read32(waker) & !PROCESSOR_SLEEP);
    wait(waker, CHILDREN_ASLEEP, "GICR_WAKER")?;
    let group = |registers: PhysAddr| {
        bus.write32(registers.offset(IGROUPR), u32::MAX);
        bus.write32(registers.offset(IGRPMODR), 0);
    };
    group(redistributor.offset(SGI_FRAME));
    (1..u64::from(count).div_ceil(32)).for_each(|word| group(distributor.offset(4 * word)));
    Ok(true)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::cell::{Cell, RefCell};
    use std::vec;
    use std::vec::Vec;

    use super::*;

    const GICD: PhysAddr = PhysAddr(0x2f00_0000);
    const GICR: PhysAddr = PhysAddr(0x2f10_0000);

    struct Registers {
        control: Cell<u32>,
        waker: Cell<u32>,
        awake: bool,
        writes: RefCell<Vec<(u64, u32)>>,
    }

    impl SecureBus for Registers {
        fn read32(&self, at: PhysAddr) -> u32 {
            match at {
                GICD => self.control.get(),
                at if at == GICR.offset(GICR_WAKER) => self.waker.get(),
                _ => panic!("nobody reads {at}"),
            }
        }

        fn write32(&self, at: PhysAddr, value: u32) {
            self.writes.borrow_mut().push((at.0, value));
            match at {
                GICD => self.control.set(value),
                at if at == GICR.offset(GICR_WAKER) => {
                    self.waker.set(if self.awake { value & !CHILDREN_ASLEEP } else { value | CHILDREN_ASLEEP });
                }
                _ => {}
            }
        }
    }

    fn registers(control: u32, awake: bool) -> Registers {
        let waker = Cell::new(PROCESSOR_SLEEP | CHILDREN_ASLEEP);
        Registers { control: Cell::new(control), waker, awake, writes: RefCell::default() }
    }

    #[test]
    fn every_interrupt_is_in_non_secure_group_1() {
        let registers = registers(7, true);
        assert_eq!(open_interrupts(&registers, GICD, GICR, 96), Ok(true));
        let wanted = vec![
            (GICD.0, 0),
            (GICD.0, 0x30),
            (GICR.0 + 0x14, CHILDREN_ASLEEP),
            (GICR.0 + 0x1_0080, u32::MAX),
            (GICR.0 + 0x1_0d00, 0),
            (GICD.0 + 0x84, u32::MAX),
            (GICD.0 + 0xd04, 0),
            (GICD.0 + 0x88, u32::MAX),
            (GICD.0 + 0xd08, 0),
        ];
        assert_eq!(*registers.writes.borrow(), wanted);
    }

    #[test]
    fn a_controller_without_security_is_left_alone() {
        let registers = registers(DS, true);
        assert_eq!(open_interrupts(&registers, GICD, GICR, 96), Ok(false));
        assert!(registers.writes.borrow().is_empty());
    }

    #[test]
    fn what_does_not_settle_is_named() {
        let asleep = open_interrupts(&registers(0, false), GICD, GICR, 64).map_err(|error| std::format!("{error}"));
        assert_eq!(asleep, Err("GIC: GICR_WAKER does not settle".into()));
    }
}
