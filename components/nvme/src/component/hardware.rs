//! The driver's view of the machine, by the names of the system spec: device `X` has the DMA regions `X_queue` and
//! `X_buffer`.

use alloc::format;
use core::fmt;

use sluice_nvme::hardware::Dma;
use sluice_nvme::machine::{Bar, Counter, Line, Shared};
use sluice_nvme::stream::Buffer;
use sluice_nvme::{Controller, Error};
use sluice_rt::{Env, RtError};

use super::faults::Faults;

/// Commands in flight; the controller may take fewer.
const DEPTH: u16 = 32;

/// A disk and what belongs to it.
pub(crate) struct Disk {
    pub(crate) controller: Controller<Bar, Shared, Counter>,
    pub(crate) buffer: Shared,
    pub(crate) plan: Buffer,
    pub(crate) interrupt: Line,
    pub(crate) faults: Faults,
}

/// Why there is no disk, or why it cannot be used any more.
pub(crate) enum Problem {
    /// The spec lacks something, or the kernel refused it.
    Runtime(RtError),
    /// The controller.
    Driver(Error),
    /// The device has another number of streams than one.
    Streams(usize),
    /// The queue region has no page to spare, or is not made of 4 KiB frames.
    NoCanaryPage {
        /// Bytes with a page to spare.
        needed: u64,
        /// Bytes of the region.
        given: u64,
    },
}

impl Disk {
    pub(crate) fn open(env: &Env, name: &str) -> Result<Self, Problem> {
        let device = env.device(name).map_err(RtError::from)?;
        let region = |part: &str| device.dma(&format!("{name}_{part}"));
        let registers = Bar(device.registers(0)?);
        let controller = Controller::open(registers, Shared(region("queue")?), Counter)?;
        let buffer = Shared(region("buffer")?);
        let plan = Buffer::plan(&controller, buffer.iova(), buffer.size(), DEPTH)?;
        Ok(Self { controller, buffer, plan, interrupt: Line(device.interrupt()?), faults: Faults::of(&device)? })
    }
}

impl From<RtError> for Problem {
    fn from(error: RtError) -> Self {
        Self::Runtime(error)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime(error) => error.fmt(f),
            Self::Driver(error) => error.fmt(f),
            Self::NoCanaryPage { needed, given } => {
                write!(f, "a queue region of {given} bytes, where {needed} in frames of 4 KiB are needed")
            }
            Self::Streams(count) => write!(f, "a controller with {count} streams, where one was expected"),
        }
    }
}
