//! Threads with virtual processors, and the root thread as who handles their faults.

use sluice_abi::bootinfo::slot::{INIT_CNODE, INIT_VSPACE};
use sluice_abi::{Label, ObjectType, Syscall};
use sluice_core::Handle;
use sluice_core::cap::Cap;
use sluice_core::object::Vcpu;

use super::{Message, System, Thread};

/// A thread with a virtual processor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest {
    pub(crate) thread: Thread,
    /// Slot of the processor's capability.
    pub(crate) vcpu: u64,
}

impl System {
    pub(crate) fn processor(&self, cptr: u64) -> Handle<Vcpu> {
        let Cap::Vcpu(vcpu) = self.cap(cptr) else { panic!("no processor in slot {cptr}") };
        vcpu
    }

    /// A stopped thread with a processor, whose faults go to `endpoint`.
    pub(crate) fn guest(&mut self, priority: u64, endpoint: u64) -> Guest {
        let thread = self.thread(priority);
        self.done(thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, INIT_VSPACE], &[endpoint, 0, 0]);
        let vcpu = self.make(ObjectType::Vcpu, 0);
        self.done(vcpu, Label::VcpuSetTcb, &[thread.cptr], &[]);
        Guest { thread, vcpu }
    }

    /// The root thread waits, so that others run.
    pub(crate) fn wait_at(&mut self, endpoint: u64) {
        assert_eq!(self.current(), self.root);
        self.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
    }

    /// What the root thread, which waited, was told.
    #[track_caller]
    pub(crate) fn told(&self) -> Message {
        assert_eq!(self.current(), self.root, "the root thread was told nothing");
        self.message(self.root)
    }

    /// The root thread lets a guest go on, and waits again.
    pub(crate) fn answer(&mut self, endpoint: u64) {
        self.syscall(Syscall::ReplyRecv, endpoint, 0, &[], &[]);
    }
}
