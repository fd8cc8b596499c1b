//! Interrupts of devices that the kernel puts into list registers by itself.
//!
//! That is for a shared interrupt in the state in which all it can do is come: enabled, level-sensitive, not pending, not
//! active. The line is then not seen here, and whatever the guest does about its interrupts takes them back first. So the
//! rest of the controller need not know of it.

use super::Gic;
use super::bank::PRIORITY_STEP;
use super::delivery::{Injection, ListRegister};
use crate::processor::Processor;

/// List registers of a processor that are left for what the VMM injects.
const LEFT: usize = 2;

/// How far the guest is with an interrupt that was taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// None came that it has not ended.
    Idle,
    /// It has not taken it; the list register is empty.
    Pending,
    /// It handles it, in the list register.
    Active,
}

impl Gic {
    /// Keeps a list register for a shared interrupt that can be forwarded: where it goes, and what is to be put there when it
    /// comes. `None` when it has to come this way.
    pub fn keep(&mut self, intid: u32) -> Option<(Processor, Injection)> {
        let processor = self.target(intid)?;
        let groups = self.groups;
        let (bank, bit) = self.shared_bank(intid)?;
        let at_rest = !(bank.edge | bank.active | bank.listed | bank.latched | bank.line) & bit != 0;
        let is_group1 = bank.group & bit != 0;
        let group_enabled = groups & if is_group1 { 2 } else { 1 } != 0;
        if !at_rest || bank.enabled & bit == 0 || !group_enabled {
            return None;
        }
        let priority = bank.priority[bit.trailing_zeros() as usize];
        let count = self.list_registers;
        let redistributor = self.redistributors.get_mut(processor.index()).filter(|of| !of.asleep)?;
        let registers = &mut redistributor.list.0[..count];
        let kept = registers.iter().filter(|register| **register == ListRegister::Kept).count();
        if kept + LEFT >= count {
            return None;
        }
        // From the end: what is injected takes the first that is free.
        let index = registers.iter().rposition(|register| *register == ListRegister::Free)?;
        registers[index] = ListRegister::Kept;
        let (list_register, intid, group) = (index as u8, intid as u16, is_group1.into());
        Some((processor, Injection { list_register, intid, priority: priority / PRIORITY_STEP, group }))
    }

    /// What was kept for a shared interrupt is kept no more. One that is pending has to be signalled again by its line; of one
    /// that is active the end will be told.
    pub fn taken_back(&mut self, processor: Processor, list_register: u8, intid: u32, progress: Progress) {
        let Some(redistributor) = self.redistributors.get_mut(processor.index()) else { return };
        let Some(register) = redistributor.list.0.get_mut(usize::from(list_register)) else { return };
        if *register != ListRegister::Kept {
            return;
        }
        *register = ListRegister::Free;
        if progress != Progress::Active {
            return;
        }
        let Some((bank, bit)) = self.shared_bank(intid) else { return };
        let priority = bank.priority[bit.trailing_zeros() as usize];
        bank.listed |= bit;
        self.redistributors[processor.index()].list.0[usize::from(list_register)] =
            ListRegister::Holds { intid, priority, latched: false };
    }
}
