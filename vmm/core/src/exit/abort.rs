//! Data aborts (DDI 0487, D24.2, ESR_EL2, "ISS encoding for an exception from a Data Abort").

use super::Register;
use crate::mmio::Width;

/// ISS fields.
mod iss {
    pub(super) const VALID: u32 = 1 << 24;
    pub(super) const WIDTH: u32 = 22;
    pub(super) const SIGNED: u32 = 1 << 21;
    pub(super) const REGISTER: u32 = 16;
    pub(super) const SIXTY_FOUR: u32 = 1 << 15;
    pub(super) const NO_ADDRESS: u32 = 1 << 10;
    pub(super) const CACHE_MAINTENANCE: u32 = 1 << 8;
    pub(super) const STAGE1_WALK: u32 = 1 << 7;
    pub(super) const WRITE: u32 = 1 << 6;
    pub(super) const STATUS: u32 = 0x3f;
}

/// ESR_EL2.IL: the instruction is four bytes long.
const LONG_INSTRUCTION: u32 = 1 << 25;

/// Which way data goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// To the processor.
    Read,
    /// From the processor.
    Write,
}

/// A load or store of one general-purpose register, which can be emulated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Which way.
    pub direction: Direction,
    /// How much of memory.
    pub width: Width,
    /// The register that is loaded or stored.
    pub register: Register,
    signed: bool,
    sixty_four: bool,
}

impl Access {
    /// What a load leaves in its register when memory holds `value`: extended by zeros or the sign, to 32 or 64 bits, with
    /// the upper half of the register zero in the former case.
    #[must_use]
    pub const fn loaded(self, value: u64) -> u64 {
        let unused = 64 - 8 * self.width.bytes() as u32;
        let extended =
            if self.signed { ((value << unused) as i64 >> unused) as u64 } else { value & self.width.mask() };
        if self.sixty_four { extended } else { extended & Width::Word.mask() }
    }

    /// What a store moves when its register holds `value`.
    #[must_use]
    pub const fn stored(self, value: u64) -> u64 {
        value & self.width.mask()
    }
}

/// What a data abort was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Abort {
    /// Stage 2 does not allow an access that is to be emulated.
    Emulate(Access),
    /// Stage 2 does not allow cache maintenance by address. There is no cache of what is emulated.
    CacheMaintenance,
    /// Stage 2 does not allow an access of which the syndrome does not say what it would have done: of several registers,
    /// of a vector register, with write-back, or an atomic one. It cannot be emulated.
    Undescribed(Direction),
    /// Stage 2 does not allow the guest's own table walk: its tables are not in its memory.
    TableWalk,
    /// Nothing that stage 2 decides: an external abort, for one.
    Other,
}

impl Abort {
    pub(super) const fn decode(syndrome: u32) -> Self {
        if !is_of_stage2(syndrome & iss::STATUS) {
            return Self::Other;
        }
        if syndrome & iss::STAGE1_WALK != 0 {
            return Self::TableWalk;
        }
        if syndrome & iss::CACHE_MAINTENANCE != 0 {
            return Self::CacheMaintenance;
        }
        let direction = if syndrome & iss::WRITE != 0 { Direction::Write } else { Direction::Read };
        // FnV is for external aborts; should the address be missing all the same, there is nothing to emulate. A short
        // instruction is one of AArch32's.
        if syndrome & iss::VALID == 0 || syndrome & iss::NO_ADDRESS != 0 || syndrome & LONG_INSTRUCTION == 0 {
            return Self::Undescribed(direction);
        }
        Self::Emulate(Access {
            direction,
            width: match syndrome >> iss::WIDTH & 3 {
                0 => Width::Byte,
                1 => Width::Half,
                2 => Width::Word,
                _ => Width::Double,
            },
            register: Register::new(syndrome >> iss::REGISTER),
            signed: syndrome & iss::SIGNED != 0,
            sixty_four: syndrome & iss::SIXTY_FOUR != 0,
        })
    }
}

/// DFSC of faults that stage 2 has: of address size, translation, access flag or permission, at any level.
const fn is_of_stage2(status: u32) -> bool {
    status < 0x10
}
