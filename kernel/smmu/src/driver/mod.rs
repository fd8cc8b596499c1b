//! One SMMU.

mod control;
mod invalidate;
mod reset;
mod streams;

use core::cell::Cell;
use core::fmt;

use sluice_abi::PhysAddr;

use crate::command_queue::CommandQueue;
use crate::event_queue::EventQueue;
use crate::regs::{GERROR, offset};
use crate::{Bus, Event, Features, GlobalErrors, Memory, Needs, Rejected, StreamTableFormat};

/// What an SMMU does with streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Nothing was written to it yet: what streams do is up to firmware.
    Untouched,
    /// Disabled: every stream aborts. Nothing is cached that a later enable would use.
    Aborting,
    /// Enabled: the stream table decides.
    Enabled,
    /// Disabled on request: every stream reaches all memory.
    Bypassed,
}

/// The driver of one SMMU. State is in cells: a kernel may hold many in an array and work with each by `&`.
#[derive(Debug)]
pub struct Smmu {
    base: PhysAddr,
    features: Features,
    needs: Needs,
    strtab: PhysAddr,
    memory: Memory,
    commands: CommandQueue,
    events: EventQueue,
    mode: Cell<Mode>,
    /// Whether the stream table holds entries and descriptors of this driver, which survive a disable.
    prepared: Cell<bool>,
    rejected: Cell<Option<Rejected>>,
}

impl Smmu {
    /// A driver for the SMMU whose registers are at `base`, in memory as `needs` (of the same features) asks.
    /// Nothing is written before [`enable`](Self::enable).
    #[must_use]
    pub fn new(base: PhysAddr, features: Features, needs: Needs, memory: Memory) -> Self {
        let coherent = features.coherent;
        Self {
            base,
            features,
            needs,
            strtab: memory.strtab,
            memory,
            commands: CommandQueue::new(base, memory.cmdq, needs.command_bits, coherent),
            events: EventQueue::new(base, memory.evtq, needs.event_bits, coherent),
            mode: Cell::new(Mode::Untouched),
            prepared: Cell::new(false),
            rejected: Cell::new(None),
        }
    }

    /// Address of the registers.
    #[must_use]
    pub const fn base(&self) -> PhysAddr {
        self.base
    }

    /// What the SMMU can do.
    #[must_use]
    pub const fn features(&self) -> &Features {
        &self.features
    }

    /// What streams do now.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode.get()
    }

    /// Streams the stream table covers; a larger StreamID aborts whatever is written.
    #[must_use]
    pub const fn streams(&self) -> u64 {
        1 << self.needs.stream_bits
    }

    /// Takes the oldest record of the event queue.
    pub fn next_event(&self, bus: &impl Bus) -> Option<Event> {
        match self.mode.get() {
            Mode::Enabled => self.events.next(bus),
            Mode::Untouched | Mode::Aborting | Mode::Bypassed => None,
        }
    }

    /// How often the event queue overflowed since the last call; each time at least one record was lost.
    pub fn take_overflows(&self) -> u64 {
        self.events.take_overflows()
    }

    /// The global errors active now, and the command stepped over that nobody took yet.
    pub fn global_errors(&self, bus: &impl Bus) -> GlobalErrors {
        let active = self.read(bus, offset::GERROR) ^ self.read(bus, offset::GERRORN);
        GlobalErrors { active, rejected: self.rejected.get() }
    }

    /// Acknowledges the global errors that were active in `seen`.
    ///
    /// Not the command queue's: acknowledging it restarts the queue, which is for whoever replaced the command.
    pub fn acknowledge(&self, bus: &impl Bus, seen: GlobalErrors) {
        let mask = seen.active & !GERROR::CMDQ.val(1).value;
        if mask != 0 {
            let acknowledged = self.read(bus, offset::GERRORN) ^ mask;
            self.write(bus, offset::GERRORN, acknowledged);
        }
    }

    /// Takes the last command that was rejected. The queue went on without it, and broader commands did its work.
    pub fn take_rejected(&self) -> Option<Rejected> {
        self.rejected.take()
    }

    fn read(&self, bus: &impl Bus, register: u64) -> u32 {
        bus.read32(self.base.offset(register))
    }

    fn write(&self, bus: &impl Bus, register: u64, value: u32) {
        bus.write32(self.base.offset(register), value);
    }

    /// Makes a range the SMMU reads visible to it.
    fn clean(&self, bus: &impl Bus, at: PhysAddr, bytes: u64) {
        if !self.features.coherent {
            bus.clean(at, bytes);
        }
    }
}

impl fmt::Display for Smmu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = match self.needs.format {
            StreamTableFormat::Linear => "linear",
            StreamTableFormat::TwoLevel => "two levels",
        };
        write!(
            f,
            "{} {}; {} streams in {format}, command queue {}, event queue {}, {} contexts",
            self.base,
            self.features,
            self.streams(),
            1u32 << self.needs.command_bits,
            1u32 << self.needs.event_bits,
            self.features.contexts(),
        )
    }
}
