//! Threads: what they are, and what they do.

use sluice_abi::{LookupFailure, PhysAddr};

use crate::{Buffer, Object, ReceivePath, Registers, State};

/// What a thread does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Doing {
    /// Nothing, until somebody resumes it.
    Nothing,
    /// It runs, or would.
    Running,
    /// It runs, or would, from the instruction on that last took it into the kernel.
    StartingOver,
    /// It waits at an endpoint until somebody receives.
    Sending(Sending),
    /// It waits at an endpoint until somebody sends.
    Receiving {
        /// The endpoint.
        endpoint: PhysAddr,
        /// Whether its replies may carry capabilities.
        grant: bool,
        /// Where its buffer says that a capability should go.
        into: ReceivePath,
    },
    /// It waits for a reply.
    AwaitingReply {
        /// Where its buffer says that a capability should go.
        into: ReceivePath,
    },
    /// It waits for a signal of this notification.
    Waiting(PhysAddr),
}

/// What a waiting sender brings.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Sending {
    /// The endpoint.
    pub endpoint: PhysAddr,
    /// Badge of the capability it used.
    pub badge: u64,
    /// Whether capabilities go along.
    pub grant: bool,
    /// Whether a reply capability may be given.
    pub grant_reply: bool,
    /// Whether it waits for a reply after.
    pub call: bool,
    /// What its buffer holds; it leaves that alone as long as it waits.
    pub buffer: Buffer,
}

/// Why a thread cannot go on without its handler.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// A capability pointer led nowhere.
    Capability {
        /// The pointer.
        cptr: u64,
        /// Whether it was to receive there.
        receiving: bool,
        /// How far it led.
        failure: LookupFailure,
    },
    /// No system call has this number.
    UnknownSystemCall(u64),
    /// An exception, by its syndrome.
    Exception(u64),
    /// A page that is not there, or not with the right.
    Page {
        /// The address.
        address: u64,
        /// The syndrome.
        syndrome: u64,
        /// Whether an instruction was fetched.
        instruction: bool,
    },
    /// Something that whoever emulates its machine is to handle, by its syndrome.
    Guest(u64),
    /// The timer of its virtual processor fired, which is this interrupt.
    Timer(u32),
    /// Its virtual processor's interrupt in this place ended, or something else asks for maintenance.
    Maintenance(Option<u8>),
}

/// A thread.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Thread {
    /// What it does.
    pub doing: Doing,
    /// Its registers.
    pub registers: Registers,
    /// The instruction it goes on with.
    pub next: u64,
    /// What its handler has not answered yet, or not heard of: that is told in place of each message until it is answered.
    pub fault: Option<Fault>,
    /// Who is higher runs first.
    pub priority: u8,
    /// The highest priority it may give.
    pub max_priority: u8,
    /// Capability pointer of who is told of its faults.
    pub handler: u64,
    /// Address of its IPC buffer.
    pub buffer: u64,
    /// Flags of `TCB_SetFlags`.
    pub flags: u64,
    /// The notification bound to it.
    pub notification: Option<PhysAddr>,
    /// Its virtual processor.
    pub vcpu: Option<PhysAddr>,
}

impl Thread {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        Self {
            doing: Doing::Nothing,
            registers: Registers::default(),
            next: 0,
            fault: None,
            priority: 0,
            max_priority: 0,
            handler: 0,
            buffer: 0,
            flags: 0,
            notification: None,
            vcpu: None,
        }
    }

    /// Whether it could run at once.
    #[must_use]
    pub const fn is_runnable(&self) -> bool {
        matches!(self.doing, Doing::Running | Doing::StartingOver)
    }
}

impl Default for Thread {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// The thread there.
    #[must_use]
    pub fn thread(&self, at: PhysAddr) -> Option<&Thread> {
        if let Some(Object::Thread(thread)) = self.objects.get(&at) { Some(thread) } else { None }
    }

    /// The thread there, to be changed.
    pub fn thread_mut(&mut self, at: PhysAddr) -> Option<&mut Thread> {
        if let Some(Object::Thread(thread)) = self.objects.get_mut(&at) { Some(thread) } else { None }
    }

    pub(crate) fn set_doing(&mut self, at: PhysAddr, doing: Doing) {
        if let Some(thread) = self.thread_mut(at) {
            thread.doing = doing;
        }
    }
}
