//! Registers of the PL031 real-time clock (ARM DDI 0224, 3.2 Summary of registers), 32 bits each.

use core::fmt;

/// Data register: seconds.
pub const DR: usize = 0x000;
/// Match register: the alarm is raised when the clock comes to this second.
pub const MR: usize = 0x004;
/// Control register: the clock runs when [`CR_START`] is set.
pub const CR: usize = 0x00c;
/// Control: start.
pub const CR_START: u32 = 1 << 0;
/// Interrupt mask set or clear register: the interrupt is let out when [`ALARM`] is set.
pub const IMSC: usize = 0x010;
/// Raw interrupt status.
pub const RIS: usize = 0x014;
/// Masked interrupt status: that of the interrupt line.
pub const MIS: usize = 0x018;
/// Interrupt clear register.
pub const ICR: usize = 0x01c;
/// In the four interrupt registers: the alarm, which is their only bit.
pub const ALARM: u32 = 1 << 0;

/// The eight identification registers: PeriphID0 to 3, then PCellID0 to 3; each has a byte in bits 7:0.
pub const ID: [usize; 8] = [0xfe0, 0xfe4, 0xfe8, 0xfec, 0xff0, 0xff4, 0xff8, 0xffc];

/// What the identification registers say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The four bytes PCellID, the same for all PrimeCells.
    pub cell: u32,
    /// Number of the peripheral, 12 bits.
    pub part: u16,
    /// Who designed it, 8 bits.
    pub designer: u8,
    /// Its revision, 4 bits.
    pub revision: u8,
    /// Its configuration, 8 bits.
    pub configuration: u8,
}

impl Identity {
    /// What the registers at [`ID`] say.
    #[must_use]
    pub fn of(registers: [u32; 8]) -> Self {
        let [id0, id1, id2, id3, cell @ ..] = registers.map(|register| register as u8);
        Self {
            cell: u32::from_le_bytes(cell),
            part: u16::from(id1 & 0xf) << 8 | u16::from(id0),
            designer: (id2 & 0xf) << 4 | id1 >> 4,
            revision: id2 >> 4,
            configuration: id3,
        }
    }

    /// Whether this is a PL031, whatever its revision.
    #[must_use]
    pub const fn is_pl031(&self) -> bool {
        self.cell == 0xb105_f00d && self.part == 0x031 && self.designer == 0x41 && self.configuration == 0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cell {:#x} part {:#05x} ", self.cell, self.part)?;
        write!(f, "designer {:#x} revision {} ", self.designer, self.revision)?;
        write!(f, "configuration {}", self.configuration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of revision 1.
    const PL031: [u32; 8] = [0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

    #[test]
    fn the_registers_of_a_pl031_are_told_from_others() {
        let identity = Identity::of(PL031);
        assert_eq!((identity.part, identity.designer, identity.revision), (0x031, 0x41, 1));
        assert!(identity.is_pl031());
        for (register, bit) in (0..8).flat_map(|register| (0..8).map(move |bit| (register, bit))) {
            let mut other = PL031;
            other[register] ^= 1 << bit;
            let revision = register == 2 && bit >= 4;
            assert_eq!(Identity::of(other).is_pl031(), revision, "register {register} bit {bit}");
        }
    }

    #[test]
    fn the_uart_beside_it_and_nothing_at_all_are_no_clock() {
        assert!(!Identity::of([0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1]).is_pl031());
        assert!(!Identity::of([0; 8]).is_pl031());
        assert!(!Identity::of([u32::MAX; 8]).is_pl031());
    }
}
