//! Virtual processors.

use super::super::invocation::VcpuInvocation;
use super::super::reply::Outcome;
use crate::Kernel;
use crate::hal::Hal;
use crate::object::Vcpu;
use crate::store::Handle;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn invoke_vcpu(&mut self, vcpu: Handle<Vcpu>, invocation: VcpuInvocation) -> Outcome {
        match invocation {
            VcpuInvocation::SetTcb(thread) => self.associate(vcpu, thread),
            VcpuInvocation::Inject { index, interrupt } => self.inject(vcpu, index, interrupt),
            VcpuInvocation::ReadRegister(register) => return Outcome::word(self.vcpu_register(vcpu, register)),
            VcpuInvocation::WriteRegister(register, value) => self.write_vcpu_register(vcpu, register, value),
            VcpuInvocation::AcknowledgeTimer => self.acknowledge_virtual_timer(vcpu),
            VcpuInvocation::Forward { intid, index, interrupt } => self.forward(vcpu, index, intid, interrupt),
            VcpuInvocation::TakeBack { intid, index } => {
                return Outcome::word(self.take_back(vcpu, index, intid) as u64);
            }
        }
        Outcome::Done
    }
}
