//! More threads.

use sluice_abi::bootinfo::slot;
use sluice_abi::{Label, ObjectType};
use sluice_core::Handle;
use sluice_core::cap::Cap;
use sluice_core::object::Tcb;

use super::System;

/// A thread that shares the root thread's spaces and has a buffer of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thread {
    /// Slot of its capability.
    pub(crate) cptr: u64,
    pub(crate) tcb: Handle<Tcb>,
    /// Slot of its buffer's frame.
    pub(crate) frame: u64,
}

impl System {
    /// Lets threads of lower priorities run when they are resumed.
    pub(crate) fn set_priority(&mut self, thread: u64, priority: u64) {
        self.syscall(sluice_abi::Syscall::Call, thread, Label::TcbSetPriority as u64, &[slot::INIT_TCB], &[priority]);
    }

    pub(crate) fn handle(&self, cptr: u64) -> Handle<Tcb> {
        let Cap::Thread(thread) = self.cap(cptr) else { panic!("no thread in slot {cptr}") };
        thread
    }

    /// A stopped thread.
    pub(crate) fn thread(&mut self, priority: u64) -> Thread {
        let cptr = self.make(ObjectType::Tcb, 0);
        let frame = self.make(ObjectType::SmallPage, 0);
        let vaddr = self.next_buffer;
        self.next_buffer += 0x1000;
        let caps = [slot::INIT_CNODE, slot::INIT_VSPACE, frame];
        self.done(cptr, Label::TcbConfigure, &caps, &[0, 0, 0, vaddr]);
        self.done(cptr, Label::TcbSetSchedParams, &[slot::INIT_TCB], &[255, priority]);
        Thread { cptr, tcb: self.handle(cptr), frame }
    }

    /// A thread that runs at once if its priority is above the current one's.
    pub(crate) fn running(&mut self, priority: u64) -> Thread {
        let thread = self.thread(priority);
        self.resume(thread);
        thread
    }

    pub(crate) fn resume(&mut self, thread: Thread) {
        self.syscall(sluice_abi::Syscall::Call, thread.cptr, Label::TcbResume as u64, &[], &[]);
    }
}
