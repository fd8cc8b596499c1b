//! Faults as messages.

use sluice_abi::fault::{FaultLabel, UNKNOWN_SYSCALL_WORDS};
use sluice_abi::{CPtr, CapRights, LookupFailure, MessageInfo};

use super::IpcBuffer;
use crate::Kernel;
use crate::cap::Cap;
use crate::hal::Hal;
use crate::object::{Fault, Tcb, ThreadState};
use crate::store::Handle;

/// Words a reply to an unknown-syscall fault may write back: `x0`..`x7`, PC, SP, next PC, SPSR.
const SYSCALL_REPLY_WORDS: usize = FaultLabel::UnknownSyscall.reply_words();
/// Words a reply to a user exception may write back: PC, SP, SPSR.
const EXCEPTION_REPLY_WORDS: usize = FaultLabel::UserException.reply_words();

impl<H: Hal> Kernel<H> {
    /// Stops `thread` with `fault` and tells its handler, if it has one that can be told.
    pub(crate) fn raise(&mut self, thread: Handle<Tcb>, fault: Fault) {
        let handler = CPtr(self.tcb(thread).fault_handler.get());
        let cap = self.lookup_slot(thread, handler).map(|slot| self.cap(slot));
        match cap {
            Ok(Cap::Endpoint(endpoint))
                if endpoint.rights.contains(CapRights::WRITE)
                    && endpoint.rights.intersects(CapRights::GRANT | CapRights::GRANT_REPLY) =>
            {
                let how = endpoint.sender(true);
                self.tcb(thread).fault.set(Some(fault));
                self.trace_fault(thread, fault.label() as u64);
                self.send(thread, how, true);
            }
            Ok(_) | Err(_) => {
                crate::debug::unhandled_fault(self, thread, fault);
                self.set_state(thread, ThreadState::Inactive);
            }
        }
    }

    /// A capability pointer of `thread`'s system call did not resolve.
    pub(crate) fn raise_cap_fault(&mut self, thread: Handle<Tcb>, cptr: CPtr, receiving: bool, failure: LookupFailure) {
        self.raise(thread, Fault::Cap { cptr, receiving, failure });
    }

    /// Writes the fault of `sender` into `receiver`'s message.
    pub(super) fn transfer_fault(
        &mut self,
        sender: Handle<Tcb>,
        fault: Fault,
        receiver: Handle<Tcb>,
        to: Option<IpcBuffer>,
    ) -> MessageInfo {
        let context = &self.tcb(sender).context;
        let restart_pc = context.restart_pc.get();
        let mut words = [0; UNKNOWN_SYSCALL_WORDS];
        let (label, count) = match fault {
            Fault::Cap { cptr, receiving, failure } => {
                let (kind, detail, details) = failure.words();
                words[..4].copy_from_slice(&[restart_pc, cptr.0, receiving.into(), kind]);
                words[4..7].copy_from_slice(&detail);
                (FaultLabel::Cap, 4 + details)
            }
            Fault::UnknownSyscall { number } => {
                for (word, register) in words.iter_mut().zip(&context.x[..8]) {
                    *word = register.get();
                }
                let rest = [restart_pc, context.sp.get(), context.pc.get(), context.spsr.get(), number];
                words[8..].copy_from_slice(&rest);
                (FaultLabel::UnknownSyscall, UNKNOWN_SYSCALL_WORDS)
            }
            Fault::User { number, code } => {
                words[..5].copy_from_slice(&[restart_pc, context.sp.get(), context.spsr.get(), number, code]);
                (FaultLabel::UserException, 5)
            }
            Fault::Vm { address, syndrome, instruction } => {
                words[..4].copy_from_slice(&[restart_pc, address, instruction.into(), syndrome]);
                (FaultLabel::Vm, 4)
            }
            Fault::VgicMaintenance { index } => {
                words[0] = index.map_or(u64::MAX, u64::from);
                (FaultLabel::VgicMaintenance, 1)
            }
            Fault::Vcpu { syndrome } => {
                words[0] = syndrome;
                (FaultLabel::Vcpu, 1)
            }
            Fault::Vppi { intid } => {
                words[0] = intid.into();
                (FaultLabel::VppiEvent, 1)
            }
        };
        let mut written = 0;
        for (index, word) in words[..count].iter().enumerate() {
            if !self.set_message_word(receiver, to, index, *word) {
                break;
            }
            written += 1;
        }
        MessageInfo::new(label as u64, 0, 0, written)
    }

    /// Takes registers over from the handler's reply; returns whether the thread goes on.
    pub(super) fn apply_fault_reply(&mut self, faulter: Handle<Tcb>, handler: Handle<Tcb>) -> bool {
        let info = MessageInfo::from_word(self.tcb(handler).context.x[1].get());
        let from = self.ipc_buffer(handler, false);
        let length = info.length() as usize;
        let length = if from.is_some() { length } else { length.min(MessageInfo::REGISTERS) };
        let fault = self.tcb(faulter).fault.get();
        let word = |index| self.message_word(handler, from, index);
        let context = &self.tcb(faulter).context;
        match fault {
            Some(Fault::UnknownSyscall { .. }) => {
                for index in 0..length.min(SYSCALL_REPLY_WORDS) {
                    let value = word(index);
                    match index {
                        0..8 => context.x[index].set(value),
                        8 => context.restart_pc.set(value),
                        9 => context.sp.set(value),
                        10 => context.pc.set(value),
                        _ => self.tcb(faulter).set_pstate(value),
                    }
                }
                info.label() == 0
            }
            Some(Fault::User { .. }) => {
                for index in 0..length.min(EXCEPTION_REPLY_WORDS) {
                    let value = word(index);
                    match index {
                        0 => context.restart_pc.set(value),
                        1 => context.sp.set(value),
                        _ => self.tcb(faulter).set_pstate(value),
                    }
                }
                info.label() == 0
            }
            Some(
                Fault::Cap { .. }
                | Fault::Vm { .. }
                | Fault::VgicMaintenance { .. }
                | Fault::Vcpu { .. }
                | Fault::Vppi { .. },
            )
            | None => true,
        }
    }
}
