//! What [`crate::hardware`] asks for, as a component has it.

use aarch64_cpu::asm::barrier;
use sluice_abi::Iova;
use sluice_rt::sys::yield_now;
use sluice_rt::timer::Timer;
use sluice_rt::{DmaView, time};

use crate::hardware::{Clock, Dma, Interrupt, Registers};

/// The registers.
#[derive(Clone, Copy, Debug)]
pub struct Bar(pub sluice_rt::Registers);

impl Registers for Bar {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, offset: u64) -> u32 {
        self.0.read32(offset as usize)
    }

    fn write(&self, offset: u64, value: u32) {
        self.0.write32(offset as usize, value);
    }
}

/// Memory shared with the controller.
#[derive(Clone, Debug)]
pub struct Shared(pub DmaView);

impl Dma for Shared {
    fn size(&self) -> u64 {
        self.0.memory.len() as u64
    }

    fn iova(&self) -> Iova {
        self.0.iova
    }

    fn load(&self, offset: u64) -> u64 {
        self.0.memory.read64(offset as usize)
    }

    fn store(&self, offset: u64, value: u64) {
        self.0.memory.write64(offset as usize, value);
    }

    fn publish(&self) {
        barrier::dmb(barrier::OSHST);
    }

    fn observe(&self) {
        barrier::dmb(barrier::OSHLD);
    }
}

/// The interrupt line.
#[derive(Clone, Copy, Debug)]
pub struct Line(pub sluice_rt::Interrupt);

impl Interrupt for Line {
    fn wait(&mut self) {
        self.0.wait();
    }

    fn rearm(&mut self) {
        if let Err(error) = self.0.ack() {
            // Without its interrupt the driver would wait for ever.
            panic!("{error}");
        }
    }
}

/// The interrupt line of a driver that others wait for: it looks at the controller now and then even when no interrupt comes.
#[derive(Clone, Copy, Debug)]
pub struct Patient {
    /// The line.
    pub line: Line,
    /// Where alarms come from. Without it the driver polls.
    pub timer: Option<Timer>,
}

/// Milliseconds after which a driver that waits looks at its controller.
const LOOK_MS: u64 = 500;

impl Interrupt for Patient {
    fn wait(&mut self) {
        let Some(timer) = self.timer else { return yield_now() };
        let line = self.line.0.signal();
        if line.poll() {
            return;
        }
        if let Err(error) = timer.alarm_at(time::ticks().saturating_add(time::ticks_per_second() * LOOK_MS / 1000)) {
            // Without alarms it might wait for ever.
            panic!("{error}");
        }
        line.or(timer.signal()).wait();
    }

    fn rearm(&mut self) {
        self.line.rearm();
    }
}

/// The counter that every component may read.
#[derive(Clone, Copy, Debug)]
pub struct Counter;

impl Clock for Counter {
    fn now_ms(&self) -> u64 {
        // A frequency of 0 means that firmware set none; waits then end early, but they end.
        (u128::from(time::ticks()) * 1000 / u128::from(time::ticks_per_second().max(1))) as u64
    }

    fn relax(&self) {
        yield_now();
    }
}
