//! Interrupts of devices that go to guests without anybody in between.
//!
//! A list register is kept for each. When the interrupt comes, the kernel makes the virtual one pending there, linked to the
//! physical one: its end by the guest deactivates that (IHI 0069, 12.4.8, HW), so that it can come again. Until then the
//! physical one is active, and there is at most one.

use super::VirtualInterrupt;
use super::vgic::list;
use crate::Kernel;
use crate::hal::Hal;
use crate::interrupt::InterruptUse;
use crate::object::Vcpu;
use crate::store::Handle;

/// How far a guest is with an interrupt that was taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    /// None came that it has not ended.
    Idle = 0,
    /// It had not taken it.
    Pending = 1,
    /// It handles it.
    Active = 2,
}

impl<H: Hal> Kernel<H> {
    /// The interrupt for which a list register is kept.
    pub fn forwarded(&self, vcpu: Handle<Vcpu>, index: u8) -> Option<u32> {
        let word = self.get(vcpu).vgic.forwarded[usize::from(index)].get();
        (word != 0).then_some((word >> list::HARDWARE_INTID & list::HARDWARE_INTID_MASK) as u32)
    }

    /// Keeps a list register for the interrupt `intid`, which becomes `interrupt`.
    pub(crate) fn forward(&mut self, vcpu: Handle<Vcpu>, index: u8, intid: u32, interrupt: VirtualInterrupt) {
        let word = interrupt.pending() | list::HARDWARE | u64::from(intid) << list::HARDWARE_INTID;
        self.get(vcpu).vgic.forwarded[usize::from(index)].set(word);
        self.interrupts.set(intid, InterruptUse::Forward(vcpu, index));
    }

    /// The interrupt for which a list register is kept has come.
    pub(crate) fn deliver_forwarded(&self, vcpu: Handle<Vcpu>, index: u8) {
        // In use it is only when the handler acknowledged what the guest has not ended: the guest learns of both at once.
        if !self.is_in_use(vcpu, index) {
            let word = self.get(vcpu).vgic.forwarded[usize::from(index)].get();
            self.set_list_register(vcpu, index, word);
        }
    }

    /// Whether the thread of a virtual processor runs, or will without anybody's doing.
    pub(crate) fn can_run(&self, vcpu: Handle<Vcpu>) -> bool {
        self.get(vcpu).thread.get().is_some_and(|thread| self.tcb(thread).state.get().is_runnable())
    }

    /// Ends what [`Self::forward`] has begun: the interrupt is its handler's again, and waits to be acknowledged if it has come.
    pub(crate) fn take_back(&mut self, vcpu: Handle<Vcpu>, index: u8, intid: u32) -> Progress {
        self.get(vcpu).vgic.forwarded[usize::from(index)].set(0);
        self.interrupts.set(intid, InterruptUse::Signal);
        let word = self.list_register(vcpu, index);
        if word & list::ACTIVE != 0 {
            // It must not deactivate what the handler acknowledges, and comes again meanwhile.
            let link = list::HARDWARE | list::HARDWARE_INTID_MASK << list::HARDWARE_INTID;
            self.set_list_register(vcpu, index, word & !link | list::EOI);
            return Progress::Active;
        }
        self.set_list_register(vcpu, index, 0);
        if word & list::PENDING == 0 { Progress::Idle } else { Progress::Pending }
    }

    /// Takes back all interrupts of a virtual processor, which ends.
    pub(super) fn take_back_all(&mut self, vcpu: Handle<Vcpu>) {
        for index in 0..self.list_registers() {
            if let Some(intid) = self.forwarded(vcpu, index) {
                self.take_back(vcpu, index, intid);
            }
        }
    }
}
