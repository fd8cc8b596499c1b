//! The command queue (IHI 0070, 3.5 and 7.1).

use core::cell::Cell;
use core::fmt;

use sluice_abi::PhysAddr;
use tock_registers::LocalRegisterCopy;

use crate::layout::COMMAND_BYTES_BITS;
use crate::queue::Ring;
use crate::regs::{CMDQ_CONS, GERROR, offset};
use crate::{Bus, Command, CommandError};

/// Reads of a register before it counts as stuck. A register read takes tens of nanoseconds at the least.
pub(crate) const MAX_POLLS: u32 = 1 << 20;

/// A command the SMMU rejected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rejected {
    /// Why.
    pub error: CommandError,
    /// Entry of the queue.
    pub index: u32,
    /// The command.
    pub words: [u64; 2],
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = self.words;
        write!(f, "command {low:#x} {high:#x} rejected (error {})", self.error.field())
    }
}

/// Why commands are not consumed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// The consumer index does not move.
    Timeout,
    /// The command at the consumer index is rejected, and the queue waits for it to be replaced.
    Rejected(Rejected),
}

/// What a queue has been given since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Issued {
    /// Commands, CMD_SYNC included.
    pub commands: u64,
    /// CMD_SYNCs.
    pub syncs: u64,
}

/// The producer's side.
#[derive(Debug)]
pub(crate) struct CommandQueue {
    registers: PhysAddr,
    entries: PhysAddr,
    ring: Ring,
    coherent: bool,
    producer: Cell<u32>,
    issued: Cell<Issued>,
}

impl CommandQueue {
    pub(crate) fn new(registers: PhysAddr, entries: PhysAddr, bits: u32, coherent: bool) -> Self {
        Self { registers, entries, ring: Ring::new(bits), coherent, producer: Cell::new(0), issued: Cell::default() }
    }

    /// Empties the queue; only while CR0.CMDQEN is 0.
    pub(crate) fn reset(&self, bus: &impl Bus) {
        self.producer.set(0);
        bus.write32(self.registers.offset(offset::CMDQ_PROD), 0);
        bus.write32(self.registers.offset(offset::CMDQ_CONS), 0);
    }

    /// Waits until an entry is free.
    pub(crate) fn make_room(&self, bus: &impl Bus) -> Result<(), Stop> {
        if self.ring.is_full(self.producer.get(), self.consumer(bus)) {
            self.publish(bus);
            self.wait(bus, |ring, producer, consumer| !ring.is_full(producer, consumer))?;
        }
        Ok(())
    }

    /// Puts a command into a free entry; the SMMU sees it with [`publish`](Self::publish).
    pub(crate) fn push(&self, bus: &impl Bus, command: Command) {
        let producer = self.producer.get();
        self.store(bus, producer, command.words());
        self.producer.set(self.ring.next(producer));
        let Issued { commands, syncs } = self.issued.get();
        self.issued.set(Issued { commands: commands + 1, syncs: syncs + u64::from(command == Command::Sync) });
    }

    /// What has been pushed so far.
    pub(crate) fn issued(&self) -> Issued {
        self.issued.get()
    }

    /// Hands everything pushed to the SMMU and waits until it is consumed.
    ///
    /// Completion of what was consumed is promised only when the last command is a SYNC.
    pub(crate) fn drain(&self, bus: &impl Bus) -> Result<(), Stop> {
        self.publish(bus);
        self.wait(bus, |ring, producer, consumer| ring.filled(producer, consumer) == 0)
    }

    /// Replaces the rejected command by a SYNC and lets the queue continue (7.1). A SYNC in its place keeps the order
    /// of what surrounds it and cannot itself be illegal.
    pub(crate) fn step_over(&self, bus: &impl Bus, rejected: Rejected) {
        self.store(bus, rejected.index, Command::Sync.words());
        bus.barrier();
        let acknowledged = bus.read32(self.registers.offset(offset::GERRORN)) ^ GERROR::CMDQ.val(1).value;
        bus.write32(self.registers.offset(offset::GERRORN), acknowledged);
    }

    fn publish(&self, bus: &impl Bus) {
        bus.barrier();
        bus.write32(self.registers.offset(offset::CMDQ_PROD), self.producer.get());
    }

    fn wait(&self, bus: &impl Bus, done: impl Fn(Ring, u32, u32) -> bool) -> Result<(), Stop> {
        for _ in 0..MAX_POLLS {
            if done(self.ring, self.producer.get(), self.consumer(bus)) {
                return Ok(());
            }
            if let Some(rejected) = self.rejected(bus) {
                return Err(Stop::Rejected(rejected));
            }
            core::hint::spin_loop();
        }
        Err(Stop::Timeout)
    }

    /// CMDQ_CONS.ERR keeps its last value, so it is believed only while GERROR.CMDQ is active.
    fn rejected(&self, bus: &impl Bus) -> Option<Rejected> {
        let gerror = bus.read32(self.registers.offset(offset::GERROR));
        let gerrorn = bus.read32(self.registers.offset(offset::GERRORN));
        if !GERROR::CMDQ.is_set(gerror ^ gerrorn) {
            return None;
        }
        let consumer =
            LocalRegisterCopy::<u32, CMDQ_CONS::Register>::new(bus.read32(self.registers.offset(offset::CMDQ_CONS)));
        let index = self.ring.entry(consumer.read(CMDQ_CONS::RD)) as u32;
        let at = self.address(index);
        Some(Rejected {
            error: CommandError::from_field(consumer.read(CMDQ_CONS::ERR)),
            index,
            words: [bus.load(at), bus.load(at.offset(8))],
        })
    }

    fn consumer(&self, bus: &impl Bus) -> u32 {
        self.ring.pointer(CMDQ_CONS::RD.read(bus.read32(self.registers.offset(offset::CMDQ_CONS))))
    }

    fn store(&self, bus: &impl Bus, pointer: u32, [low, high]: [u64; 2]) {
        let at = self.address(pointer);
        bus.store(at, low);
        bus.store(at.offset(8), high);
        if !self.coherent {
            bus.clean(at, 1 << COMMAND_BYTES_BITS);
        }
    }

    fn address(&self, pointer: u32) -> PhysAddr {
        self.entries.offset(self.ring.entry(pointer) << COMMAND_BYTES_BITS)
    }
}
