//! One SMMU.

mod control;
mod errors;
mod invalidate;
mod look;
mod reset;
mod streams;

use core::cell::Cell;
use core::fmt;

use sluice_abi::PhysAddr;

use crate::command_queue::CommandQueue;
use crate::event_queue::EventQueue;
pub use look::{Entry, Ruling, StreamTable};

use crate::{Bus, Event, Features, Issued, Memory, Needs, Rejected, StreamTableFormat};

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
    /// Global errors acknowledged at the SMMU that nobody has been told of.
    latched: Cell<u32>,
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
            latched: Cell::new(0),
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

    /// How many commands the SMMU has been given.
    #[must_use]
    pub fn issued(&self) -> Issued {
        self.commands.issued()
    }

    /// Takes the oldest record of the event queue.
    pub fn next_event(&self, bus: &impl Bus) -> Option<Event> {
        match self.mode.get() {
            Mode::Enabled => self.events.next(bus),
            Mode::Untouched | Mode::Aborting | Mode::Bypassed => None,
        }
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
