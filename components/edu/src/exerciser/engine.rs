//! The device's DMA engine.

use sluice_abi::Iova;
use sluice_edu::{Direction, registers};
use sluice_rt::time::Deadline;
use sluice_rt::{Registers, check};
use sluice_sys::yield_now;

use super::error::Trouble;

/// A transfer takes 100 ms; an emulator on a busy host may take its time.
const TRANSFER_MS: u64 = 10_000;

pub(super) struct Engine(Registers);

impl Engine {
    /// The engine of the device whose BAR 0 this is; the check `identity` says whether it is one.
    pub(super) fn new(bar: Registers, identity: &str) -> Self {
        let id = bar.read32(registers::ID);
        check!(identity, id & registers::ID_MASK == registers::ID_VALUE, "{id:#010x}");
        Self(bar)
    }

    /// Moves `count` bytes between memory at `at` and the start of the device's buffer; returns when it is over,
    /// whether or not the bytes arrived.
    pub(super) fn transfer(&self, direction: Direction, at: Iova, count: usize) -> Result<(), Trouble> {
        let (source, destination, way) = match direction {
            Direction::FromMemory => (at.0, registers::BUFFER, 0),
            Direction::ToMemory => (registers::BUFFER, at.0, registers::COMMAND_TO_MEMORY),
        };
        self.0.write64(registers::DMA_SOURCE, source);
        self.0.write64(registers::DMA_DESTINATION, destination);
        self.0.write64(registers::DMA_COUNT, count.min(registers::BUFFER_BYTES) as u64);
        self.0.write64(registers::DMA_COMMAND, registers::COMMAND_RUN | way);
        let deadline = Deadline::in_milliseconds(TRANSFER_MS);
        while self.0.read64(registers::DMA_COMMAND) & registers::COMMAND_RUN != 0 {
            if deadline.passed() {
                return Err(Trouble::Timeout);
            }
            yield_now();
        }
        Ok(())
    }
}
