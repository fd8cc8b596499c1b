//! Interrupts of virtual processors: list registers, their maintenance, and the virtual timer.

use super::VgicRegister;
use crate::Kernel;
use crate::hal::Hal;
use crate::object::{Fault, Vcpu, Vgic};
use crate::store::Handle;

/// Fields of a list register (IHI 0069, 12.4.8).
pub(super) mod list {
    pub(in crate::vcpu) const PENDING: u64 = 1 << 62;
    pub(in crate::vcpu) const ACTIVE: u64 = 1 << 63;
    pub(in crate::vcpu) const GROUP: u32 = 60;
    pub(in crate::vcpu) const PRIORITY: u32 = 48;
    /// An EOI asks for maintenance; of an interrupt with [`HARDWARE`] it is part of the INTID.
    pub(in crate::vcpu) const EOI: u64 = 1 << 41;
    /// An EOI deactivates the interrupt with the INTID in bits 44:32.
    pub(in crate::vcpu) const HARDWARE: u64 = 1 << 61;
    pub(in crate::vcpu) const HARDWARE_INTID: u32 = 32;
    pub(in crate::vcpu) const HARDWARE_INTID_MASK: u64 = 0x1fff;
}

/// ICH_MISR_EL2.EOI (IHI 0069, 12.4.6).
const MAINTENANCE_EOI: u64 = 1;

/// A virtual interrupt to be injected, all in range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct VirtualInterrupt {
    pub(crate) intid: u64,
    pub(crate) priority: u64,
    pub(crate) group: u64,
}

impl VirtualInterrupt {
    /// The list register with which it is pending.
    pub(super) const fn pending(self) -> u64 {
        list::PENDING | self.group << list::GROUP | self.priority << list::PRIORITY | self.intid
    }
}

impl<H: Hal> Kernel<H> {
    /// How many list registers the machine has.
    pub const fn list_registers(&self) -> u8 {
        self.vcpus.list_registers
    }

    /// What a list register of a virtual processor holds, wherever it is.
    pub fn list_register(&self, vcpu: Handle<Vcpu>, index: u8) -> u64 {
        if self.vcpus.loaded == Some(vcpu) {
            self.hal.vgic_register(VgicRegister::List(index))
        } else {
            self.get(vcpu).vgic.list[usize::from(index)].get()
        }
    }

    /// Whether a guest has taken the interrupt in a list register and not ended it.
    pub(crate) fn is_active(&self, vcpu: Handle<Vcpu>, index: u8) -> bool {
        self.list_register(vcpu, index) & list::ACTIVE != 0
    }

    /// Whether a list register has an interrupt, or has had one whose end nobody was told of.
    pub(crate) fn is_in_use(&self, vcpu: Handle<Vcpu>, index: u8) -> bool {
        let word = self.list_register(vcpu, index);
        let untold = if word & list::HARDWARE == 0 { word & list::EOI } else { 0 };
        word & (list::PENDING | list::ACTIVE) | untold != 0
    }

    /// Makes a virtual interrupt pending; its end will ask for maintenance.
    pub(crate) fn inject(&self, vcpu: Handle<Vcpu>, index: u8, interrupt: VirtualInterrupt) {
        self.set_list_register(vcpu, index, interrupt.pending() | list::EOI);
    }

    pub(super) fn set_list_register(&self, vcpu: Handle<Vcpu>, index: u8, word: u64) {
        if self.vcpus.loaded == Some(vcpu) {
            self.hal.set_vgic_register(VgicRegister::List(index), word);
        } else {
            self.get(vcpu).vgic.list[usize::from(index)].set(word);
        }
    }

    pub(super) fn save_vgic(&self, to: &Vgic) {
        to.machine.set(self.hal.vgic_register(VgicRegister::Machine));
        to.system_registers.set(self.hal.vgic_register(VgicRegister::SystemRegisters));
        for index in 0..self.vcpus.active_priorities {
            to.active[0][usize::from(index)].set(self.hal.vgic_register(VgicRegister::ActiveGroup0(index)));
            to.active[1][usize::from(index)].set(self.hal.vgic_register(VgicRegister::ActiveGroup1(index)));
        }
        for index in 0..self.vcpus.list_registers {
            to.list[usize::from(index)].set(self.hal.vgic_register(VgicRegister::List(index)));
        }
    }

    pub(super) fn load_vgic(&self, from: &Vgic) {
        self.hal.set_vgic_register(VgicRegister::Machine, from.machine.get());
        self.hal.set_vgic_register(VgicRegister::SystemRegisters, from.system_registers.get());
        for index in 0..self.vcpus.active_priorities {
            self.hal.set_vgic_register(VgicRegister::ActiveGroup0(index), from.active[0][usize::from(index)].get());
            self.hal.set_vgic_register(VgicRegister::ActiveGroup1(index), from.active[1][usize::from(index)].get());
        }
        for index in 0..self.vcpus.list_registers {
            self.hal.set_vgic_register(VgicRegister::List(index), from.list[usize::from(index)].get());
        }
    }

    /// The interface asks for maintenance: a guest has ended an interrupt.
    pub(crate) fn maintain_vgic(&mut self) {
        // It may have asked just before guest mode was left; it will ask again.
        let (Some(_), Some(thread)) = (self.vcpus.running, self.current) else { return };
        let ended = if self.hal.vgic_register(VgicRegister::MaintenanceStatus) & MAINTENANCE_EOI == 0 {
            0
        } else {
            self.hal.vgic_register(VgicRegister::EndOfInterruptStatus)
        };
        let index = (ended != 0).then(|| ended.trailing_zeros() as u8).filter(|index| *index < self.list_registers());
        if let Some(index) = index {
            let register = VgicRegister::List(index);
            self.hal.set_vgic_register(register, self.hal.vgic_register(register) & !list::EOI);
        }
        self.raise(thread, Fault::VgicMaintenance { index });
    }

    /// The virtual timer fired: its interrupt stays off until the event is acknowledged.
    pub(crate) fn virtual_timer_fired(&mut self, intid: u32) {
        let (Some(vcpu), Some(thread)) = (self.vcpus.running, self.current) else { return };
        self.get(vcpu).timer_masked.set(true);
        self.open_timer();
        self.raise(thread, Fault::Vppi { intid });
    }

    /// The INTID of the interrupt that reaches guests through events.
    pub(crate) const fn virtual_timer(&self) -> Option<u32> {
        self.vcpus.timer
    }

    /// The event of the virtual timer was taken note of.
    pub(crate) fn acknowledge_virtual_timer(&mut self, vcpu: Handle<Vcpu>) {
        self.get(vcpu).timer_masked.set(false);
        if self.vcpus.running == Some(vcpu) {
            self.open_timer();
        }
    }

    /// Enables the virtual timer's interrupt as the running virtual processor has it. Out of guest mode the timer itself
    /// is off, so nothing is to be done there.
    pub(super) fn open_timer(&mut self) {
        let (Some(vcpu), Some(timer)) = (self.vcpus.running, self.vcpus.timer) else { return };
        let enabled = !self.get(vcpu).timer_masked.get();
        if enabled != self.vcpus.timer_enabled {
            self.hal.set_interrupt_enabled(timer, enabled);
            self.vcpus.timer_enabled = enabled;
        }
    }
}
