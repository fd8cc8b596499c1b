//! Trapped MSR, MRS and system instructions (DDI 0487, D24.2, ESR_EL2, "ISS encoding for an exception from MSR, MRS, or System
//! instruction execution in AArch64 state").

use super::{Direction, Register};
use crate::gic::SgiRegister;

/// A system register or instruction by its encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemRegister {
    /// Op0: 1 for instructions, 2 for debug registers, 3 for others.
    pub op0: u8,
    /// Op1.
    pub op1: u8,
    /// CRn.
    pub crn: u8,
    /// CRm.
    pub crm: u8,
    /// Op2.
    pub op2: u8,
}

/// An access of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemAccess {
    /// What is accessed.
    pub what: SystemRegister,
    /// MRS reads, MSR writes.
    pub direction: Direction,
    /// The general-purpose register.
    pub register: Register,
}

/// What is to be done about an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trapped {
    /// The register's value generates SGIs.
    Sgi(SgiRegister),
    /// The general-purpose register becomes zero.
    ReadsZero,
    /// Nothing.
    Ignored,
    /// The instruction is undefined on this machine.
    Undefined,
}

impl SystemAccess {
    pub(super) const fn decode(syndrome: u32) -> Self {
        Self {
            what: SystemRegister {
                op0: (syndrome >> 20 & 3) as u8,
                op1: (syndrome >> 14 & 7) as u8,
                crn: (syndrome >> 10 & 0xf) as u8,
                crm: (syndrome >> 1 & 0xf) as u8,
                op2: (syndrome >> 17 & 7) as u8,
            },
            direction: if syndrome & 1 != 0 { Direction::Read } else { Direction::Write },
            register: Register::new(syndrome >> 5),
        }
    }

    /// What is to be done about it.
    ///
    /// Registers that the kernel keeps from guests are there and do nothing: of debugging and performance monitoring, of
    /// the physical timer, of limited-ordering regions and error records (none, says a zero), and the implementation's own.
    #[must_use]
    pub const fn decide(self) -> Trapped {
        match (self.what, self.direction) {
            (SystemRegister { op0: 3, op1: 0, crn: 12, crm: 11, op2 }, Direction::Write) => match op2 {
                5 => Trapped::Sgi(SgiRegister::Group1),
                6 => Trapped::Sgi(SgiRegister::OtherGroup1),
                7 => Trapped::Sgi(SgiRegister::Group0),
                _ => Trapped::Ignored,
            },
            (SystemRegister { op0: 2 | 3, .. }, Direction::Read) => Trapped::ReadsZero,
            (SystemRegister { op0: 2 | 3, .. }, Direction::Write) => Trapped::Ignored,
            (SystemRegister { .. }, Direction::Read | Direction::Write) => Trapped::Undefined,
        }
    }
}
