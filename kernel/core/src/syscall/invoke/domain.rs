//! Scheduling domains.

use super::super::invocation::DomainInvocation;
use super::super::reply::Outcome;
use crate::Kernel;
use crate::hal::Hal;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn invoke_domain(&mut self, invocation: DomainInvocation) -> Outcome {
        match invocation {
            DomainInvocation::Set { thread, domain } => self.set_domain(thread, domain),
            DomainInvocation::Configure { index, slice } => self.configure_domain_slice(index, slice),
            DomainInvocation::Start(index) => self.start_domain_schedule(index),
        }
        Outcome::Done
    }
}
