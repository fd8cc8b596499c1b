//! Software-generated interrupts: writes that EL1 makes to the CPU interface and that trap while EL2 takes the interrupts
//! (IHI 0069, 12.2).

use super::Gic;
use crate::processor::Processor;

/// A register that generates SGIs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SgiRegister {
    /// ICC_SGI0R_EL1.
    Group0,
    /// ICC_SGI1R_EL1.
    Group1,
    /// ICC_ASGI1R_EL1.
    OtherGroup1,
}

impl SgiRegister {
    /// Whether SGIs that the target has in group 1 come about. With one security state, ICC_SGI1R_EL1 generates those of
    /// either group, and the others only those of group 0.
    const fn reaches_group1(self) -> bool {
        match self {
            Self::Group1 => true,
            Self::Group0 | Self::OtherGroup1 => false,
        }
    }
}

impl Gic {
    /// A processor has written one of the registers.
    pub fn write_sgi(&mut self, from: Processor, register: SgiRegister, value: u64) {
        let intid = value >> 24 & 0xf;
        let to_all_others = value >> 40 & 1 != 0;
        // RangeSelector, then Aff3, Aff2, Aff1 where an affinity has them, all of which have to be zero to name anybody.
        let elsewhere = value >> 44 & 0xf | value >> 48 & 0xff | value >> 32 & 0xff | value >> 16 & 0xff;
        for target in Processor::first(self.processors) {
            let named =
                if to_all_others { target != from } else { elsewhere == 0 && value >> target.affinity() & 1 != 0 };
            let bank = &mut self.redistributors[target.index()].bank;
            let bit = 1 << intid;
            if named && (register.reaches_group1() || bank.group & bit == 0) {
                bank.latched |= bit;
            }
        }
    }
}
