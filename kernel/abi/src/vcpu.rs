//! Register numbers of `VCPU_ReadRegs` and `VCPU_WriteRegs`.

use crate::numbered::numbered;

numbered! {
    /// A saved register of a virtual processor; the value is its field number.
    #[expect(missing_docs, reason = "each is named as the architecture names it")]
    pub enum VcpuRegister: u64 {
        Sctlr = 0,
        Cpacr = 1,
        Ttbr0 = 2,
        Ttbr1 = 3,
        Tcr = 4,
        Mair = 5,
        Amair = 6,
        Cidr = 7,
        Actlr = 8,
        Afsr0 = 9,
        Afsr1 = 10,
        Esr = 11,
        Far = 12,
        Par = 13,
        Vbar = 14,
        TpidrEl1 = 15,
        VmpidrEl2 = 16,
        SpEl1 = 17,
        ElrEl1 = 18,
        SpsrEl1 = 19,
        CntvCtl = 20,
        CntvCval = 21,
        CntvOff = 22,
        CntkctlEl1 = 23,
    }
}

/// Number of register fields.
pub const VCPU_REGISTERS: usize = 24;

impl VcpuRegister {
    /// The register with this number.
    #[must_use]
    pub fn from_word(word: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(word).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions() {
        for (number, register) in VcpuRegister::ALL.into_iter().enumerate() {
            assert_eq!(register as usize, number);
        }
    }
}
