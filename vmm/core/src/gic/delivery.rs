//! What goes into list registers, and what comes back.
//!
//! The VMM cannot read a list register. It knows what it injected, and learns when that has ended; between the two, the
//! interrupt may be pending or active there. So an interrupt that becomes pending again while it is listed comes once
//! more after its end, and what the guest disables or routes elsewhere while it is listed is still signalled once.

use super::bank::PRIORITY_STEP;
use super::{FIRST_SHARED, Gic};
use crate::processor::Processor;

/// Most list registers of a processor (IHI 0069, 12.4.8).
pub(super) const MAX_LIST_REGISTERS: usize = 16;

/// What to give to `VCPU_InjectIRQ`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Injection {
    /// Number of the list register.
    pub list_register: u8,
    /// INTID.
    pub intid: u16,
    /// Priority, below 32.
    pub priority: u8,
    /// Group, 0 or 1.
    pub group: u8,
}

/// What a list register holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ListRegister {
    Free,
    Holds {
        intid: u32,
        priority: u8,
        /// It was pending for more than its line.
        latched: bool,
    },
    /// Something that the guest took and has not ended.
    Forgotten,
    /// Kept for an interrupt that the kernel forwards.
    Kept,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ListRegisters(pub(super) [ListRegister; MAX_LIST_REGISTERS]);

impl ListRegisters {
    pub(super) const fn new() -> Self {
        Self([ListRegister::Free; MAX_LIST_REGISTERS])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = ListRegister> {
        self.0.into_iter()
    }

    /// A register for an interrupt of this priority. The last free one of several is kept for what is more urgent than
    /// everything listed: a guest that masks by priority may be waiting for it.
    fn free_for(&self, priority: u8, count: usize) -> Option<usize> {
        let registers = &self.0[..count];
        let mut free = (0..count).filter(|index| registers[*index] == ListRegister::Free);
        let first = free.next()?;
        let is_most_urgent = registers.iter().all(|register| match register {
            ListRegister::Holds { priority: other, .. } => priority < *other,
            ListRegister::Free | ListRegister::Forgotten | ListRegister::Kept => true,
        });
        (count == 1 || free.next().is_some() || is_most_urgent).then_some(first)
    }
}

impl Gic {
    /// The next interrupt that the VMM is to inject into a processor, most urgent first. The list register counts as used
    /// from then on; should the kernel refuse, [`Gic::refused`] is to be told.
    ///
    /// To be called until there is no more, whenever the processor is about to run and something happened.
    pub fn next_injection(&mut self, processor: Processor) -> Option<Injection> {
        let (intid, priority, index) = self.injectable(processor)?;
        let (bank, bit) = self.bank_of(processor, intid)?;
        let group = bank.group & bit != 0;
        let latched = bank.latched & bit != 0;
        bank.latched &= !bit;
        bank.listed |= bit;
        self.redistributors[processor.index()].list.0[index] = ListRegister::Holds { intid, priority, latched };
        Some(Injection {
            list_register: index as u8,
            intid: intid as u16,
            priority: priority / PRIORITY_STEP,
            group: group.into(),
        })
    }

    /// The processors for which [`Gic::next_injection`] has something.
    pub fn to_be_injected(&self) -> impl Iterator<Item = Processor> {
        Processor::first(self.processors).filter(|processor| self.injectable(*processor).is_some())
    }

    fn injectable(&self, processor: Processor) -> Option<(u32, u8, usize)> {
        let redistributor = self.redistributor(processor)?;
        if redistributor.asleep {
            return None;
        }
        let (intid, priority) = self.most_urgent(processor)?;
        Some((intid, priority, redistributor.list.free_for(priority, self.list_registers)?))
    }

    /// Whether something is signalled to a processor, or may be: it is then not to wait in WFI or CPU_SUSPEND. True of one
    /// whose redistributor is asleep too, which it is to wake.
    #[must_use]
    pub fn deliverable(&self, processor: Processor) -> bool {
        let listed = |list: &ListRegisters| {
            list.iter().any(|register| matches!(register, ListRegister::Holds { .. } | ListRegister::Forgotten))
        };
        self.redistributor(processor).is_some_and(|redistributor| listed(&redistributor.list))
            || self.most_urgent(processor).is_some()
    }

    /// INTID and priority of the most urgent interrupt that is signalled to a processor and not listed.
    fn most_urgent(&self, processor: Processor) -> Option<(u32, u8)> {
        let redistributor = self.redistributor(processor)?;
        let banks = core::iter::once(&redistributor.bank).chain(&self.shared);
        let mut best = None;
        for (bank, first) in banks.zip((0..).step_by(32)) {
            let mut signalled = bank.signalled(self.groups);
            while signalled != 0 {
                let bit = signalled.trailing_zeros();
                signalled &= signalled - 1;
                let (intid, priority) = (first + bit, bank.priority[bit as usize]);
                let is_better = best.is_none_or(|(_, other)| priority < other);
                if is_better && (intid < FIRST_SHARED || self.target(intid) == Some(processor)) {
                    best = Some((intid, priority));
                }
            }
        }
        best
    }

    /// The guest has ended what was in a list register; which interrupt that was. `None` when the kernel knew of none: then
    /// nothing has ended, for an end that is not told yet raises the maintenance interrupt again.
    ///
    /// A level-sensitive interrupt whose line is still high is pending again. The VMM lowers the line of one that it passes
    /// through, and acknowledges the physical one, which comes again if it must.
    pub fn ended(&mut self, processor: Processor, list_register: Option<u8>) -> Option<u32> {
        let (intid, _) = self.vacate(processor, usize::from(list_register?), ListRegister::Free)?;
        let (bank, bit) = self.bank_of(processor, intid)?;
        bank.active &= !bit;
        Some(intid)
    }

    /// The kernel did not take an injection because the list register holds an interrupt that the guest handles. What was
    /// to be injected is pending as before; the register is free after the next end in it.
    pub fn refused(&mut self, processor: Processor, list_register: u8) {
        self.take_back(processor, usize::from(list_register), ListRegister::Forgotten);
    }

    /// The processor is switched on: its redistributor is awake, as firmware leaves it.
    pub fn switched_on(&mut self, processor: Processor) {
        if let Some(redistributor) = self.redistributors[..self.processors].get_mut(processor.index()) {
            redistributor.asleep = false;
        }
    }

    /// The processor is switched off, and its redistributor asleep, as firmware has it. What is in its list registers is
    /// pending as before, for others if the guest routes it to them. What its virtual processor object still has there is
    /// overwritten, or signalled once more, when it runs again.
    pub fn switched_off(&mut self, processor: Processor) {
        if let Some(redistributor) = self.redistributors[..self.processors].get_mut(processor.index()) {
            redistributor.asleep = true;
        }
        for index in 0..MAX_LIST_REGISTERS {
            self.take_back(processor, index, ListRegister::Free);
        }
    }

    fn take_back(&mut self, processor: Processor, index: usize, then: ListRegister) {
        if let Some((intid, true)) = self.vacate(processor, index, then)
            && let Some((bank, bit)) = self.bank_of(processor, intid)
        {
            bank.latched |= bit;
        }
    }

    /// Replaces what a list register in use holds; the interrupt, and whether it was latched.
    fn vacate(&mut self, processor: Processor, index: usize, then: ListRegister) -> Option<(u32, bool)> {
        if processor.index() >= self.processors || index >= self.list_registers {
            return None;
        }
        let register = &mut self.redistributors[processor.index()].list.0[index];
        let ListRegister::Holds { intid, latched, .. } = core::mem::replace(register, then) else { return None };
        let (bank, bit) = self.bank_of(processor, intid)?;
        bank.listed &= !bit;
        Some((intid, latched))
    }
}
