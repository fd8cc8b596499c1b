//! Invocations of virtual processors.

use sluice_abi::Label;
use sluice_abi::vcpu::VcpuRegister;

use super::super::invocation::VcpuInvocation;
use super::{Decoded, Request};
use crate::Kernel;
use crate::cap::Cap;
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::interrupt::InterruptUse;
use crate::object::Vcpu;
use crate::store::Handle;
use crate::vcpu::VirtualInterrupt;

/// Greatest INTID, priority and group of an interrupt to inject.
const MAX_INTID: u64 = 1023;
const MAX_PRIORITY: u64 = 31;
const MAX_GROUP: u64 = 1;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn decode_vcpu(
        &self,
        request: &Request,
        label: Option<Label>,
        vcpu: Handle<Vcpu>,
    ) -> Decoded<VcpuInvocation> {
        let invocation = match label {
            Some(Label::VcpuSetTcb) => match self.extra(request, 0)? {
                (_, Cap::Thread(thread)) => VcpuInvocation::SetTcb(thread),
                _ => return Err(SyscallError::IllegalOperation),
            },
            Some(Label::VcpuInjectIrq) => self.decode_inject(request, vcpu)?,
            Some(Label::VcpuReadReg) => {
                Self::expect(request, 1, 0)?;
                VcpuInvocation::ReadRegister(self.named_register(request)?)
            }
            Some(Label::VcpuWriteReg) => {
                Self::expect(request, 2, 0)?;
                VcpuInvocation::WriteRegister(self.named_register(request)?, self.word(request, 1))
            }
            Some(Label::VcpuAckVppi) => self.decode_acknowledge(request)?,
            Some(Label::VcpuForwardIrq) => self.decode_forward(request, vcpu)?,
            Some(Label::VcpuTakeBackIrq) => self.decode_take_back(request, vcpu)?,
            _ => return Err(SyscallError::IllegalOperation),
        };
        Ok(invocation)
    }

    /// The register that message word 0 names.
    fn named_register(&self, request: &Request) -> Decoded<VcpuRegister> {
        let field = self.word(request, 0);
        VcpuRegister::from_word(field).ok_or(SyscallError::InvalidArgument(1))
    }

    /// The interrupt, and the list register for it, that message word 0 describes.
    fn described_interrupt(&self, request: &Request) -> Decoded<(u8, VirtualInterrupt)> {
        let word = self.word(request, 0);
        let (intid, priority, group) = (word & 0xffff, word >> 16 & 0xff, word >> 24 & 0xff);
        let index = (word >> 32) as u8;
        let last = self.list_registers() - 1;
        for (value, max) in
            [(intid, MAX_INTID), (priority, MAX_PRIORITY), (group, MAX_GROUP), (index.into(), last.into())]
        {
            if value > max {
                return Err(SyscallError::Range { min: 0, max });
            }
        }
        Ok((index, VirtualInterrupt { intid, priority, group }))
    }

    fn decode_inject(&self, request: &Request, vcpu: Handle<Vcpu>) -> Decoded<VcpuInvocation> {
        Self::expect(request, 1, 0)?;
        let (index, interrupt) = self.described_interrupt(request)?;
        // One that the guest has not taken yet gives way to the new one.
        if self.is_active(vcpu, index) || self.forwarded(vcpu, index).is_some() {
            return Err(SyscallError::DeleteFirst);
        }
        Ok(VcpuInvocation::Inject { index, interrupt })
    }

    fn decode_forward(&self, request: &Request, vcpu: Handle<Vcpu>) -> Decoded<VcpuInvocation> {
        Self::expect(request, 1, 1)?;
        let (index, interrupt) = self.described_interrupt(request)?;
        let (_, Cap::IrqHandler(intid)) = self.extra(request, 0)? else {
            return Err(SyscallError::InvalidCapability(1));
        };
        let taken = self.interrupts.get(intid) != InterruptUse::Signal;
        if taken || self.forwarded(vcpu, index).is_some() || self.is_in_use(vcpu, index) {
            return Err(SyscallError::DeleteFirst);
        }
        Ok(VcpuInvocation::Forward { intid, index, interrupt })
    }

    fn decode_take_back(&self, request: &Request, vcpu: Handle<Vcpu>) -> Decoded<VcpuInvocation> {
        Self::expect(request, 1, 0)?;
        let (index, max) = (self.word(request, 0), u64::from(self.list_registers() - 1));
        if index > max {
            return Err(SyscallError::Range { min: 0, max });
        }
        let index = index as u8;
        let intid = self.forwarded(vcpu, index).ok_or(SyscallError::InvalidArgument(0))?;
        Ok(VcpuInvocation::TakeBack { intid, index })
    }

    fn decode_acknowledge(&self, request: &Request) -> Decoded<VcpuInvocation> {
        Self::expect(request, 1, 0)?;
        let (intid, last) = (self.word(request, 0), self.interrupts.last());
        if intid > last.into() {
            return Err(SyscallError::Range { min: 0, max: last.into() });
        }
        if self.virtual_timer().map(u64::from) != Some(intid) {
            return Err(SyscallError::InvalidArgument(0));
        }
        Ok(VcpuInvocation::AcknowledgeTimer)
    }
}
