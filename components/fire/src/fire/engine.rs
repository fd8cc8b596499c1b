//! The exerciser: one late transfer at a time, 100 ms after it was ordered.

use sluice_abi::Iova;
use sluice_edu::registers;
use sluice_rt::{Interrupt, Registers, RtError};

pub(super) struct Engine {
    registers: Registers,
    interrupt: Interrupt,
}

impl Engine {
    pub(super) const fn new(registers: Registers, interrupt: Interrupt) -> Self {
        Self { registers, interrupt }
    }

    /// Orders a page to be written at `at`.
    pub(super) fn start(&self, at: Iova) {
        self.registers.write64(registers::DMA_SOURCE, registers::BUFFER);
        self.registers.write64(registers::DMA_DESTINATION, at.0);
        self.registers.write64(registers::DMA_COUNT, registers::BUFFER_BYTES as u64);
        let command = registers::COMMAND_RUN | registers::COMMAND_TO_MEMORY | registers::COMMAND_INTERRUPT;
        self.registers.write64(registers::DMA_COMMAND, command);
    }

    /// Waits for the end of the transfer, wherever its bytes went.
    pub(super) fn finish(&self) -> Result<(), RtError> {
        while self.registers.read64(registers::DMA_COMMAND) & registers::COMMAND_RUN != 0 {
            self.interrupt.wait();
            self.quiet()?;
        }
        // The end may have come between two looks, its interrupt unseen.
        self.quiet()
    }

    /// Lets a transfer's time pass. The exerciser is kept from all memory, so that nothing comes of it.
    pub(super) fn pause(&self) -> Result<(), RtError> {
        self.start(Iova(0));
        self.finish()
    }

    /// Lowers the line.
    fn quiet(&self) -> Result<(), RtError> {
        let status = self.registers.read32(registers::INTERRUPT_STATUS);
        self.registers.write32(registers::INTERRUPT_ACKNOWLEDGE, status);
        self.interrupt.ack()
    }
}
