//! How often the guest came back, and why.

use core::fmt;

use sluice_vmm::exit::Exit;

/// A reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    /// An emulated register.
    Register,
    /// A call to firmware.
    Call,
    /// WFI.
    Wait,
    /// A system register: an interrupt between processors, mostly.
    System,
    /// An interrupt has ended.
    Ended,
    /// The virtual timer fired.
    Timer,
    /// Anything else.
    Other,
}

impl Reason {
    /// What an exit counts as.
    pub(crate) const fn of(exit: Exit) -> Self {
        match exit {
            Exit::Wait(_) => Self::Wait,
            Exit::Smc(_) | Exit::Hvc(_) => Self::Call,
            Exit::System(_) => Self::System,
            Exit::Data(_) => Self::Register,
            Exit::Fetch | Exit::Other(_) => Self::Other,
        }
    }
}

const NAMES: [&str; 7] = ["register", "call", "wait", "system", "ended", "timer", "other"];

/// A counter for each reason.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Exits([u64; NAMES.len()]);

impl Exits {
    pub(crate) fn count(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }
}

impl fmt::Display for Exits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} exits:", self.0.iter().sum::<u64>())?;
        NAMES.iter().zip(self.0).try_for_each(|(name, count)| write!(f, " {name} {count}"))
    }
}
