//! Entry into the kernel: system calls, exceptions, interrupts.
//!
//! An invocation is decoded without changing anything, then carried out: what decoding refuses leaves no trace.

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "labels of other objects and capabilities of other kinds are refused alike, whatever is added to them"
)]
mod decode;
mod invocation;
mod invoke;
mod registers;
mod reply;
mod serve;

use sluice_abi::{CPtr, CapRights, LookupFailure, MessageInfo, Syscall};
use sluice_smmu::Issued;

use self::decode::Request;
use crate::Kernel;
use crate::cap::{Cap, EndpointCap, NotificationCap};
use crate::hal::Hal;
use crate::object::{Fault, Tcb, TcbSlot};
use crate::store::{Handle, SlotRef};

/// Whether the invoker waits until the message is taken, and whether it wants an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Manner {
    blocking: bool,
    call: bool,
}

impl<H: Hal> Kernel<H> {
    /// Handles the system call of the current thread, whose registers are saved, with `x7` as its number.
    pub fn enter_syscall(&mut self) {
        if !self.enter_common_syscall() {
            self.enter_any_syscall();
        }
    }

    /// As [`Kernel::enter_syscall`], without a look for common cases, which changes nothing but the time it takes.
    pub fn enter_any_syscall(&mut self) {
        if let Some(thread) = self.current {
            let context = &self.tcb(thread).context;
            context.set_restart();
            let number = context.x[7].get();
            match Syscall::from_word(number) {
                Some(call) if self.offers(call) => self.handle_syscall(thread, call),
                Some(_) | None => self.raise(thread, Fault::UnknownSyscall { number }),
            }
        }
        self.schedule();
        self.check_after_call();
    }

    /// Handles an exception of the current thread that is no system call; its registers are saved.
    pub fn enter_fault(&mut self, fault: Fault) {
        if let Some(thread) = self.current {
            let context = &self.tcb(thread).context;
            context.restart_pc.set(context.pc.get());
            self.raise(thread, fault);
        }
        self.schedule();
        self.check_nearby();
    }

    /// Handles an interrupt the controller reported.
    pub fn enter_interrupt(&mut self, intid: u32) {
        if let Some(thread) = self.current {
            let context = &self.tcb(thread).context;
            context.restart_pc.set(context.pc.get());
        }
        self.handle_interrupt(intid);
        self.schedule();
        self.check_nearby();
    }

    /// Whether `call` is there for the current thread. A guest's `hvc` is a system call so that it can be emulated: what a
    /// debug kernel offers to native programs, the machine's console and its end among it, is not for guests.
    const fn offers(&self, call: Syscall) -> bool {
        Self::has(call) && !(call.is_debug() && self.is_in_guest())
    }

    /// Whether this build of the kernel has `call`.
    const fn has(call: Syscall) -> bool {
        (cfg!(debug_assertions) || !call.is_debug()) && (H::MEASURES || !call.is_benchmark())
    }

    fn handle_syscall(&mut self, thread: Handle<Tcb>, call: Syscall) {
        match call {
            Syscall::Call => self.handle_invocation(thread, Manner { blocking: true, call: true }),
            Syscall::Send => self.handle_invocation(thread, Manner { blocking: true, call: false }),
            Syscall::NbSend => self.handle_invocation(thread, Manner { blocking: false, call: false }),
            Syscall::Recv => self.handle_receive(thread, true),
            Syscall::NbRecv => self.handle_receive(thread, false),
            Syscall::Reply => self.reply_to_caller(thread),
            Syscall::ReplyRecv => {
                self.reply_to_caller(thread);
                self.handle_receive(thread, true);
            }
            Syscall::Yield => self.yield_current(),
            Syscall::DebugPutChar => self.hal.put_byte(self.tcb(thread).context.x[0].get() as u8),
            Syscall::DebugDumpScheduler => crate::debug::dump_current(self),
            Syscall::DebugSnapshot => {
                let named = CPtr(self.tcb(thread).context.x[0].get());
                match self.lookup_slot(thread, named).map(|slot| (slot, self.cap(slot))) {
                    Ok((_, Cap::Thread(named))) => self.print_space(named),
                    Ok((slot, Cap::Untyped(named))) => self.print_made(slot, named),
                    Ok(_) | Err(_) => {
                        self.check_everything();
                        crate::debug::dump_current(self);
                        self.print_reach();
                    }
                }
            }
            Syscall::DebugCensus => {
                let census = self.census();
                let registers = &self.tcb(thread).context.x;
                registers.iter().zip(census).for_each(|(register, word)| register.set(word));
            }
            Syscall::DebugHalt => self.hal.power_off(),
            Syscall::DebugCapIdentify => {
                let cptr = CPtr(self.tcb(thread).context.x[0].get());
                let tag = self.lookup_slot(thread, cptr).map_or(0, |slot| self.cap(slot).tag() as u64);
                self.tcb(thread).context.x[0].set(tag);
            }
            Syscall::DebugNameThread => self.name_thread(thread),
            Syscall::BenchmarkNull => {}
            Syscall::BenchmarkSmmuCommands => {
                let context = &self.tcb(thread).context;
                let unit = u8::try_from(context.x[0].get()).ok().and_then(|smmu| self.smmus.unit(smmu));
                let Issued { commands, syncs } = unit.map_or(Issued::default(), |unit| unit.driver.issued());
                context.x[0].set(commands);
                context.x[1].set(syncs);
            }
        }
    }

    fn name_thread(&mut self, thread: Handle<Tcb>) {
        let cptr = CPtr(self.tcb(thread).context.x[0].get());
        let named = self.lookup_slot(thread, cptr).map(|slot| self.cap(slot));
        let (Ok(Cap::Thread(named)), Some(buffer)) = (named, self.ipc_buffer(thread, false)) else { return };
        let mut name = [0; 16];
        for (index, chunk) in name.chunks_exact_mut(8).enumerate() {
            chunk.copy_from_slice(&buffer.message(&self.hal, index).to_le_bytes());
        }
        if let Some(end) = name.iter().position(|byte| *byte == 0) {
            name[end..].fill(0);
        }
        self.tcb(named).name.set(name);
    }

    fn handle_invocation(&mut self, thread: Handle<Tcb>, manner: Manner) {
        let context = &self.tcb(thread).context;
        let cptr = CPtr(context.x[0].get());
        let info = MessageInfo::from_word(context.x[1].get());
        let slot = match self.lookup_slot(thread, cptr) {
            Ok(slot) => slot,
            Err(failure) if manner.blocking => return self.raise_cap_fault(thread, cptr, false, failure),
            Err(_) => return,
        };
        if info.extra_caps() == 0 && self.pass_on(thread, slot, manner) {
            return;
        }
        let buffer = self.ipc_buffer(thread, false);
        let caps = match self.lookup_extra_caps(thread, buffer, info) {
            Ok(caps) => caps,
            Err(bad) if manner.blocking => return self.raise_cap_fault(thread, bad.cptr, false, bad.failure),
            Err(_) => return,
        };
        let length = info.length() as usize;
        let length = if buffer.is_some() { length } else { length.min(MessageInfo::REGISTERS) };
        let request = Request { thread, slot, label: info.label(), length, buffer, caps };
        self.serve(&request, manner);
    }

    /// Sends or signals through the capability in `slot`, if that is what it is for: there is nothing to decode then.
    fn pass_on(&mut self, thread: Handle<Tcb>, slot: SlotRef, manner: Manner) -> bool {
        if let Some(cap) = self.read::<EndpointCap>(slot)
            && cap.rights.contains(CapRights::WRITE)
        {
            self.send(thread, cap.sender(manner.call), manner.blocking);
            true
        } else if let Some(cap) = self.read::<NotificationCap>(slot)
            && cap.rights.contains(CapRights::WRITE)
            && !manner.call
        {
            self.signal(cap.object, cap.badge);
            true
        } else {
            false
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing can be received from any other kind")]
    fn handle_receive(&mut self, thread: Handle<Tcb>, blocking: bool) {
        let cptr = CPtr(self.tcb(thread).context.x[0].get());
        let cap = match self.lookup_slot(thread, cptr) {
            Ok(slot) => self.cap(slot),
            Err(failure) => return self.raise_cap_fault(thread, cptr, true, failure),
        };
        match cap {
            Cap::Endpoint(endpoint) if endpoint.rights.contains(CapRights::READ) => {
                self.trace_dropped(thread);
                self.delete_one(thread.slot(TcbSlot::Caller as u64));
                self.receive(thread, endpoint, blocking);
            }
            Cap::Notification(notification)
                if notification.rights.contains(CapRights::READ)
                    && self.get(notification.object).bound_thread().is_none_or(|bound| bound == thread) =>
            {
                self.wait(thread, notification.object, blocking);
            }
            _ => self.raise_cap_fault(thread, cptr, true, LookupFailure::MissingCapability { bits_left: 0 }),
        }
    }
}
