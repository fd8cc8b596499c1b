//! Invocations of threads that change what they are: priorities, registers, what is bound to them.

use alloc::vec::Vec;

use sluice_abi::{FPU_DISABLED, PhysAddr, Register, USER_CONTEXT_WORDS, USER_FRAME_WORDS};

use crate::registers::allowed_pstate;
use crate::step::{Answer, Stepped};
use crate::{Cap, Object, Refused, Slot, State, Thread};

impl State {
    pub(crate) fn invoked_thread(&self, slot: Slot) -> Result<PhysAddr, Refused> {
        if let Cap::Thread(thread) = self.invoked(slot)? { Ok(thread) } else { Err(Refused::IllegalOperation) }
    }

    fn with_thread(&self, slot: Slot, change: impl FnOnce(&mut Thread)) -> Stepped {
        let thread = self.invoked_thread(slot)?;
        Ok(self.changed(|after| {
            if let Some(thread) = after.thread_mut(thread) {
                change(thread);
            }
        }))
    }

    pub(crate) fn set_priorities(
        &self,
        slot: Slot,
        authority: Slot,
        max_priority: Option<u64>,
        priority: Option<u64>,
    ) -> Stepped {
        self.invoked_thread(slot)?;
        let Some(Cap::Thread(authority)) = self.cap(authority) else { return Err(Refused::InvalidCapability(1)) };
        let max = self.thread(authority).map_or(0, |thread| thread.max_priority.into());
        if max_priority.into_iter().chain(priority).any(|given| given > max) {
            return Err(Refused::Range { min: 0, max });
        }
        self.with_thread(slot, |thread| {
            thread.max_priority = max_priority.map_or(thread.max_priority, |given| given as u8);
            thread.priority = priority.map_or(thread.priority, |given| given as u8);
        })
    }

    pub(crate) fn read_registers(&self, caller: PhysAddr, slot: Slot, suspend: bool, count: u64) -> Stepped {
        let thread = self.invoked_thread(slot)?;
        let max = USER_CONTEXT_WORDS as u64;
        if !(1..=max).contains(&count) {
            return Err(Refused::Range { min: 1, max });
        }
        if thread == caller {
            return Err(Refused::IllegalOperation);
        }
        let Answer { state, .. } = self.changed(|after| {
            if suspend {
                after.suspend(thread);
            }
        });
        let registers = state.thread(thread).map(|thread| &thread.registers);
        let shown = Register::ORDER.into_iter().take(count as usize);
        let words = registers.map_or_else(Vec::new, |registers| shown.map(|shown| registers.get(shown)).collect());
        Ok(Answer { state, words })
    }

    pub(crate) fn write_registers(&self, caller: PhysAddr, slot: Slot, resume: bool, values: &[u64]) -> Stepped {
        let thread = self.invoked_thread(slot)?;
        if thread == caller {
            return Err(Refused::IllegalOperation);
        }
        Ok(self.changed(|after| {
            if let Some(thread) = after.thread_mut(thread) {
                for (register, value) in Register::ORDER.into_iter().zip(values) {
                    thread.write(register, *value);
                }
            }
            if resume {
                after.resume(thread);
            }
        }))
    }

    /// `which`: suspend the source, resume the thread, copy the frame registers, copy the others.
    pub(crate) fn copy_registers(&self, slot: Slot, source: Slot, which: [bool; 4]) -> Stepped {
        let [suspend, resume, frame, integer] = which;
        let thread = self.invoked_thread(slot)?;
        let Some(Cap::Thread(source)) = self.cap(source) else { return Err(Refused::InvalidCapability(1)) };
        Ok(self.changed(|after| {
            if suspend {
                after.suspend(source);
            }
            if resume {
                after.resume(thread);
            }
            let Some(from) = after.thread(source).map(|source| source.registers.clone()) else { return };
            let Some(thread) = after.thread_mut(thread) else { return };
            for (index, register) in Register::ORDER.into_iter().enumerate() {
                if if index < USER_FRAME_WORDS { frame } else { integer } {
                    thread.write(register, from.get(register));
                }
            }
        }))
    }

    pub(crate) fn set_tls_base(&self, slot: Slot, base: u64) -> Stepped {
        self.with_thread(slot, |thread| thread.registers.set(Register::TpidrEl0, base))
    }

    pub(crate) fn set_flags(&self, slot: Slot, clear: u64, set: u64) -> Stepped {
        let mut flags = 0;
        let answer = self.with_thread(slot, |thread| {
            thread.flags = thread.flags & !clear | set & FPU_DISABLED;
            flags = thread.flags;
        })?;
        Ok(Answer { words: alloc::vec![flags], ..answer })
    }

    pub(crate) fn suspended(&self, slot: Slot) -> Stepped {
        let thread = self.invoked_thread(slot)?;
        Ok(self.changed(|after| after.suspend(thread)))
    }

    pub(crate) fn resumed(&self, slot: Slot) -> Stepped {
        let thread = self.invoked_thread(slot)?;
        Ok(self.changed(|after| after.resume(thread)))
    }

    pub(crate) fn bind_notification(&self, slot: Slot, notification: Slot) -> Stepped {
        let thread = self.invoked_thread(slot)?;
        let free = self.thread(thread).is_some_and(|thread| thread.notification.is_none());
        let object = match self.cap(notification) {
            Some(Cap::Notification { object, rights, .. }) if rights.read => object,
            _ => return Err(Refused::IllegalOperation),
        };
        match self.objects.get(&object) {
            Some(Object::Notification { bound: None, waiting, .. }) if free && waiting.is_empty() => {}
            _ => return Err(Refused::IllegalOperation),
        }
        Ok(self.changed(|after| {
            if let Some(Object::Notification { bound, .. }) = after.objects.get_mut(&object) {
                *bound = Some(thread);
            }
            if let Some(thread) = after.thread_mut(thread) {
                thread.notification = Some(object);
            }
        }))
    }

    pub(crate) fn unbound(&self, slot: Slot) -> Stepped {
        let thread = self.invoked_thread(slot)?;
        match self.thread(thread) {
            Some(found) if found.notification.is_some() => Ok(self.changed(|after| after.unbind_notification(thread))),
            _ => Err(Refused::IllegalOperation),
        }
    }

    pub(crate) fn unbind_notification(&mut self, thread: PhysAddr) {
        let Some(notification) = self.thread_mut(thread).and_then(|thread| thread.notification.take()) else { return };
        if let Some(Object::Notification { bound, .. }) = self.objects.get_mut(&notification) {
            *bound = None;
        }
    }
}

impl Thread {
    /// Puts a value into a register, as far as the thread may have it; the program counter is also where it goes on.
    pub(crate) fn write(&mut self, register: Register, value: u64) {
        let value = if register == Register::Spsr { allowed_pstate(value, self.vcpu.is_some()) } else { value };
        self.registers.set(register, value);
        if register == Register::Pc {
            self.next = value;
        }
    }
}
