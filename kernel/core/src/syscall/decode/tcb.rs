//! Invocations of threads.

use sluice_abi::{CPtr, CapRights, Label, USER_CONTEXT_WORDS, ipc_buffer};
use sluice_paging::Format;

use super::super::invocation::{Derived, NewBuffer, NewSpace, TcbInvocation};
use super::{Decoded, Request};
use crate::Kernel;
use crate::cap::{Cap, VSpace, update_data};
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::object::{Tcb, TcbSlot};
use crate::store::Handle;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn decode_tcb(
        &self,
        request: &Request,
        label: Option<Label>,
        thread: Handle<Tcb>,
    ) -> Decoded<TcbInvocation> {
        let invocation = match label.ok_or(SyscallError::IllegalOperation)? {
            Label::TcbReadRegisters => self.decode_read_registers(request, thread)?,
            Label::TcbWriteRegisters => self.decode_write_registers(request, thread)?,
            Label::TcbCopyRegisters => self.decode_copy_registers(request)?,
            Label::TcbConfigure => self.decode_configure(request, thread)?,
            Label::TcbSetPriority => {
                Self::expect(request, 1, 1)?;
                let priority = Some(self.priority(request, 0)?);
                TcbInvocation::SetPriorities { max_priority: None, priority }
            }
            Label::TcbSetMcPriority => {
                Self::expect(request, 1, 1)?;
                let max_priority = Some(self.priority(request, 0)?);
                TcbInvocation::SetPriorities { max_priority, priority: None }
            }
            Label::TcbSetSchedParams => {
                Self::expect(request, 2, 1)?;
                let max_priority = Some(self.priority(request, 0)?);
                TcbInvocation::SetPriorities { max_priority, priority: Some(self.priority(request, 1)?) }
            }
            Label::TcbSetIpcBuffer => {
                Self::expect(request, 1, 1)?;
                let buffer = Some(self.new_buffer(request, self.word(request, 0), 0)?);
                TcbInvocation::Configure { space: None, buffer }
            }
            Label::TcbSetSpace => {
                Self::expect(request, 3, 2)?;
                TcbInvocation::Configure { space: Some(self.new_space(request, thread)?), buffer: None }
            }
            Label::TcbSuspend => TcbInvocation::Suspend,
            Label::TcbResume => TcbInvocation::Resume,
            Label::TcbBindNotification => self.decode_bind(request, thread)?,
            Label::TcbUnbindNotification if self.tcb(thread).bound_notification.get().is_some() => {
                TcbInvocation::UnbindNotification
            }
            Label::TcbSetTlsBase => {
                Self::expect(request, 1, 0)?;
                TcbInvocation::SetTlsBase(self.word(request, 0))
            }
            Label::TcbSetFlags => {
                Self::expect(request, 2, 0)?;
                TcbInvocation::SetFlags { clear: self.word(request, 0), set: self.word(request, 1) }
            }
            _ => return Err(SyscallError::IllegalOperation),
        };
        Ok(invocation)
    }

    fn decode_read_registers(&self, request: &Request, thread: Handle<Tcb>) -> Decoded<TcbInvocation> {
        Self::expect(request, 2, 0)?;
        let (flags, count) = (self.word(request, 0), self.word(request, 1));
        let max = USER_CONTEXT_WORDS as u64;
        if !(1..=max).contains(&count) {
            return Err(SyscallError::Range { min: 1, max });
        }
        if Some(thread) == self.current {
            return Err(SyscallError::IllegalOperation);
        }
        Ok(TcbInvocation::ReadRegisters { suspend: flags & 1 != 0, count: count as usize })
    }

    fn decode_write_registers(&self, request: &Request, thread: Handle<Tcb>) -> Decoded<TcbInvocation> {
        Self::expect(request, 2, 0)?;
        let (flags, count) = (self.word(request, 0), self.word(request, 1));
        if ((request.length - 2) as u64) < count {
            return Err(SyscallError::Truncated);
        }
        if Some(thread) == self.current {
            return Err(SyscallError::IllegalOperation);
        }
        let count = (count as usize).min(USER_CONTEXT_WORDS);
        Ok(TcbInvocation::WriteRegisters { resume: flags & 1 != 0, count })
    }

    fn decode_copy_registers(&self, request: &Request) -> Decoded<TcbInvocation> {
        Self::expect(request, 1, 1)?;
        let flags = self.word(request, 0);
        let (_, Cap::Thread(source)) = self.extra(request, 0)? else { return Err(SyscallError::InvalidCapability(1)) };
        let flag = |bit: u32| flags >> bit & 1 != 0;
        Ok(TcbInvocation::CopyRegisters { source, suspend: flag(0), resume: flag(1), frame: flag(2), integer: flag(3) })
    }

    fn decode_configure(&self, request: &Request, thread: Handle<Tcb>) -> Decoded<TcbInvocation> {
        Self::expect(request, 4, 3)?;
        let buffer = self.new_buffer(request, self.word(request, 3), 2)?;
        Ok(TcbInvocation::Configure { space: Some(self.new_space(request, thread)?), buffer: Some(buffer) })
    }

    fn new_buffer(&self, request: &Request, address: u64, cap: usize) -> Decoded<NewBuffer> {
        let (source, cap) = self.extra(request, cap)?;
        if address == 0 {
            return Ok(NewBuffer { address, frame: None });
        }
        let derived = self.derive(source, cap)?;
        match derived.cap {
            Cap::Frame(frame) if !frame.device => {}
            _ => return Err(SyscallError::IllegalOperation),
        }
        if address & ((1 << ipc_buffer::SIZE_BITS) - 1) != 0 {
            return Err(SyscallError::Alignment);
        }
        Ok(NewBuffer { address, frame: Some(derived) })
    }

    /// Words: fault handler, CSpace data, VSpace data. Capabilities: CSpace root, VSpace root.
    fn new_space(&self, request: &Request, thread: Handle<Tcb>) -> Decoded<NewSpace> {
        let long = |slot: TcbSlot| self.is_long_to_delete(thread.slot(slot as u64));
        if long(TcbSlot::CSpace) || long(TcbSlot::VSpace) {
            return Err(SyscallError::IllegalOperation);
        }
        let cspace = self.derive_with_data(request, 0, self.word(request, 1))?;
        let Cap::CNode(_) = cspace.cap else { return Err(SyscallError::IllegalOperation) };
        let vspace = self.derive_with_data(request, 1, self.word(request, 2))?;
        let Cap::VSpace(VSpace { asid: Some(asid), .. }) = vspace.cap else {
            return Err(SyscallError::IllegalOperation);
        };
        // The CPU walks stage 2 only.
        if self.format_of(asid) != Format::STAGE2 {
            return Err(SyscallError::IllegalOperation);
        }
        Ok(NewSpace { fault_handler: CPtr(self.word(request, 0)), cspace, vspace })
    }

    fn derive_with_data(&self, request: &Request, cap: usize, data: u64) -> Decoded<Derived> {
        let (source, cap) = self.extra(request, cap)?;
        self.derive(source, if data == 0 { cap } else { update_data(false, data, cap) })
    }

    /// A priority in message word `index` that extra capability 0, a thread, may give.
    fn priority(&self, request: &Request, index: usize) -> Decoded<u8> {
        let priority = self.word(request, index);
        let (_, Cap::Thread(authority)) = self.extra(request, 0)? else {
            return Err(SyscallError::InvalidCapability(1));
        };
        let max = u64::from(self.tcb(authority).max_priority.get());
        if priority > max { Err(SyscallError::Range { min: 0, max }) } else { Ok(priority as u8) }
    }

    fn decode_bind(&self, request: &Request, thread: Handle<Tcb>) -> Decoded<TcbInvocation> {
        let (_, cap) = self.extra(request, 0)?;
        match cap {
            Cap::Notification(cap)
                if self.tcb(thread).bound_notification.get().is_none()
                    && cap.rights.contains(CapRights::READ)
                    && self.get(cap.object).queue.head().is_none()
                    && self.get(cap.object).bound_thread().is_none() =>
            {
                Ok(TcbInvocation::BindNotification(cap.object))
            }
            _ => Err(SyscallError::IllegalOperation),
        }
    }
}
