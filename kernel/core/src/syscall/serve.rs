//! From a message to a kernel object to its answer: decoded, carried out, answered.
//!
//! Each kind of object has a type of decoded invocations of its own. One for all would be as large as the largest, and
//! every invocation would be copied at that size.

use sluice_abi::{CapRights, Label};

use super::Manner;
use super::decode::{Decoded, Request};
use super::invocation::{InterruptInvocation, MemoryInvocation, SmmuInvocation};
use super::reply::Outcome;
use crate::Kernel;
use crate::cap::Cap;
use crate::error::{Preempted, SyscallError};
use crate::hal::Hal;
use crate::object::ThreadState;
use crate::trace::{self, Ending};

impl<H: Hal> Kernel<H> {
    /// Does what the message asks of the capability in the request's slot, or refuses it with nothing changed.
    pub(super) fn serve(&mut self, request: &Request, manner: Manner) {
        let label = Label::from_word(request.label);
        match self.cap(request.slot) {
            Cap::Endpoint(cap) if cap.rights.contains(CapRights::WRITE) => {
                self.pass_message(request, manner, |kernel| {
                    kernel.send(request.thread, cap.sender(manner.call), manner.blocking);
                })
            }
            Cap::Notification(cap) if cap.rights.contains(CapRights::WRITE) => {
                self.pass_message(request, manner, |kernel| kernel.signal(cap.object, cap.badge));
            }
            Cap::Reply(reply) if !reply.master => self.pass_message(request, manner, |kernel| {
                kernel.reply(request.thread, reply, request.slot);
            }),
            Cap::Null | Cap::Zombie(_) | Cap::Endpoint(_) | Cap::Notification(_) | Cap::Reply(_) => {
                self.refuse(request, manner, SyscallError::InvalidCapability(0));
            }
            Cap::StreamTable { .. } => self.refuse(request, manner, SyscallError::IllegalOperation),
            Cap::Untyped(untyped) => {
                let decoded = self.decode_untyped(request, label, untyped);
                self.carry_out(request, manner, decoded, |kernel, retype| {
                    kernel.retype(retype).map(|()| Outcome::Done)
                });
            }
            Cap::CNode(root) => {
                let decoded = self.decode_cnode(request, label, root);
                self.carry_out(request, manner, decoded, |kernel, what| kernel.invoke_cnode(request.thread, what));
            }
            Cap::Thread(thread) => {
                let decoded = self.decode_tcb(request, label, thread);
                self.carry_out(request, manner, decoded, |kernel, what| kernel.invoke_tcb(request, thread, what));
            }
            Cap::Domain => {
                let decoded = self.decode_domain(request, label);
                self.carry_out(request, manner, decoded, |kernel, what| Ok(kernel.invoke_domain(what)));
            }
            Cap::Vcpu(vcpu) => {
                let decoded = self.decode_vcpu(request, label, vcpu);
                self.carry_out(request, manner, decoded, |kernel, what| Ok(kernel.invoke_vcpu(vcpu, what)));
            }
            Cap::Frame(frame) => {
                self.serve_memory(request, manner, self.decode_frame(request, label, frame));
            }
            Cap::PageTable(table) => {
                self.serve_memory(request, manner, self.decode_page_table(request, label, table));
            }
            Cap::VSpace(vspace) => {
                self.serve_memory(request, manner, self.decode_vspace(request, label, vspace));
            }
            Cap::AsidControl => {
                self.serve_memory(request, manner, self.decode_asid_control(request, label));
            }
            Cap::AsidPool { pool, base } => {
                self.serve_memory(request, manner, self.decode_asid_pool(request, label, pool, base));
            }
            Cap::IrqControl => {
                self.serve_interrupt(request, manner, self.decode_irq_control(request, label));
            }
            Cap::IrqHandler(intid) => {
                self.serve_interrupt(request, manner, self.decode_irq_handler(request, label, intid));
            }
            Cap::SgiSignal(signal) => {
                self.serve_interrupt(request, manner, Ok(InterruptInvocation::SendSgi(signal)));
            }
            Cap::SidControl => {
                self.serve_smmu(request, manner, self.decode_sid_control(request, label));
            }
            Cap::Sid(stream) => {
                self.serve_smmu(request, manner, self.decode_sid(request, label, stream));
            }
            Cap::CbControl => {
                self.serve_smmu(request, manner, self.decode_cb_control(request, label));
            }
            Cap::Cb { context, .. } => {
                self.serve_smmu(request, manner, self.decode_cb(request, label, context));
            }
        }
    }

    fn serve_memory(&mut self, request: &Request, manner: Manner, decoded: Decoded<MemoryInvocation>) {
        self.carry_out(request, manner, decoded, |kernel, what| kernel.invoke_memory(request.thread, what));
    }

    fn serve_interrupt(&mut self, request: &Request, manner: Manner, decoded: Decoded<InterruptInvocation>) {
        self.carry_out(request, manner, decoded, |kernel, what| Ok(kernel.invoke_interrupt(what)));
    }

    fn serve_smmu(&mut self, request: &Request, manner: Manner, decoded: Decoded<SmmuInvocation>) {
        self.carry_out(request, manner, decoded, |kernel, what| Ok(kernel.invoke_smmu(what)));
    }

    /// Sends, signals or replies: there is nothing to decode, and no object of the kernel's to log an invocation of.
    fn pass_message(&mut self, request: &Request, manner: Manner, pass: impl FnOnce(&mut Self)) {
        self.set_state(request.thread, ThreadState::Restart);
        pass(self);
        self.conclude(request, manner, None, Ok(Outcome::Done));
    }

    /// Carries an invocation out that passed decoding; answers one that did not.
    #[inline(always)]
    fn carry_out<T>(
        &mut self,
        request: &Request,
        manner: Manner,
        decoded: Decoded<T>,
        how: impl FnOnce(&mut Self, T) -> Result<Outcome, Preempted>,
    ) {
        match decoded {
            Err(error) => self.refuse(request, manner, error),
            Ok(invocation) => {
                let traced = self.trace_message(request);
                // Whoever is interrupted on the way starts the system call over.
                self.set_state(request.thread, ThreadState::Restart);
                let result = how(self, invocation);
                self.conclude(request, manner, traced, result);
            }
        }
    }

    fn refuse(&mut self, request: &Request, manner: Manner, error: SyscallError) {
        if let Some(traced) = self.trace_message(request) {
            self.trace_call(request.thread, request.slot, request.label, traced, Ending::Refused(error));
        }
        if manner.call {
            self.reply_error(request.thread, error);
        }
    }

    fn conclude(
        &mut self,
        request: &Request,
        manner: Manner,
        traced: Option<trace::Request>,
        result: Result<Outcome, Preempted>,
    ) {
        self.forget_stale();
        if let Some(traced) = traced {
            let ending = match result {
                Err(Preempted) => Ending::Preempted,
                Ok(Outcome::Failed(error)) => Ending::Refused(error),
                Ok(Outcome::Words(words, count)) => Ending::Done(words, count),
                Ok(Outcome::Done | Outcome::Registers(..)) => Ending::Done([0; 6], 0),
            };
            self.trace_call(request.thread, request.slot, request.label, traced, ending);
        }
        let Ok(outcome) = result else { return };
        // An invocation may have deleted its own thread, or sent it to wait.
        if self.current != Some(request.thread) || self.tcb(request.thread).state.get() != ThreadState::Restart {
            return;
        }
        if manner.call {
            self.reply_outcome(request.thread, outcome);
        }
        self.set_state(request.thread, ThreadState::Running);
    }

    fn trace_message(&self, request: &Request) -> Option<trace::Request> {
        self.trace_request(request.length, request.caps, |index| self.word(request, index))
    }
}
