//! Why a processor came back: what ESR_EL2 says of an exception taken to EL2 (DDI 0487, D24.2, ESR_EL2).
//!
//! The kernel reports the lower 32 bits of it. Fields that do not mean anything in a syndrome are not looked at, and every
//! value decodes to something.

mod abort;
mod injected;
mod system;

pub use abort::{Abort, Access, Direction};
pub use injected::{Exception, Interrupted, Resumed};
pub use system::{SystemAccess, SystemRegister, Trapped};

/// A general-purpose register as an instruction names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register(u8);

impl Register {
    const fn new(field: u32) -> Self {
        Self((field & 0x1f) as u8)
    }

    /// Its number, 0 to 30; none for XZR, which reads as zero and ignores writes.
    #[must_use]
    pub const fn number(self) -> Option<usize> {
        if self.0 < 31 { Some(self.0 as usize) } else { None }
    }
}

/// What WF* instruction it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// WFI: until an interrupt is there.
    ForInterrupt,
    /// WFE: until an event is there, and there may be one at any time.
    ForEvent,
    /// WFIT or WFET: either, until a time that a register holds.
    WithTimeout(Register),
}

/// Why a processor came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// It waits.
    Wait(Wait),
    /// SMC from AArch64, with the immediate. PC is that of the instruction.
    Smc(u16),
    /// HVC from AArch64, with the immediate. PC is behind the instruction.
    Hvc(u16),
    /// A register, or a system instruction.
    System(SystemAccess),
    /// Data was accessed.
    Data(Abort),
    /// An instruction was fetched from where there is none.
    Fetch,
    /// Anything else, by exception class: an instruction that this machine does not have.
    Other(u8),
}

/// ESR_EL2.EC.
mod class {
    pub(super) const WAIT: u32 = 0x01;
    pub(super) const HVC64: u32 = 0x16;
    pub(super) const SMC64: u32 = 0x17;
    pub(super) const SYSTEM: u32 = 0x18;
    pub(super) const FETCH_BELOW: u32 = 0x20;
    pub(super) const DATA_BELOW: u32 = 0x24;
}

impl Exit {
    /// Decodes ESR_EL2.
    #[must_use]
    pub const fn decode(syndrome: u32) -> Self {
        match syndrome >> 26 {
            // ISS.TI, and RN where there is a timeout.
            class::WAIT => Self::Wait(match syndrome & 3 {
                0 => Wait::ForInterrupt,
                1 => Wait::ForEvent,
                _ => Wait::WithTimeout(Register::new(syndrome >> 5)),
            }),
            class::SMC64 => Self::Smc(syndrome as u16),
            class::HVC64 => Self::Hvc(syndrome as u16),
            class::SYSTEM => Self::System(SystemAccess::decode(syndrome)),
            class::DATA_BELOW => Self::Data(Abort::decode(syndrome)),
            class::FETCH_BELOW => Self::Fetch,
            other => Self::Other(other as u8),
        }
    }

    /// How far PC has to move for the guest to go on behind the instruction: four bytes, or nothing where it is behind it
    /// already.
    #[must_use]
    pub const fn step(self) -> u64 {
        match self {
            Self::Hvc(_) => 0,
            Self::Wait(_) | Self::Smc(_) | Self::System(_) | Self::Data(_) | Self::Fetch | Self::Other(_) => 4,
        }
    }
}
