//! Threads of the host's machine: system calls with their registers and buffers filled in.

mod boot;
mod guest;
mod make;
mod reply;
mod thread;

use sluice_abi::{Label, MessageInfo, PhysAddr, Syscall, ipc_buffer};
use sluice_core::cap::Cap;
use sluice_core::object::{Tcb, TcbSlot, ThreadState};
use sluice_core::{Handle, Kernel, SlotRef, Store};

pub(crate) use boot::{
    CONTEXTS, EXTRA, IMAGE, INTIDS, KERNEL_SLOTS, SMMU, SMMU_INTID, STREAM_TABLE, TIMER, kernel, kernel_with_smmu,
    kernel_with_smmus, memory,
};
pub(crate) use guest::Guest;
pub(crate) use make::DEPTH;
pub(crate) use reply::*;
pub(crate) use thread::Thread;

use crate::invariants;
use crate::machine::Machine;
use crate::snapshot::Snapshot;

/// Where each system call returns to; the `svc` is the word before.
pub(crate) const AFTER_SVC: u64 = 0x40_0104;
/// log2 of the root CNode's slots.
pub(crate) const ROOT_BITS: u32 = 10;

/// A booted kernel and what its users know.
pub(crate) struct System {
    pub(crate) kernel: Kernel<Machine>,
    /// The root thread.
    pub(crate) root: Handle<Tcb>,
    /// The next slot of the root CNode nobody uses.
    pub(crate) next_slot: u64,
    /// Slot of the Untyped that objects are made from.
    pub(crate) untyped: u64,
    /// Whether every call is followed by a look at all invariants, and every refused one at everything.
    pub(crate) watched: bool,
    /// Next free address for IPC buffers in the root VSpace.
    next_buffer: u64,
}

/// A message as its receiver finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    pub(crate) badge: u64,
    pub(crate) label: u64,
    pub(crate) unwrapped: u64,
    pub(crate) caps: u64,
    pub(crate) words: Vec<u64>,
}

impl System {
    pub(crate) fn machine(&self) -> &Machine {
        &self.kernel.hal
    }

    pub(crate) fn current(&self) -> Handle<Tcb> {
        self.kernel.current().expect("a running thread")
    }

    /// A slot of the root CNode.
    pub(crate) fn slot(&self, cptr: u64) -> SlotRef {
        let Cap::CNode(root) = self.cap_at(self.root.slot(TcbSlot::CSpace as u64)) else {
            panic!("the root thread has lost its CSpace")
        };
        SlotRef::new(root.base).nth(cptr)
    }

    pub(crate) fn cap_at(&self, slot: SlotRef) -> Cap {
        self.machine().slot(slot).cap()
    }

    /// What is in a slot of the root CNode.
    pub(crate) fn cap(&self, cptr: u64) -> Cap {
        self.cap_at(self.slot(cptr))
    }

    pub(crate) fn state(&self, thread: Handle<Tcb>) -> ThreadState {
        self.kernel.tcb(thread).state.get()
    }

    /// Where a thread's IPC buffer is.
    pub(crate) fn buffer(&self, thread: Handle<Tcb>) -> Option<PhysAddr> {
        let Cap::Frame(frame) = self.cap_at(thread.slot(TcbSlot::Buffer as u64)) else { return None };
        let offset = self.kernel.tcb(thread).ipc_buffer.get() & (frame.size.bytes() - 1);
        Some(frame.base.offset(offset))
    }

    fn set_buffer_word(&self, thread: Handle<Tcb>, offset: u64, value: u64) {
        let buffer = self.buffer(thread).expect("an IPC buffer");
        self.machine().memory.store(buffer.offset(offset), value);
    }

    /// Where a thread wants a received capability.
    pub(crate) fn set_receive_path(&self, thread: Handle<Tcb>, root: u64, index: u64, depth: u64) {
        self.set_buffer_word(thread, ipc_buffer::RECEIVE_CNODE, root);
        self.set_buffer_word(thread, ipc_buffer::RECEIVE_INDEX, index);
        self.set_buffer_word(thread, ipc_buffer::RECEIVE_DEPTH, depth);
    }

    fn set_message(&self, thread: Handle<Tcb>, label: u64, caps: &[u64], words: &[u64]) {
        for (index, cptr) in caps.iter().enumerate() {
            self.set_buffer_word(thread, ipc_buffer::cap_or_badge(index), *cptr);
        }
        let context = &self.kernel.tcb(thread).context;
        context.x[1].set(MessageInfo::new(label, 0, caps.len() as u64, words.len() as u64).word());
        for (index, word) in words.iter().enumerate() {
            if index < MessageInfo::REGISTERS {
                context.x[2 + index].set(*word);
            } else {
                self.set_buffer_word(thread, ipc_buffer::message(index), *word);
            }
        }
    }

    /// The message in a thread's registers and buffer.
    pub(crate) fn message(&self, thread: Handle<Tcb>) -> Message {
        let context = &self.kernel.tcb(thread).context;
        let info = MessageInfo::from_word(context.x[1].get());
        let word = |index: usize| {
            if index < MessageInfo::REGISTERS {
                context.x[2 + index].get()
            } else {
                let buffer = self.buffer(thread).expect("an IPC buffer");
                self.machine().memory.load(buffer.offset(ipc_buffer::message(index)))
            }
        };
        Message {
            badge: context.x[0].get(),
            label: info.label(),
            unwrapped: info.caps_unwrapped(),
            caps: info.extra_caps(),
            words: (0..info.length() as usize).map(word).collect(),
        }
    }

    /// Word `index` of the capabilities' part of a thread's buffer.
    pub(crate) fn received_badge(&self, thread: Handle<Tcb>, index: usize) -> u64 {
        let buffer = self.buffer(thread).expect("an IPC buffer");
        self.machine().memory.load(buffer.offset(ipc_buffer::cap_or_badge(index)))
    }

    /// A system call of the current thread, started over for as long as it is preempted.
    pub(crate) fn syscall(&mut self, call: Syscall, cptr: u64, label: u64, caps: &[u64], words: &[u64]) {
        let thread = self.current();
        self.set_message(thread, label, caps, words);
        self.kernel.tcb(thread).context.x[0].set(cptr);
        self.raw_syscall(call.word());
    }

    /// A system call with the registers as they are.
    pub(crate) fn raw_syscall(&mut self, number: u64) {
        let thread = self.current();
        loop {
            let context = &self.kernel.tcb(thread).context;
            context.x[7].set(number);
            context.pc.set(AFTER_SVC);
            self.kernel.enter_syscall();
            let done = !self.was_preempted(thread);
            if self.watched {
                invariants::check(&self.kernel);
            }
            if done {
                break;
            }
        }
    }

    /// An invocation by the current thread, which an interrupt may stop: it is not started over.
    pub(crate) fn call_once(&mut self, cptr: u64, label: Label, words: &[u64]) {
        let thread = self.current();
        self.set_message(thread, label as u64, &[], words);
        let context = &self.kernel.tcb(thread).context;
        context.x[0].set(cptr);
        context.x[7].set(Syscall::Call.word());
        context.pc.set(AFTER_SVC);
        self.kernel.enter_syscall();
        invariants::check(&self.kernel);
    }

    fn was_preempted(&self, thread: Handle<Tcb>) -> bool {
        self.kernel.current() == Some(thread)
            && self.kernel.tcb(thread).fault.get().is_none()
            && self.kernel.tcb(thread).context.pc.get() == AFTER_SVC - 4
    }

    /// An invocation by the current thread, which must go on afterwards. One that is refused must change nothing.
    pub(crate) fn call(&mut self, cptr: u64, label: Label, caps: &[u64], words: &[u64]) -> Reply {
        self.call_raw(cptr, label as u64, caps, words)
    }

    pub(crate) fn call_raw(&mut self, cptr: u64, label: u64, caps: &[u64], words: &[u64]) -> Reply {
        let thread = self.current();
        self.set_message(thread, label, caps, words);
        self.kernel.tcb(thread).context.x[7].set(Syscall::Call.word());
        let before = self.watched.then(|| Snapshot::apart_from_message_of(&self.kernel, thread));
        self.syscall(Syscall::Call, cptr, label, caps, words);
        assert_eq!(self.kernel.current(), Some(thread), "the invoker does not run any more");
        let message = self.message(thread);
        assert_eq!((message.badge, message.unwrapped, message.caps), (0, 0, 0), "not an answer of the kernel");
        if let Some(before) = before.filter(|_| message.label != 0) {
            before.assert_unchanged(&Snapshot::apart_from_message_of(&self.kernel, thread));
        }
        Reply { label: message.label, words: message.words }
    }

    /// An invocation that must succeed without an answer.
    #[track_caller]
    pub(crate) fn done(&mut self, cptr: u64, label: Label, caps: &[u64], words: &[u64]) {
        assert_eq!(self.call(cptr, label, caps, words), ok());
    }

    /// An interrupt.
    pub(crate) fn interrupt(&mut self, intid: u32) {
        self.kernel.enter_interrupt(intid);
        invariants::check(&self.kernel);
    }

    /// So many ticks of the timer.
    pub(crate) fn ticks(&mut self, count: u64) {
        for _ in 0..count {
            self.interrupt(TIMER);
        }
    }
}
