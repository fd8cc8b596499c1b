//! Event records and their queue (IHI 0070, 7.2 to 7.4).

use sluice_abi::smmu::event;
use sluice_smmu::regs::{CR2, EVENTQ_INDEX, EVT0, EVT1, EVT3, GERROR, QUEUE_BASE};

use crate::Model;
use crate::access::Transaction;
use crate::descriptor::Access;
use crate::regime::Stage;
use crate::state::State;
use crate::walk::{Class, Fault};

/// A transaction and what it became by the stream's overrides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Subject {
    pub(crate) transaction: Transaction,
    pub(crate) access: Access,
}

/// What there is to record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    pub(crate) kind: u64,
    words: [u64; 4],
}

impl Report {
    /// About configuration: the stream, and where a fetch failed.
    pub(crate) fn configuration(kind: u64, transaction: &Transaction, fetch: u64) -> Self {
        Self { kind, words: [stream_word(kind, transaction), 0, 0, EVT3::FETCH.val(fetch >> EVT3::FETCH.shift).value] }
    }

    /// About a translation.
    pub(crate) fn fault(subject: &Subject, fault: &Fault) -> Self {
        let transaction = &subject.transaction;
        let bit = |set: bool| u64::from(set);
        // Structures are read as data, whatever the transaction that needs them is.
        let own = fault.class == Class::Input;
        let word1 = EVT1::PNU.val(bit(subject.access.privileged))
            + EVT1::IND.val(bit(subject.access.instruction && own))
            + EVT1::RNW.val(bit(!(transaction.write && own)))
            + EVT1::S2.val(bit(fault.stage == Stage::Two))
            + EVT1::CLASS.val(fault.class as u64);
        let word3 = match fault {
            Fault { kind: event::F_WALK_EABT, address, .. } => EVT3::FETCH.val(address >> EVT3::FETCH.shift).value,
            Fault { stage: Stage::Two, address, .. } => EVT3::IPA.val(address >> EVT3::IPA.shift).value,
            Fault { stage: Stage::One, .. } => 0,
        };
        let words = [stream_word(fault.kind, transaction), word1.value, transaction.address.0, word3];
        Self { kind: fault.kind, words }
    }

    /// The same, of a transaction that waits.
    pub(crate) fn stalled(mut self) -> Self {
        self.words[1] |= EVT1::STALL.val(1).value;
        self
    }

    pub(crate) fn words(&self, tag: u16) -> [u64; 4] {
        let [word0, word1, word2, word3] = self.words;
        [word0, word1 | EVT1::STAG.val(tag.into()).value, word2, word3]
    }
}

fn stream_word(kind: u64, transaction: &Transaction) -> u64 {
    // C_BAD_SUBSTREAMID has no SSV: the number is what it is about (7.3.9).
    let valid = transaction.ssid.is_some() && kind != event::C_BAD_SUBSTREAMID;
    (EVT0::KIND.val(kind)
        + EVT0::SSV.val(valid.into())
        + EVT0::SSID.val(transaction.ssid.unwrap_or(0).into())
        + EVT0::SID.val(transaction.sid.into()))
    .value
}

impl Model {
    /// Reports these global errors, as bits of GERROR, and goes on as if nothing had happened.
    pub fn raise(&self, errors: u32) {
        self.state.borrow_mut().registers.raise(errors);
    }

    /// Writes a record as the SMMU would, whatever it says.
    pub fn record(&self, words: [u64; 4]) {
        self.state.borrow_mut().record(words);
    }
}

impl State {
    pub(crate) fn is_recorded(&self, report: &Report) -> bool {
        report.kind != event::C_BAD_STREAMID || CR2::RECINVSID.is_set(self.registers.cr2)
    }

    pub(crate) fn report(&mut self, report: &Report, tag: u16) {
        if self.is_recorded(report) {
            self.record(report.words(tag));
        }
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
        let at = (QUEUE_BASE::ADDR.read(self.registers.eventq_base) << QUEUE_BASE::ADDR.shift) + 32 * index;
        if !self.memory.borrow().answers(at) {
            // The record is lost, and the index does not move (7.2.2).
            self.registers.raise(GERROR::EVENTQ_ABT.val(1).value);
            return;
        }
        for (word, offset) in words.into_iter().zip((0..).step_by(8)) {
            self.memory.borrow_mut().store_unnoted(at + offset, word);
        }
        let overflow = producer & EVENTQ_INDEX::OVERFLOW.val(1).value;
        self.registers.eventq_prod = (producer.wrapping_add(1) & pointer) | overflow;
    }
}
