//! Faults: who is told, in which words, and what an answer does.

use alloc::vec::Vec;

use sluice_abi::fault::{FaultLabel, UNKNOWN_SYSCALL_WORDS};
use sluice_abi::{MessageInfo, PhysAddr, Register};

use crate::transfer::Said;
use crate::{Buffer, Cap, Doing, Fault, Happening, Sending, State, Thread};

/// Registers in the message about an unknown system call, before the program counter.
const GENERAL: usize = 8;

impl Happening {
    /// A thread cannot go on: it calls its handler, or does nothing where there is none that it may call.
    pub(crate) fn raise(&mut self, thread: PhysAddr, fault: Fault) {
        let handler = self.state.thread(thread).map_or(0, |thread| thread.handler);
        let cap = self.state.lookup(thread, handler).ok().and_then(|slot| self.state.cap(slot));
        match cap {
            Some(Cap::Endpoint { object: endpoint, badge, rights })
                if rights.write && (rights.grant || rights.grant_reply) =>
            {
                if let Some(thread) = self.state.thread_mut(thread) {
                    thread.fault = Some(fault);
                }
                let (grant, grant_reply, buffer) = (rights.grant, rights.grant_reply, Buffer::default());
                self.send(thread, Sending { endpoint, badge, grant, grant_reply, call: true, buffer }, true);
            }
            _ => self.state.set_doing(thread, Doing::Nothing),
        }
    }
}

impl State {
    /// Label and words of the message about a fault.
    pub(crate) fn fault_message(&self, thread: PhysAddr, fault: Fault) -> (FaultLabel, Vec<u64>) {
        let found = self.thread(thread);
        let register = |register| found.map_or(0, |thread| thread.registers.get(register));
        let (pc, sp, spsr) = (register(Register::Pc), register(Register::Sp), register(Register::Spsr));
        match fault {
            Fault::Capability { cptr, receiving, failure } => {
                let (kind, details, count) = failure.words();
                let words = [pc, cptr, receiving.into(), kind];
                (FaultLabel::Cap, words.iter().chain(&details[..count]).copied().collect())
            }
            Fault::UnknownSystemCall(number) => {
                let next = found.map_or(0, |thread| thread.next);
                let general = (0..GENERAL as u8).map(|number| register(Register::X(number)));
                (FaultLabel::UnknownSyscall, general.chain([pc, sp, next, spsr, number]).collect())
            }
            Fault::Exception(number) => (FaultLabel::UserException, [pc, sp, spsr, number, 0].to_vec()),
            Fault::Page { address, syndrome, instruction } => {
                (FaultLabel::Vm, [pc, address, instruction.into(), syndrome].to_vec())
            }
            Fault::Guest(syndrome) => (FaultLabel::Vcpu, [syndrome].to_vec()),
            Fault::Timer(intid) => (FaultLabel::VppiEvent, [intid.into()].to_vec()),
            Fault::Maintenance(place) => (FaultLabel::VgicMaintenance, [place.map_or(u64::MAX, u64::from)].to_vec()),
        }
    }

    /// What a handler's answer makes of the thread's registers; whether the thread goes on.
    pub(crate) fn take_fault_reply(&mut self, thread: PhysAddr, handler: PhysAddr, buffer: &Buffer) -> bool {
        let Said { info, words } = self.said(handler, buffer);
        let Some(found) = self.thread_mut(thread) else { return false };
        let places: &[fn(&mut Thread, u64)] = match found.fault {
            Some(Fault::UnknownSystemCall(_)) => {
                for (number, word) in words.iter().enumerate().take(GENERAL) {
                    found.registers.set(Register::X(number as u8), *word);
                }
                &[
                    |thread, word| thread.registers.set(Register::Pc, word),
                    |thread, word| thread.registers.set(Register::Sp, word),
                    |thread, word| thread.next = word,
                    |thread, word| thread.write(Register::Spsr, word),
                ]
            }
            Some(Fault::Exception(_)) => &[
                |thread, word| thread.registers.set(Register::Pc, word),
                |thread, word| thread.registers.set(Register::Sp, word),
                |thread, word| thread.write(Register::Spsr, word),
            ],
            Some(
                Fault::Capability { .. }
                | Fault::Page { .. }
                | Fault::Guest(_)
                | Fault::Timer(_)
                | Fault::Maintenance(_),
            )
            | None => return true,
        };
        let first = if matches!(found.fault, Some(Fault::UnknownSystemCall(_))) { GENERAL } else { 0 };
        for (put, word) in places.iter().zip(words.iter().skip(first)) {
            put(found, *word);
        }
        info.label() == 0
    }
}

const _: () = assert!(GENERAL + 5 == UNKNOWN_SYSCALL_WORDS);
const _: () = assert!(MessageInfo::REGISTERS == 4);
