//! The event queue (IHI 0070, 3.5 and 7.2 to 7.4).

use core::cell::Cell;

use sluice_abi::PhysAddr;

use crate::layout::EVENT_BYTES_BITS;
use crate::queue::Ring;
use crate::regs::{EVENTQ_INDEX, offset};
use crate::{Bus, Event};

/// The consumer's side.
#[derive(Debug)]
pub(crate) struct EventQueue {
    registers: PhysAddr,
    entries: PhysAddr,
    ring: Ring,
    coherent: bool,
    consumer: Cell<u32>,
    /// OVACKFLG as last written.
    acknowledged: Cell<bool>,
    losses: Cell<u64>,
}

impl EventQueue {
    pub(crate) fn new(registers: PhysAddr, entries: PhysAddr, bits: u32, coherent: bool) -> Self {
        Self {
            registers,
            entries,
            ring: Ring::new(bits),
            coherent,
            consumer: Cell::new(0),
            acknowledged: Cell::new(false),
            losses: Cell::new(0),
        }
    }

    /// Empties the queue; only while CR0.EVENTQEN is 0.
    pub(crate) fn reset(&self, bus: &impl Bus) {
        self.consumer.set(0);
        self.acknowledged.set(false);
        bus.write32(self.registers.offset(offset::EVENTQ_PROD), 0);
        bus.write32(self.registers.offset(offset::EVENTQ_CONS), 0);
    }

    /// Takes the oldest record, and acknowledges an overflow when there was one.
    pub(crate) fn next(&self, bus: &impl Bus) -> Option<Event> {
        let register = bus.read32(self.registers.offset(offset::EVENTQ_PROD));
        let overflow = EVENTQ_INDEX::OVERFLOW.is_set(register);
        let lost = overflow != self.acknowledged.get();
        if lost {
            self.acknowledged.set(overflow);
            self.count_loss();
        }
        let producer = self.ring.pointer(EVENTQ_INDEX::INDEX.read(register));
        let filled = self.ring.filled(producer, self.consumer.get());
        let event = (filled != 0).then(|| {
            // The record must not be read before the index that announces it.
            bus.barrier();
            self.take(bus)
        });
        if event.is_some() || lost {
            self.give_back(bus);
        }
        event
    }

    /// How often records were lost since the last call.
    pub(crate) fn take_losses(&self) -> u64 {
        self.losses.take()
    }

    /// At least one record was lost.
    pub(crate) fn count_loss(&self) {
        self.losses.set(self.losses.get() + 1);
    }

    /// What is left in the queue will never be taken.
    pub(crate) fn abandon(&self, bus: &impl Bus) {
        let register = bus.read32(self.registers.offset(offset::EVENTQ_PROD));
        let producer = self.ring.pointer(EVENTQ_INDEX::INDEX.read(register));
        if self.ring.filled(producer, self.consumer.get()) != 0 {
            self.count_loss();
        }
    }

    fn take(&self, bus: &impl Bus) -> Event {
        let pointer = self.consumer.get();
        let at = self.entries.offset(self.ring.entry(pointer) << EVENT_BYTES_BITS);
        if !self.coherent {
            bus.clean(at, 1 << EVENT_BYTES_BITS);
        }
        self.consumer.set(self.ring.next(pointer));
        Event::decode([0, 8, 16, 24].map(|offset| bus.load(at.offset(offset))))
    }

    /// The entry is the SMMU's again only after it was read.
    fn give_back(&self, bus: &impl Bus) {
        bus.barrier();
        let index = EVENTQ_INDEX::INDEX.val(self.consumer.get());
        let acknowledge = EVENTQ_INDEX::OVERFLOW.val(u32::from(self.acknowledged.get()));
        bus.write32(self.registers.offset(offset::EVENTQ_CONS), (index + acknowledge).value);
    }
}
