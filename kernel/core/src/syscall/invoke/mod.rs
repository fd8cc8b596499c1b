//! Carrying out invocations that passed decoding.

mod cnode;
mod domain;
mod interrupt;
mod memory;
mod smmu;
mod tcb;
mod vcpu;

use super::decode::Request;
use super::invocation::Invocation;
use super::reply::Outcome;
use crate::Kernel;
use crate::error::Preempted;
use crate::hal::Hal;

impl<H: Hal> Kernel<H> {
    pub(super) fn invoke(&mut self, request: &Request, invocation: Invocation) -> Outcome {
        let result = match invocation {
            Invocation::Send { cap, blocking, call } => {
                self.send(request.thread, cap.sender(call), blocking);
                Ok(Outcome::Done)
            }
            Invocation::Signal(cap) => {
                self.signal(cap.object, cap.badge);
                Ok(Outcome::Done)
            }
            Invocation::Reply(reply) => {
                self.reply(request.thread, reply, request.slot);
                Ok(Outcome::Done)
            }
            Invocation::Retype(retype) => self.retype(retype).map(|()| Outcome::Done),
            Invocation::CNode(invocation) => self.invoke_cnode(request.thread, invocation),
            Invocation::Tcb(thread, invocation) => self.invoke_tcb(request, thread, invocation),
            Invocation::Memory(invocation) => self.invoke_memory(request.thread, invocation),
            Invocation::Interrupt(invocation) => {
                self.invoke_interrupt(invocation);
                Ok(Outcome::Done)
            }
            Invocation::Smmu(invocation) => Ok(self.invoke_smmu(invocation)),
            Invocation::Vcpu(vcpu, invocation) => Ok(self.invoke_vcpu(vcpu, invocation)),
            Invocation::Domain(invocation) => {
                self.invoke_domain(invocation);
                Ok(Outcome::Done)
            }
        };
        self.forget_stale();
        match result {
            Ok(outcome) => outcome,
            Err(Preempted) => Outcome::Preempted,
        }
    }
}
