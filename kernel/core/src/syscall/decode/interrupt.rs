//! Invocations of interrupt control and handlers.

use sluice_abi::{CapRights, Label};

use super::super::invocation::InterruptInvocation;
use super::{Decoded, Request};
use crate::Kernel;
use crate::cap::{Cap, SgiSignal};
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::interrupt::InterruptUse;

/// Greatest INTID of a software-generated interrupt (IHI 0069, 2.2).
const LAST_SGI: u64 = 15;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn decode_irq_control(
        &self,
        request: &Request,
        label: Option<Label>,
    ) -> Decoded<InterruptInvocation> {
        let trigger = match label {
            Some(Label::IrqControlGet) => false,
            Some(Label::IrqControlGetTrigger) => true,
            Some(Label::IrqControlIssueSgiSignal) => return self.decode_issue_sgi(request),
            _ => return Err(SyscallError::IllegalOperation),
        };
        let words = if trigger { 4 } else { 3 };
        Self::expect(request, words, 1)?;
        let intid = self.word(request, 0);
        let edge = trigger.then(|| self.word(request, 1) != 0);
        let last = self.interrupts.last();
        let intid = u32::try_from(intid).ok().filter(|intid| *intid <= last);
        let intid = intid.ok_or(SyscallError::Range { min: 0, max: last.into() })?;
        if self.interrupts.get(intid) != InterruptUse::Inactive {
            return Err(SyscallError::RevokeFirst);
        }
        let dest = self.destination(request, 0, words - 2)?;
        Ok(InterruptInvocation::Issue { intid, edge, control: request.slot, dest })
    }

    fn decode_issue_sgi(&self, request: &Request) -> Decoded<InterruptInvocation> {
        Self::expect(request, 4, 1)?;
        let (intid, target) = (self.word(request, 0), self.word(request, 1));
        if intid > LAST_SGI {
            return Err(SyscallError::Range { min: 0, max: LAST_SGI });
        }
        let target = u32::try_from(target).map_err(|_| SyscallError::InvalidArgument(1))?;
        let signal = SgiSignal { intid: intid as u8, target };
        let dest = self.destination(request, 0, 2)?;
        Ok(InterruptInvocation::IssueSgi { signal, control: request.slot, dest })
    }

    pub(in crate::syscall) fn decode_irq_handler(
        &self,
        request: &Request,
        label: Option<Label>,
        intid: u32,
    ) -> Decoded<InterruptInvocation> {
        let invocation = match label {
            Some(Label::IrqHandlerAck) => InterruptInvocation::Acknowledge(intid),
            Some(Label::IrqHandlerSetNotification) => match self.extra(request, 0)? {
                (source, Cap::Notification(cap)) if cap.rights.contains(CapRights::WRITE) => {
                    InterruptInvocation::SetNotification { intid, cap, source }
                }
                _ => return Err(SyscallError::InvalidCapability(0)),
            },
            Some(Label::IrqHandlerClear) => InterruptInvocation::Clear(intid),
            _ => return Err(SyscallError::IllegalOperation),
        };
        Ok(invocation)
    }
}
