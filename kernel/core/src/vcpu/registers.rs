//! Registers of virtual processors, wherever they are.

use sluice_abi::vcpu::VcpuRegister;

use super::NATIVE;
use crate::Kernel;
use crate::hal::Hal;
use crate::object::Vcpu;
use crate::store::Handle;

impl<H: Hal> Kernel<H> {
    /// Whether the hardware has the register of `vcpu`, not memory.
    fn is_in_hardware(&self, vcpu: Handle<Vcpu>, register: VcpuRegister) -> bool {
        let exchanged_early = NATIVE.iter().any(|(noticeable, _)| *noticeable == register);
        let owner = if exchanged_early { self.vcpus.running } else { self.vcpus.loaded };
        owner == Some(vcpu)
    }

    /// What a register of a virtual processor holds, wherever it is.
    pub fn vcpu_register(&self, vcpu: Handle<Vcpu>, register: VcpuRegister) -> u64 {
        if self.is_in_hardware(vcpu, register) {
            self.hal.vcpu_register(register)
        } else {
            self.get(vcpu).register(register).get()
        }
    }

    pub(crate) fn write_vcpu_register(&self, vcpu: Handle<Vcpu>, register: VcpuRegister, value: u64) {
        if self.is_in_hardware(vcpu, register) {
            self.hal.set_vcpu_register(register, value);
        } else {
            self.get(vcpu).register(register).set(value);
        }
    }
}
