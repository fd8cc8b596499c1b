//! The event queue (IHI 0070, 7.2 and 7.4).

use super::Smmu;
use super::event::Words;
use super::features::EVENT_QUEUE_BITS;
use super::queue::Queue;
use super::regs::{CR0, EVENTQ_INDEX, GERROR, IRQ_CTRL, offset};
use crate::memory::GuestMemory;

/// log2 of the bytes of a record.
const RECORD_BITS: u32 = 5;

impl Smmu {
    /// Writes a record to the guest's queue; whether it is there.
    pub(super) fn record(&mut self, record: Words, memory: &mut impl GuestMemory) -> bool {
        if !self.is_enabled(CR0::EVENTQEN) {
            return false;
        }
        let queue = Queue::new(self.pages.get_double(offset::EVENTQ_BASE), EVENT_QUEUE_BITS, RECORD_BITS);
        let (prod, cons) = (self.pages.get(offset::EVENTQ_PROD), self.pages.get(offset::EVENTQ_CONS));
        let index = EVENTQ_INDEX::INDEX.read(prod);
        if queue.waiting(index, EVENTQ_INDEX::INDEX.read(cons)) >= queue.entries() {
            // Lost, which is told by a bit that stays as it is until the guest knows (7.4).
            let known = EVENTQ_INDEX::OVERFLOW.read(prod) == EVENTQ_INDEX::OVERFLOW.read(cons);
            let toggled = if known { EVENTQ_INDEX::OVERFLOW::SET.value } else { 0 };
            self.pages.set(offset::EVENTQ_PROD, prod ^ toggled);
            return false;
        }
        let mut bytes = [0; 1 << RECORD_BITS];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(record) {
            *bytes = word.to_le_bytes();
        }
        if memory.write(queue.entry(index), &bytes).is_err() {
            self.raise(GERROR::EVENTQ_ABT);
            return false;
        }
        self.pages.set(offset::EVENTQ_PROD, EVENTQ_INDEX::INDEX.val(queue.after(index)).modify(prod));
        self.signals.events |= IRQ_CTRL::EVENTQ.is_set(self.pages.get(offset::IRQ_CTRL));
        true
    }
}
