//! The event queue's producer.

use sluice_abi::smmu::event;
use sluice_smmu::regs::{CR2, EVENTQ_INDEX, EVT0, EVT1, QUEUE_BASE};

use crate::state::State;
use crate::{Abort, Model};

const CLASS_INPUT: u64 = 2;

pub(crate) struct Report {
    pub(crate) kind: u64,
    pub(crate) sid: u32,
    pub(crate) iova: u64,
    pub(crate) write: bool,
    pub(crate) stage2: bool,
}

impl Model {
    /// Writes a record as the SMMU would, whatever it says.
    pub fn record(&self, words: [u64; 4]) {
        self.state.borrow_mut().record(words);
    }
}

impl State {
    pub(crate) fn report(&mut self, report: Report) -> Abort {
        if report.kind != event::C_BAD_STREAMID || CR2::RECINVSID.is_set(self.registers.cr2) {
            let word0 = EVT0::KIND.val(report.kind) + EVT0::SID.val(u64::from(report.sid));
            let (word1, ipa) = if report.stage2 {
                let bits = EVT1::RNW.val(u64::from(!report.write)) + EVT1::S2.val(1) + EVT1::CLASS.val(CLASS_INPUT);
                (bits.value, report.iova & !0xfff)
            } else {
                (0, 0)
            };
            let address = if report.stage2 { report.iova } else { 0 };
            self.record([word0.value, word1, address, ipa]);
        }
        Abort::Event(report.kind)
    }

    fn record(&mut self, words: [u64; 4]) {
        if !self.registers.events_run() {
            return;
        }
        let bits = QUEUE_BASE::LOG2SIZE.read(self.registers.eventq_base) as u32;
        let pointer = (2u32 << bits) - 1;
        let (producer, consumer) = (self.registers.eventq_prod, self.registers.eventq_cons);
        if producer.wrapping_sub(consumer) & pointer == 1 << bits {
            // Toggled once until acknowledged (7.4).
            if EVENTQ_INDEX::OVERFLOW.is_set(producer) == EVENTQ_INDEX::OVERFLOW.is_set(consumer) {
                self.registers.eventq_prod ^= EVENTQ_INDEX::OVERFLOW.val(1).value;
            }
            return;
        }
        let index = u64::from(producer & ((1 << bits) - 1));
        let at = (QUEUE_BASE::ADDR.read(self.registers.eventq_base) << 5) + 32 * index;
        for (word, offset) in words.into_iter().zip((0..).step_by(8)) {
            self.memory.insert(at + offset, word);
        }
        let overflow = producer & EVENTQ_INDEX::OVERFLOW.val(1).value;
        self.registers.eventq_prod = (producer.wrapping_add(1) & pointer) | overflow;
    }
}
