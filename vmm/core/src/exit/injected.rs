//! Exceptions that the guest is to take: what its processor would have done (DDI 0487, D1.3).

/// An exception to be taken to EL1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exception {
    /// The instruction is undefined.
    Undefined,
    /// There is nothing at the address that data was accessed at; FAR_EL1 is to hold the virtual one, where it is known.
    DataAbort {
        /// Whether it was a store.
        write: bool,
    },
    /// There is nothing at the address of the instruction.
    FetchAbort,
}

/// The processor when it came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupted {
    /// PC, of the instruction that is to take the exception.
    pub pc: u64,
    /// PSTATE, in the layout of SPSR_EL1.
    pub pstate: u64,
    /// VBAR_EL1.
    pub vbar: u64,
    /// SCTLR_EL1.
    pub sctlr: u64,
}

/// What its registers are to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resumed {
    /// PC: an entry of the vector table.
    pub pc: u64,
    /// PSTATE: EL1 with SP_EL1, everything masked.
    pub pstate: u64,
    /// ELR_EL1.
    pub elr: u64,
    /// SPSR_EL1.
    pub spsr: u64,
    /// ESR_EL1.
    pub esr: u64,
}

/// PSTATE.M.
mod mode {
    pub(super) const MASK: u64 = 0x1f;
    pub(super) const AARCH32: u64 = 1 << 4;
    pub(super) const EL1T: u64 = 0b0100;
    pub(super) const EL1H: u64 = 0b0101;
}

/// PSTATE.D, A, I, F.
const ALL_MASKED: u64 = 0xf << 6;
/// PSTATE.N, Z, C, V, DIT and PAN stay; UAO, IL, SS and BTYPE become zero.
const KEPT: u64 = 0xf << 28 | 1 << 24 | PAN;
/// PSTATE.PAN is set unless SCTLR_EL1.SPAN is, which is always so where there is no PAN.
const PAN: u64 = 1 << 22;
const SCTLR_SPAN: u64 = 1 << 23;
/// PSTATE.SSBS becomes what SCTLR_EL1.DSSBS is.
const SSBS: u64 = 1 << 12;
const SCTLR_DSSBS: u64 = 1 << 44;

/// ESR_EL1 (D24.2): EC of each exception, IL, and DFSC or IFSC "synchronous External abort, not on a walk"; FnV where
/// FAR_EL1 holds nothing.
mod esr {
    pub(super) const CLASS: u32 = 26;
    pub(super) const LONG: u64 = 1 << 25;
    pub(super) const FETCH_BELOW: u64 = 0x20;
    pub(super) const DATA_BELOW: u64 = 0x24;
    pub(super) const FROM_SAME: u64 = 1;
    pub(super) const NO_ADDRESS: u64 = 1 << 10;
    pub(super) const WRITE: u64 = 1 << 6;
    pub(super) const EXTERNAL: u64 = 0x10;
}

impl Interrupted {
    /// What the registers are when the processor has taken `exception`. FAR_EL1 is said to hold nothing (FnV).
    #[must_use]
    pub const fn take(self, exception: Exception) -> Resumed {
        // The entry depends on where the exception came from.
        let (offset, same) = match self.pstate & mode::MASK {
            mode::EL1T => (0, esr::FROM_SAME),
            mode::EL1H => (0x200, esr::FROM_SAME),
            below if below & mode::AARCH32 != 0 => (0x600, 0),
            _ => (0x400, 0),
        };
        let syndrome = match exception {
            Exception::Undefined => 0,
            Exception::DataAbort { write } => {
                (esr::DATA_BELOW | same) << esr::CLASS
                    | esr::NO_ADDRESS
                    | if write { esr::WRITE } else { 0 }
                    | esr::EXTERNAL
            }
            Exception::FetchAbort => (esr::FETCH_BELOW | same) << esr::CLASS | esr::NO_ADDRESS | esr::EXTERNAL,
        };
        Resumed {
            // VBAR_EL1[10:0] are RES0.
            pc: (self.vbar & !0x7ff).wrapping_add(offset),
            pstate: self.pstate & KEPT
                | if self.sctlr & SCTLR_SPAN == 0 { PAN } else { 0 }
                | if self.sctlr & SCTLR_DSSBS != 0 { SSBS } else { 0 }
                | ALL_MASKED
                | mode::EL1H,
            elr: self.pc,
            spsr: self.pstate,
            esr: syndrome | esr::LONG,
        }
    }
}
