//! Invocations of the domain capability.

use sluice_abi::{DOMAIN_SCHEDULE_LENGTH, Label, MAX_DOMAIN_TICKS, NUM_DOMAINS};

use super::super::invocation::DomainInvocation;
use super::{Decoded, Request};
use crate::Kernel;
use crate::cap::Cap;
use crate::domain::DomainSlice;
use crate::error::SyscallError;
use crate::hal::Hal;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn decode_domain(
        &self,
        request: &Request,
        label: Option<Label>,
    ) -> Decoded<DomainInvocation> {
        let invocation = match label {
            Some(Label::DomainSetSet) => self.decode_set_domain(request)?,
            Some(Label::DomainScheduleConfigure) => self.decode_configure_slice(request)?,
            Some(Label::DomainScheduleSetStart) => self.decode_set_start(request)?,
            _ => return Err(SyscallError::IllegalOperation),
        };
        Ok(invocation)
    }

    fn decode_set_domain(&self, request: &Request) -> Decoded<DomainInvocation> {
        Self::expect(request, 1, 0)?;
        let domain = self.word(request, 0);
        if domain >= NUM_DOMAINS {
            return Err(SyscallError::InvalidArgument(0));
        }
        match self.extra(request, 0)? {
            (_, Cap::Thread(thread)) => Ok(DomainInvocation::Set { thread, domain: domain as u8 }),
            _ => Err(SyscallError::InvalidArgument(1)),
        }
    }

    fn decode_configure_slice(&self, request: &Request) -> Decoded<DomainInvocation> {
        Self::expect(request, 3, 0)?;
        let (index, domain, ticks) = (self.word(request, 0), self.word(request, 1), self.word(request, 2));
        // The last slice stays the end.
        let index = index_up_to(index, DOMAIN_SCHEDULE_LENGTH - 2)?;
        if domain >= NUM_DOMAINS {
            return Err(SyscallError::Range { min: 0, max: NUM_DOMAINS - 1 });
        }
        if ticks > MAX_DOMAIN_TICKS {
            return Err(SyscallError::InvalidArgument(2));
        }
        if ticks == 0 && domain != 0 {
            return Err(SyscallError::InvalidArgument(1));
        }
        if ticks == 0 && index == self.domains.start() {
            return Err(SyscallError::InvalidArgument(2));
        }
        Ok(DomainInvocation::Configure { index, slice: DomainSlice { domain: domain as u8, ticks } })
    }

    fn decode_set_start(&self, request: &Request) -> Decoded<DomainInvocation> {
        Self::expect(request, 1, 0)?;
        let index = index_up_to(self.word(request, 0), DOMAIN_SCHEDULE_LENGTH - 1)?;
        if self.domains.ends_at(index) {
            return Err(SyscallError::InvalidArgument(0));
        }
        Ok(DomainInvocation::Start(index))
    }
}

fn index_up_to(word: u64, max: usize) -> Decoded<usize> {
    let index = usize::try_from(word).ok().filter(|index| *index <= max);
    index.ok_or(SyscallError::Range { min: 0, max: max as u64 })
}
