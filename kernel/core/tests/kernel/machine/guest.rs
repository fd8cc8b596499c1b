//! Registers of guests, as one core has them: one set, whoever runs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use sluice_abi::vcpu::VcpuRegister;
use sluice_core::{GuestMachine, VgicRegister};

use super::{Effect, Machine};

/// The registers.
#[derive(Default)]
pub(crate) struct Guest {
    mode: Cell<bool>,
    registers: RefCell<BTreeMap<VcpuRegister, u64>>,
    cache_selection: Cell<u64>,
    vgic: RefCell<BTreeMap<VgicRegister, u64>>,
    faulting_page: Cell<u64>,
    stage1: RefCell<BTreeMap<u64, u64>>,
}

impl Guest {
    /// Whether a thread runs in guest mode.
    pub(crate) fn mode(&self) -> bool {
        self.mode.get()
    }

    pub(crate) fn register(&self, register: VcpuRegister) -> u64 {
        self.registers.borrow().get(&register).copied().unwrap_or(0)
    }

    /// The guest writes one of its registers.
    pub(crate) fn write(&self, register: VcpuRegister, value: u64) {
        assert!(self.mode.get(), "EL0 cannot write {register:?}");
        self.registers.borrow_mut().insert(register, value);
    }

    pub(crate) fn vgic(&self, register: VgicRegister) -> u64 {
        self.vgic.borrow().get(&register).copied().unwrap_or(0)
    }

    /// The interface, or the guest through it, changes one of its registers.
    pub(crate) fn set_vgic(&self, register: VgicRegister, value: u64) {
        self.vgic.borrow_mut().insert(register, value);
    }

    /// CSSELR_EL1, which the guest exchanges for `value`.
    pub(crate) fn select_cache(&self, value: u64) -> u64 {
        assert!(self.mode.get(), "EL0 cannot write CSSELR");
        self.cache_selection.replace(value)
    }

    pub(crate) fn set_faulting_page(&self, value: u64) {
        self.faulting_page.set(value);
    }

    /// What stage 1 makes of `address`, as PAR_EL1 says it.
    pub(crate) fn map_stage1(&self, address: u64, result: u64) {
        self.stage1.borrow_mut().insert(address, result);
    }

    /// All there is to see.
    pub(crate) fn contents(&self) -> String {
        let cache = self.cache_selection.get();
        format!("{} {:x?} {cache:x} {:x?}", self.mode.get(), self.registers.borrow(), self.vgic.borrow())
    }
}

impl GuestMachine for Machine {
    fn set_guest_mode(&self, guest: bool) {
        self.guest.mode.set(guest);
        self.record(Effect::GuestMode(guest));
    }

    fn vcpu_register(&self, register: VcpuRegister) -> u64 {
        self.guest.register(register)
    }

    fn set_vcpu_register(&self, register: VcpuRegister, value: u64) {
        self.guest.registers.borrow_mut().insert(register, value);
        self.record(Effect::Register { register, value });
    }

    fn cache_selection(&self) -> u64 {
        self.guest.cache_selection.get()
    }

    fn set_cache_selection(&self, value: u64) {
        self.guest.cache_selection.set(value);
    }

    fn vgic_register(&self, register: VgicRegister) -> u64 {
        self.guest.vgic(register)
    }

    fn set_vgic_register(&self, register: VgicRegister, value: u64) {
        self.guest.set_vgic(register, value);
        self.record(Effect::Vgic { register, value });
    }

    fn faulting_page(&self) -> u64 {
        self.guest.faulting_page.get()
    }

    fn translate_stage1(&self, address: u64) -> u64 {
        const FAULT: u64 = 1;
        self.guest.stage1.borrow().get(&address).copied().unwrap_or(FAULT)
    }

    fn send_sgi(&self, request: u64) {
        self.record(Effect::Sgi(request));
    }
}
