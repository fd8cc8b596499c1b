//! Threads.

use sluice_abi::{FPU_DISABLED, Register};

use super::super::decode::Request;
use super::super::invocation::{Derived, NewBuffer, NewSpace, TcbInvocation};
use super::super::reply::Outcome;
use crate::Kernel;
use crate::cap::{Cap, same_object};
use crate::error::Preempted;
use crate::hal::Hal;
use crate::object::{Tcb, TcbSlot};
use crate::store::{Handle, SlotRef};

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn invoke_tcb(
        &mut self,
        request: &Request,
        thread: Handle<Tcb>,
        invocation: TcbInvocation,
    ) -> Result<Outcome, Preempted> {
        match invocation {
            TcbInvocation::ReadRegisters { suspend, count } => {
                if suspend {
                    self.suspend(thread);
                }
                return Ok(Outcome::Registers(thread, count));
            }
            TcbInvocation::WriteRegisters { resume, count } => {
                for (index, register) in Register::ORDER.into_iter().enumerate().take(count) {
                    // Two words before the registers: flags and count.
                    let value = self.message_word(request.thread, request.buffer, index + 2);
                    self.write_register(thread, register, value);
                }
                if resume {
                    self.restart(thread);
                }
            }
            TcbInvocation::CopyRegisters { source, suspend, resume, frame, integer } => {
                if suspend {
                    self.suspend(source);
                }
                if resume {
                    self.restart(thread);
                }
                self.copy_registers(thread, source, frame, integer);
                if self.current == Some(thread) {
                    self.reschedule();
                }
            }
            TcbInvocation::Configure { space, buffer } => return self.configure(request.slot, thread, space, buffer),
            TcbInvocation::SetPriorities { max_priority, priority } => {
                if let Some(max_priority) = max_priority {
                    self.tcb(thread).max_priority.set(max_priority);
                }
                if let Some(priority) = priority {
                    self.set_priority(thread, priority);
                }
            }
            TcbInvocation::Suspend => self.suspend(thread),
            TcbInvocation::Resume => self.restart(thread),
            TcbInvocation::BindNotification(notification) => self.bind_notification(thread, notification),
            TcbInvocation::UnbindNotification => self.unbind_notification(thread),
            TcbInvocation::SetTlsBase(base) => self.tcb(thread).context.tpidr.set(base),
            TcbInvocation::SetFlags { clear, set } => {
                let flags = (self.tcb(thread).flags.get() & !clear) | set & FPU_DISABLED;
                self.tcb(thread).flags.set(flags);
                if flags & FPU_DISABLED != 0 {
                    self.take_fpu_from(thread);
                }
                return Ok(Outcome::word(flags));
            }
        }
        Ok(Outcome::Done)
    }

    fn configure(
        &mut self,
        own_slot: SlotRef,
        thread: Handle<Tcb>,
        space: Option<NewSpace>,
        buffer: Option<NewBuffer>,
    ) -> Result<Outcome, Preempted> {
        if let Some(space) = space {
            self.tcb(thread).fault_handler.set(space.fault_handler.0);
            self.replace(own_slot, thread, TcbSlot::CSpace, Some(space.cspace))?;
            self.replace(own_slot, thread, TcbSlot::VSpace, Some(space.vspace))?;
        }
        if let Some(NewBuffer { address, frame }) = buffer {
            let slot = thread.slot(TcbSlot::Buffer as u64);
            self.delete(slot)?;
            self.tcb(thread).ipc_buffer.set(address);
            self.replace(own_slot, thread, TcbSlot::Buffer, frame)?;
        }
        if self.current == Some(thread) {
            self.reschedule();
        }
        Ok(Outcome::Done)
    }

    /// Puts a derived capability into a thread's slot, unless emptying that slot has removed the thread or the source.
    fn replace(
        &mut self,
        own_slot: SlotRef,
        thread: Handle<Tcb>,
        which: TcbSlot,
        new: Option<Derived>,
    ) -> Result<(), Preempted> {
        let slot = thread.slot(which as u64);
        self.delete(slot)?;
        if let Some(Derived { cap, source }) = new
            && same_object(&cap, &self.cap(source))
            && same_object(&Cap::Thread(thread), &self.cap(own_slot))
        {
            self.insert(cap, source, slot);
        }
        Ok(())
    }
}
