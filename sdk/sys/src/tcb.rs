//! Threads.

use sluice_abi::{CPtr, Label, Register, USER_CONTEXT_WORDS, VirtAddr};

use crate::{CNode, Failure, Frame, Message, Notification, VSpace, capability, invoke};

capability! {
    /// The capability to a thread.
    Tcb
}

/// What a thread needs to run: where its capabilities, memory and faults go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Configuration {
    /// Fault endpoint, as a pointer into the thread's own CSpace; 0 for none.
    pub fault_endpoint: CPtr,
    /// Root of its CSpace.
    pub cspace: CNode,
    /// Guard of that root (`abi::cap::cnode_data`); 0 keeps the capability's own.
    pub cspace_data: u64,
    /// Its address space.
    pub vspace: VSpace,
    /// Address of its IPC buffer.
    pub buffer: VirtAddr,
    /// Frame that holds the buffer.
    pub buffer_frame: Frame,
}

/// Whether a thread runs once its registers are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resume {
    /// It stays as it was.
    Later = 0,
    /// It runs.
    Now = 1,
}

/// The registers of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserContext([u64; USER_CONTEXT_WORDS]);

impl Default for UserContext {
    fn default() -> Self {
        Self([0; USER_CONTEXT_WORDS])
    }
}

impl UserContext {
    /// The value of a register; 0 for one that the context lacks (`x31` and up).
    #[must_use]
    pub fn get(&self, register: Register) -> u64 {
        position(register).map_or(0, |index| self.0[index])
    }

    /// The context with `register` set.
    ///
    /// # Panics
    /// When the context has no such register.
    #[must_use]
    pub fn with(mut self, register: Register, value: u64) -> Self {
        let Some(index) = position(register) else { panic!("{register:?} is no register of the context") };
        self.0[index] = value;
        self
    }
}

fn position(register: Register) -> Option<usize> {
    Register::ORDER.iter().position(|each| *each == register)
}

impl Tcb {
    /// Sets CSpace, VSpace, fault endpoint and IPC buffer at once.
    ///
    /// # Errors
    /// When a capability is of the wrong kind or the buffer is not aligned.
    pub fn configure(self, configuration: &Configuration) -> Result<(), Failure> {
        invoke(self.0, &configure(configuration)).map(drop)
    }

    /// Sets CSpace, VSpace and fault endpoint.
    ///
    /// # Errors
    /// When a capability is of the wrong kind.
    pub fn set_space(self, faults: CPtr, cspace: CNode, cspace_data: u64, vspace: VSpace) -> Result<(), Failure> {
        invoke(self.0, &set_space(faults, cspace, cspace_data, vspace)).map(drop)
    }

    /// Sets the IPC buffer.
    ///
    /// # Errors
    /// When the frame is a device's or the address is not aligned.
    pub fn set_ipc_buffer(self, buffer: VirtAddr, frame: Frame) -> Result<(), Failure> {
        let message = Message::invocation(Label::TcbSetIpcBuffer, [buffer.0]).with_cap(frame.cptr());
        invoke(self.0, &message).map(drop)
    }

    /// Sets the priority, at most the maximum controlled priority of `authority`.
    ///
    /// # Errors
    /// When the priority is above what `authority` allows.
    pub fn set_priority(self, authority: Tcb, priority: u8) -> Result<(), Failure> {
        let message = Message::invocation(Label::TcbSetPriority, [u64::from(priority)]).with_cap(authority.cptr());
        invoke(self.0, &message).map(drop)
    }

    /// Sets the maximum controlled priority.
    ///
    /// # Errors
    /// When it is above that of `authority`.
    pub fn set_mc_priority(self, authority: Tcb, mcp: u8) -> Result<(), Failure> {
        let message = Message::invocation(Label::TcbSetMcPriority, [u64::from(mcp)]).with_cap(authority.cptr());
        invoke(self.0, &message).map(drop)
    }

    /// Sets the maximum controlled priority and the priority.
    ///
    /// # Errors
    /// When one is above what `authority` allows.
    pub fn set_sched_params(self, authority: Tcb, mcp: u8, priority: u8) -> Result<(), Failure> {
        invoke(self.0, &set_sched_params(authority, mcp, priority)).map(drop)
    }

    /// Lets the thread run.
    ///
    /// # Errors
    /// When the capability is no thread.
    pub fn resume(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::TcbResume, [])).map(drop)
    }

    /// Stops the thread.
    ///
    /// # Errors
    /// When the capability is no thread.
    pub fn suspend(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::TcbSuspend, [])).map(drop)
    }

    /// The thread's registers; it goes on as it was.
    ///
    /// # Errors
    /// When it is the calling thread.
    pub fn read_registers(self) -> Result<UserContext, Failure> {
        let message = Message::invocation(Label::TcbReadRegisters, [0, USER_CONTEXT_WORDS as u64]);
        let reply = invoke(self.0, &message)?;
        Ok(UserContext(reply.words()))
    }

    /// Sets all of the thread's registers.
    ///
    /// # Errors
    /// When it is the calling thread.
    pub fn write_registers(self, context: &UserContext, resume: Resume) -> Result<(), Failure> {
        invoke(self.0, &write_registers(context, resume)).map(drop)
    }

    /// The first registers of the context, in the order of [`Register::ORDER`], as many as `into` takes; the thread goes on
    /// as it was.
    ///
    /// # Errors
    /// When it is the calling thread.
    pub fn read_first_registers(self, into: &mut [u64]) -> Result<(), Failure> {
        let count = into.len().min(USER_CONTEXT_WORDS);
        let reply = invoke(self.0, &Message::invocation(Label::TcbReadRegisters, [0, count as u64]))?;
        for (index, word) in into.iter_mut().take(count).enumerate() {
            *word = reply.word(index);
        }
        Ok(())
    }

    /// Sets the first registers of the context, in the order of [`Register::ORDER`]; the others stay.
    ///
    /// # Errors
    /// When it is the calling thread.
    pub fn write_first_registers(self, registers: &[u64], resume: Resume) -> Result<(), Failure> {
        let count = registers.len().min(USER_CONTEXT_WORDS);
        let mut words = [0; USER_CONTEXT_WORDS + 2];
        words[0] = resume as u64;
        words[1] = count as u64;
        for (word, register) in words[2..].iter_mut().zip(registers) {
            *word = *register;
        }
        let message = Message::invocation(Label::TcbWriteRegisters, words).shortened(2 + count);
        invoke(self.0, &message).map(drop)
    }

    /// Delivers the notification's signals to the thread while it waits on an endpoint.
    ///
    /// # Errors
    /// When either is bound already.
    pub fn bind_notification(self, notification: Notification) -> Result<(), Failure> {
        let message = Message::invocation(Label::TcbBindNotification, []).with_cap(notification.cptr());
        invoke(self.0, &message).map(drop)
    }

    /// Undoes [`Tcb::bind_notification`].
    ///
    /// # Errors
    /// When none is bound.
    pub fn unbind_notification(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::TcbUnbindNotification, [])).map(drop)
    }

    /// Sets the thread pointer.
    ///
    /// # Errors
    /// When the capability is no thread.
    pub fn set_tls_base(self, base: VirtAddr) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::TcbSetTlsBase, [base.0])).map(drop)
    }

    /// Clears and then sets flags; returns what they are now.
    ///
    /// # Errors
    /// When the capability is no thread.
    pub fn set_flags(self, clear: u64, set: u64) -> Result<u64, Failure> {
        invoke(self.0, &Message::invocation(Label::TcbSetFlags, [clear, set])).map(|reply| reply.word(0))
    }
}

fn configure(to: &Configuration) -> Message<4> {
    Message::invocation(Label::TcbConfigure, [to.fault_endpoint.0, to.cspace_data, 0, to.buffer.0])
        .with_cap(to.cspace.cptr())
        .with_cap(to.vspace.cptr())
        .with_cap(to.buffer_frame.cptr())
}

fn set_space(faults: CPtr, cspace: CNode, cspace_data: u64, vspace: VSpace) -> Message<3> {
    Message::invocation(Label::TcbSetSpace, [faults.0, cspace_data, 0]).with_cap(cspace.cptr()).with_cap(vspace.cptr())
}

fn set_sched_params(authority: Tcb, mcp: u8, priority: u8) -> Message<2> {
    Message::invocation(Label::TcbSetSchedParams, [u64::from(mcp), u64::from(priority)]).with_cap(authority.cptr())
}

fn write_registers(context: &UserContext, resume: Resume) -> Message<{ USER_CONTEXT_WORDS + 2 }> {
    let mut words = [0; USER_CONTEXT_WORDS + 2];
    words[0] = resume as u64;
    words[1] = USER_CONTEXT_WORDS as u64;
    words[2..].copy_from_slice(&context.0);
    Message::invocation(Label::TcbWriteRegisters, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configure_has_its_capabilities_in_order() {
        let message = configure(&Configuration {
            fault_endpoint: CPtr(5),
            cspace: CNode::from(20),
            cspace_data: 0x34,
            vspace: VSpace::from(21),
            buffer: VirtAddr(0x1_0010_0000),
            buffer_frame: Frame::from(22),
        });
        assert_eq!((message.label(), message.words()), (5, [5, 0x34, 0, 0x1_0010_0000].as_slice()));
        assert_eq!(message.caps(), [CPtr(20), CPtr(21), CPtr(22)]);
    }

    #[test]
    fn written_registers_are_in_context_order() {
        let context =
            UserContext::default().with(Register::Pc, 1).with(Register::X(0), 2).with(Register::TpidrroEl0, 3);
        let message = write_registers(&context, Resume::Now);
        assert_eq!((message.label(), message.words().len()), (3, 38));
        assert_eq!(message.words()[..6], [1, 36, 1, 0, 0, 2]);
        assert_eq!(message.words()[37], 3);
        assert_eq!(write_registers(&context, Resume::Later).words()[0], 0);
        assert_eq!(context.get(Register::X(0)), 2);
        assert_eq!(context.get(Register::X(31)), 0);
    }

    #[test]
    fn scheduling_parameters_are_mcp_then_priority() {
        let message = set_sched_params(Tcb::from(1), 200, 120);
        assert_eq!((message.label(), message.words()), (8, [200, 120].as_slice()));
        assert_eq!(message.caps(), [CPtr(1)]);
        let message = set_space(CPtr(5), CNode::from(6), 7, VSpace::from(8));
        assert_eq!((message.label(), message.words()), (10, [5, 7, 0].as_slice()));
        assert_eq!(message.caps(), [CPtr(6), CPtr(8)]);
    }
}
