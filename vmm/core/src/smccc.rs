//! Calls of the guest to its firmware by SMC (Arm DEN 0028): the Arm architecture's own services here, the power
//! controller's in [`psci`](crate::psci). Others are not there.
//!
//! Of the workarounds for flaws of processors, none is offered: the VMM cannot do what they are to do, so a guest learns
//! that its firmware does not.

use crate::processor::Processor;
use crate::psci::Psci;

/// What is to come of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The caller goes on with this in x0.
    Return(u64),
    /// Another processor is to start: at `entry` in EL1 with the MMU off and everything masked, with `context` in x0. The
    /// caller goes on with [`SUCCESS`] in x0. When it runs, [`Psci::started`] is to be told; when it cannot,
    /// [`Psci::not_started`], and the caller goes on with what that returns.
    Start {
        /// Which.
        processor: Processor,
        /// Its PC.
        entry: u64,
        /// Its x0.
        context: u64,
    },
    /// The caller stops until another starts it.
    Stop,
    /// The caller waits as in WFI, then goes on with [`SUCCESS`] in x0.
    Suspend,
    /// The machine is switched off.
    Off,
    /// The machine starts again.
    Reset,
}

/// x0 of a call that succeeded.
pub const SUCCESS: u64 = 0;
/// x0 of a call that is not there: sign-extended, which is right for calls of either width.
pub const NOT_SUPPORTED: u64 = -1i64 as u64;

/// A function identifier (DEN 0028, 2.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Function(pub(crate) u32);

impl Function {
    const FAST: u32 = 1 << 31;
    const SIXTY_FOUR: u32 = 1 << 30;
    const STANDARD_SECURE: u32 = 4;
    /// PSCI has the first 32 numbers of the standard secure services, in either width (DEN 0022, 5.1).
    const PSCI_LAST: u32 = 0x1f;

    /// From w0 of a call; its upper half is not looked at.
    #[must_use]
    pub const fn new(x0: u64) -> Self {
        Self(x0 as u32)
    }

    /// The number, if it is one of PSCI's.
    pub(crate) const fn of_psci(self) -> Option<u32> {
        let number = self.0 & 0xffff;
        if self.0 & !Self::SIXTY_FOUR == Self::FAST | Self::STANDARD_SECURE << 24 | number && number <= Self::PSCI_LAST
        {
            Some(number)
        } else {
            None
        }
    }

    /// Whether arguments and results are of 64 bits.
    pub(crate) const fn is_64(self) -> bool {
        self.0 & Self::SIXTY_FOUR != 0
    }
}

/// SMCCC_VERSION.
pub(crate) const VERSION: Function = Function(0x8000_0000);
/// SMCCC_ARCH_FEATURES.
const ARCH_FEATURES: Function = Function(0x8000_0001);
/// 1.1.
const VERSION_VALUE: u64 = 0x1_0001;

/// Handles a call of `caller`: the function is w0, the arguments x1 to x3.
pub fn call(psci: &mut Psci, caller: Processor, function: u64, arguments: [u64; 3]) -> Outcome {
    let function = Function::new(function);
    match function {
        VERSION => Outcome::Return(VERSION_VALUE),
        ARCH_FEATURES => Outcome::Return(match Function::new(arguments[0]) {
            VERSION | ARCH_FEATURES => SUCCESS,
            _ => NOT_SUPPORTED,
        }),
        _ => psci.call(caller, function, arguments),
    }
}
