//! PSCI 1.1 (Arm DEN 0022): processors on and off, and the machine.

use crate::layout::{MAX_PROCESSORS, Range};
use crate::processor::Processor;
use crate::smccc::{self, Function, NOT_SUPPORTED, Outcome, SUCCESS};

/// What a call failed for (DEN 0022, 5.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Error {
    InvalidParameters = -2,
    AlreadyOn = -4,
    OnPending = -5,
    InternalFailure = -6,
    InvalidAddress = -9,
}

impl Error {
    /// In x0, sign-extended: callers of 32-bit functions look at the lower half.
    const fn word(self) -> u64 {
        self as i64 as u64
    }
}

/// Functions by number. Those that are not here are not there: of trusted systems that migrate, statistics, suspend to
/// RAM and memory protection.
mod number {
    pub(super) const VERSION: u32 = 0;
    pub(super) const CPU_SUSPEND: u32 = 1;
    pub(super) const CPU_OFF: u32 = 2;
    pub(super) const CPU_ON: u32 = 3;
    pub(super) const AFFINITY_INFO: u32 = 4;
    pub(super) const MIGRATE_INFO_TYPE: u32 = 6;
    pub(super) const SYSTEM_OFF: u32 = 8;
    pub(super) const SYSTEM_RESET: u32 = 9;
    pub(super) const FEATURES: u32 = 0xa;
    pub(super) const SYSTEM_RESET2: u32 = 0x12;
}

/// 1.1.
const VERSION_VALUE: u64 = 0x1_0001;
/// MIGRATE_INFO_TYPE: there is no trusted system, or it need not migrate.
const NOTHING_MIGRATES: u64 = 2;
/// `power_state` bits that are zero in its original format (DEN 0022, 5.4.2.1).
const POWER_STATE_ZERO: u64 = 0xfcfe_0000;
/// `power_state`.StateType: the processor may lose its state.
const POWER_DOWN: u64 = 1 << 16;

/// A processor. The numbers are those of AFFINITY_INFO.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It runs, or waits.
    On = 0,
    /// It has not been started, or has stopped.
    Off = 1,
    /// Somebody asked for it to be started, and it does not run yet.
    Starting = 2,
}

/// Which processors are on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Psci {
    processors: usize,
    ram: Range,
    states: [State; MAX_PROCESSORS],
}

impl Psci {
    /// The first of so many processors is on. Entry points have to be in `ram`.
    #[must_use]
    pub const fn new(processors: usize, ram: Range) -> Self {
        let mut states = [State::Off; MAX_PROCESSORS];
        states[Processor::FIRST.index()] = State::On;
        Self { processors: if processors < MAX_PROCESSORS { processors } else { MAX_PROCESSORS }, ram, states }
    }

    /// Back to what [`Psci::new`] made.
    pub fn reset(&mut self) {
        *self = Self::new(self.processors, self.ram);
    }

    /// How a processor is; one that is not there is off.
    #[must_use]
    pub const fn state(&self, processor: Processor) -> State {
        self.states[processor.index()]
    }

    /// Whether all are off: then nobody can start another, and the guest is over.
    #[must_use]
    pub fn all_off(&self) -> bool {
        self.states.iter().all(|state| *state == State::Off)
    }

    /// A processor that was to be started runs.
    pub fn started(&mut self, processor: Processor) {
        self.after_starting(processor, State::On);
    }

    /// A processor that was to be started could not be; what the caller is told.
    #[must_use]
    pub fn not_started(&mut self, processor: Processor) -> u64 {
        self.after_starting(processor, State::Off);
        Error::InternalFailure.word()
    }

    fn after_starting(&mut self, processor: Processor, state: State) {
        if self.state(processor) == State::Starting {
            self.states[processor.index()] = state;
        }
    }

    pub(crate) fn call(&mut self, caller: Processor, function: Function, arguments: [u64; 3]) -> Outcome {
        let Some(number) = function.of_psci().filter(|_| offered(function)) else {
            return Outcome::Return(NOT_SUPPORTED);
        };
        let arguments = if function.is_64() { arguments } else { arguments.map(|argument| argument & 0xffff_ffff) };
        match number {
            number::VERSION => Outcome::Return(VERSION_VALUE),
            number::CPU_SUSPEND => self.suspend(arguments),
            number::CPU_OFF => {
                self.states[caller.index()] = State::Off;
                Outcome::Stop
            }
            number::CPU_ON => self.start(arguments),
            number::AFFINITY_INFO => Outcome::Return(self.affinity_info(arguments)),
            number::MIGRATE_INFO_TYPE => Outcome::Return(NOTHING_MIGRATES),
            number::SYSTEM_OFF => Outcome::Off,
            number::SYSTEM_RESET => Outcome::Reset,
            number::FEATURES => Outcome::Return(features(Function::new(arguments[0]))),
            number::SYSTEM_RESET2 => match arguments[0] as u32 {
                // SYSTEM_WARM_RESET.
                0 => Outcome::Reset,
                _ => Outcome::Return(Error::InvalidParameters.word()),
            },
            _ => Outcome::Return(NOT_SUPPORTED),
        }
    }

    /// The processor with this affinity, in the layout of MPIDR_EL1, if the guest has it.
    fn named(&self, affinity: u64) -> Option<Processor> {
        Processor::from_affinity(affinity).filter(|processor| processor.index() < self.processors)
    }

    fn is_entry(&self, address: u64) -> bool {
        address.is_multiple_of(4) && self.ram.offset_of(address).is_some()
    }

    fn start(&mut self, [target, entry, context]: [u64; 3]) -> Outcome {
        let Some(processor) = self.named(target) else { return Outcome::Return(Error::InvalidParameters.word()) };
        match self.state(processor) {
            State::On => Outcome::Return(Error::AlreadyOn.word()),
            State::Starting => Outcome::Return(Error::OnPending.word()),
            State::Off if !self.is_entry(entry) => Outcome::Return(Error::InvalidAddress.word()),
            State::Off => {
                self.states[processor.index()] = State::Starting;
                Outcome::Start { processor, entry, context }
            }
        }
    }

    /// A power-down state may be entered as a standby state (DEN 0022, 5.4.5): the caller goes on behind its call.
    fn suspend(&self, [power_state, entry, _]: [u64; 3]) -> Outcome {
        // Of 32 bits in either width.
        if power_state & POWER_STATE_ZERO != 0 {
            Outcome::Return(Error::InvalidParameters.word())
        } else if power_state & POWER_DOWN != 0 && !self.is_entry(entry) {
            Outcome::Return(Error::InvalidAddress.word())
        } else {
            Outcome::Suspend
        }
    }

    /// Levels above 0 are not offered, as PSCI 1.0 has it.
    fn affinity_info(&self, [target, level, _]: [u64; 3]) -> u64 {
        match self.named(target) {
            Some(processor) if level == 0 => self.state(processor) as u64,
            Some(_) | None => Error::InvalidParameters.word(),
        }
    }
}

/// Whether there is a function, in this width: those without addresses exist in the narrow one only (DEN 0022, 5.1).
const fn offered(function: Function) -> bool {
    match function.of_psci() {
        Some(number::CPU_SUSPEND | number::CPU_ON | number::AFFINITY_INFO | number::SYSTEM_RESET2) => true,
        Some(
            number::VERSION
            | number::CPU_OFF
            | number::MIGRATE_INFO_TYPE
            | number::SYSTEM_OFF
            | number::SYSTEM_RESET
            | number::FEATURES,
        ) => !function.is_64(),
        Some(_) | None => false,
    }
}

/// PSCI_FEATURES: zero of what is there, of CPU_SUSPEND too: original format, no coordination by the guest.
fn features(function: Function) -> u64 {
    if function == smccc::VERSION || offered(function) { SUCCESS } else { NOT_SUPPORTED }
}
