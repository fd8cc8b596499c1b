//! Writes to registers (IHI 0070, 6.3).

use tock_registers::fields::Field;

use super::Smmu;
use super::backend::Backend;
use super::regs::{
    CMDQ_INDEX, CR0, CR1, CR2, EVENTQ_INDEX, GBPA, GERROR, IRQ_CTRL, QUEUE_BASE, STRTAB_BASE, STRTAB_BASE_CFG, offset,
};

/// The word of the command queue's indices that a guest may write: index and error.
const COMMAND_INDEX: u32 = bits(&[CMDQ_INDEX::INDEX, CMDQ_INDEX::ERR]);
const EVENT_INDEX: u32 = bits(&[EVENTQ_INDEX::INDEX, EVENTQ_INDEX::OVERFLOW]);
const ENABLES: u32 = bits(&[CR0::SMMUEN, CR0::EVENTQEN, CR0::CMDQEN]);

/// Bits of some fields in their register.
const fn bits<R: tock_registers::RegisterLongName>(fields: &[Field<u32, R>]) -> u32 {
    let (mut all, mut index) = (0, 0);
    while index < fields.len() {
        all |= fields[index].mask << fields[index].shift;
        index += 1;
    }
    all
}

impl Smmu {
    /// A write of one aligned word.
    pub(super) fn write_word(&mut self, at: u64, value: u32, world: &mut impl Backend) {
        let before = self.pages.get(at);
        let writable = self.writable(at, value);
        self.pages.set(at, before & !writable | value & writable);
        let changed = (before ^ value) & writable;
        match at {
            offset::CR0 => {
                self.pages.set(offset::CR0ACK, self.pages.get(offset::CR0));
                if CR0::SMMUEN.is_set(changed) {
                    self.reconfigure_all(world);
                }
                self.consume(world);
            }
            offset::GBPA if changed != 0 && !self.is_enabled(CR0::SMMUEN) => self.reconfigure_all(world),
            offset::IRQ_CTRL => self.pages.set(offset::IRQ_CTRLACK, self.pages.get(offset::IRQ_CTRL)),
            // With its error acknowledged the command queue goes on (7.1).
            offset::GERRORN | offset::CMDQ_PROD => self.consume(world),
            _ => {}
        }
    }

    /// Bits that a write of `value` to the word at `at` may change now. Tables and queues stay where they are while
    /// they are in use.
    fn writable(&self, at: u64, value: u32) -> u32 {
        let unless = |enabled: bool, bits: u32| if enabled { 0 } else { bits };
        let translating = self.is_enabled(CR0::SMMUEN);
        let commands = self.is_enabled(CR0::CMDQEN);
        let events = self.is_enabled(CR0::EVENTQEN);
        let low = |mask: u64| mask as u32;
        let high = |mask: u64| (mask >> 32) as u32;
        match at {
            offset::CR0 => ENABLES,
            offset::CR1 => unless(translating, bits(&[CR1::TABLE])) | unless(commands || events, bits(&[CR1::QUEUE])),
            offset::CR2 => unless(translating, bits(&[CR2::RECINVSID, CR2::PTM])),
            offset::GBPA if GBPA::UPDATE.is_set(value) => bits(&[GBPA::ABORT]),
            offset::IRQ_CTRL => bits(&[IRQ_CTRL::GERROR, IRQ_CTRL::EVENTQ]),
            // An error that is not active cannot be acknowledged.
            offset::GERRORN => self.active_errors(),
            offset::STRTAB_BASE => unless(translating, low(self.table_base())),
            offset::STRTAB_BASE_HIGH => unless(translating, high(self.table_base())),
            offset::STRTAB_BASE_CFG => {
                unless(translating, bits(&[STRTAB_BASE_CFG::LOG2SIZE, STRTAB_BASE_CFG::SPLIT, STRTAB_BASE_CFG::FMT]))
            }
            offset::CMDQ_BASE => unless(commands, low(self.queue_base())),
            offset::CMDQ_BASE_HIGH => unless(commands, high(self.queue_base())),
            offset::CMDQ_PROD => bits(&[CMDQ_INDEX::INDEX]),
            offset::CMDQ_CONS => unless(commands, COMMAND_INDEX),
            offset::EVENTQ_BASE => unless(events, low(self.queue_base())),
            offset::EVENTQ_BASE_HIGH => unless(events, high(self.queue_base())),
            offset::EVENTQ_PROD => unless(events, EVENT_INDEX),
            offset::EVENTQ_CONS => EVENT_INDEX,
            _ => 0,
        }
    }

    /// Bits of STRTAB_BASE: of the address, those that can be put out.
    fn table_base(&self) -> u64 {
        let address = STRTAB_BASE::ADDR.mask << STRTAB_BASE::ADDR.shift;
        address & (self.features.output_end() - 1) | STRTAB_BASE::ALLOCATE::SET.value
    }

    /// Bits of the base of a queue.
    fn queue_base(&self) -> u64 {
        let address = QUEUE_BASE::ADDR.mask << QUEUE_BASE::ADDR.shift;
        address & (self.features.output_end() - 1) | QUEUE_BASE::ALLOCATE::SET.value | QUEUE_BASE::LOG2SIZE.mask
    }

    /// Whether a bit of CR0 is set.
    pub(super) fn is_enabled(&self, enable: Field<u32, CR0::Register>) -> bool {
        enable.is_set(self.pages.get(offset::CR0))
    }

    /// Global errors that the guest has not acknowledged.
    pub(super) fn active_errors(&self) -> u32 {
        self.pages.get(offset::GERROR) ^ self.pages.get(offset::GERRORN)
    }

    /// Makes a global error active.
    pub(super) fn raise(&mut self, error: Field<u32, GERROR::Register>) {
        let bit = error.mask << error.shift;
        if self.active_errors() & bit == 0 {
            self.pages.set(offset::GERROR, self.pages.get(offset::GERROR) ^ bit);
            self.signals.errors |= IRQ_CTRL::GERROR.is_set(self.pages.get(offset::IRQ_CTRL));
        }
    }
}
