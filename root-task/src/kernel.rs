//! What the root task asks of the kernel, as values.
//!
//! An invocation is data until it is sent, so that the whole boot can run against a kernel made for tests, and so
//! that a refusal can say what was asked for.

mod send;

use sluice_abi::smmu::{ContextId, Record, StreamId};
use sluice_abi::{CapRights, ObjectType, PhysAddr, VirtAddr, VmAttributes};
use sluice_sys::{Census, Failure, Slot, UserContext};

/// Addresses at which the root task maps frames to fill and configuration space; its image lies far below.
pub const WINDOW: core::ops::Range<u64> = 0x80_0000_0000..0x100_0000_0000;

/// Everything the boot needs from outside: the kernel, and memory the kernel mapped for it.
pub trait Kernel {
    /// Sends an invocation.
    ///
    /// # Errors
    /// As the kernel refuses; nothing has changed then.
    fn invoke(&mut self, invocation: &Invocation) -> Result<(), Failure>;
    /// `Page_GetAddress` of a frame.
    ///
    /// # Errors
    /// When the slot holds no frame.
    fn address_of(&mut self, frame: u64) -> Result<PhysAddr, Failure>;
    /// `TCB_ReadRegisters` of a thread that stays as it is.
    ///
    /// # Errors
    /// When the slot holds no thread.
    fn registers(&mut self, thread: u64) -> Result<UserContext, Failure>;
    /// `SID_GetFault`: the oldest fault record of a stream.
    ///
    /// # Errors
    /// When the slot holds no stream.
    fn record(&mut self, stream: u64) -> Result<Option<Record>, Failure>;

    /// Reads a word mapped in [`WINDOW`].
    fn load(&self, at: VirtAddr) -> u32;
    /// Writes a device register mapped in [`WINDOW`].
    fn store(&mut self, at: VirtAddr, value: u32);
    /// Writes a device register of 64 bits.
    fn store_wide(&mut self, at: VirtAddr, value: u64);

    /// Writes to a frame mapped in [`WINDOW`].
    fn write(&mut self, at: VirtAddr, bytes: &[u8]);
    /// Prints a line.
    fn line(&mut self, text: &str);
    /// From now on lines go to the PL011 mapped at this place in [`WINDOW`]: the kernel has no calls for them.
    fn open_console(&mut self, registers: VirtAddr);
    /// Has the kernel print what each stream reaches, where it does that.
    fn snapshot(&mut self);
    /// Has the kernel print what is mapped where a thread runs, where it does that.
    fn show_space(&mut self, thread: u64);
    /// Has the kernel print what an Untyped covers and what is mapped in each address space made of it, where it does that.
    fn show_made(&mut self, untyped: u64);
    /// How many of these slots of the root CNode hold a capability; `None` where the kernel does not tell.
    fn occupied(&self, slots: core::ops::Range<u64>) -> Option<u64>;
    /// What is in use in the whole system; `None` where the kernel does not tell.
    fn census(&self) -> Option<Census>;
    /// Waits for some milliseconds.
    fn wait(milliseconds: u32);
    /// Ticks of the counter.
    fn now(&self) -> u64;
    /// Ticks a second.
    fn ticks_per_second(&self) -> u64;
}

impl<K: Kernel> Kernel for &mut K {
    fn invoke(&mut self, invocation: &Invocation) -> Result<(), Failure> {
        (**self).invoke(invocation)
    }

    fn address_of(&mut self, frame: u64) -> Result<PhysAddr, Failure> {
        (**self).address_of(frame)
    }

    fn registers(&mut self, thread: u64) -> Result<UserContext, Failure> {
        (**self).registers(thread)
    }

    fn record(&mut self, stream: u64) -> Result<Option<Record>, Failure> {
        (**self).record(stream)
    }

    fn load(&self, at: VirtAddr) -> u32 {
        (**self).load(at)
    }

    fn store(&mut self, at: VirtAddr, value: u32) {
        (**self).store(at, value);
    }

    fn store_wide(&mut self, at: VirtAddr, value: u64) {
        (**self).store_wide(at, value);
    }

    fn write(&mut self, at: VirtAddr, bytes: &[u8]) {
        (**self).write(at, bytes);
    }

    fn line(&mut self, text: &str) {
        (**self).line(text);
    }

    fn open_console(&mut self, registers: VirtAddr) {
        (**self).open_console(registers);
    }

    fn snapshot(&mut self) {
        (**self).snapshot();
    }

    fn show_space(&mut self, thread: u64) {
        (**self).show_space(thread);
    }

    fn show_made(&mut self, untyped: u64) {
        (**self).show_made(untyped);
    }

    fn occupied(&self, slots: core::ops::Range<u64>) -> Option<u64> {
        (**self).occupied(slots)
    }

    fn census(&self) -> Option<Census> {
        (**self).census()
    }

    fn wait(milliseconds: u32) {
        K::wait(milliseconds);
    }

    fn now(&self) -> u64 {
        (**self).now()
    }

    fn ticks_per_second(&self) -> u64 {
        (**self).ticks_per_second()
    }
}

/// One invocation. Objects are named by their slots in the root CNode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invocation {
    /// `Untyped_Retype` into the root CNode.
    Retype {
        /// Slot of the Untyped.
        untyped: u64,
        /// What to make.
        object: ObjectType,
        /// Size argument.
        size_bits: u32,
        /// First slot.
        slot: u64,
        /// Number of objects.
        count: u64,
    },
    /// `CNode_Copy` from the root CNode.
    Copy {
        /// Source.
        from: u64,
        /// Destination.
        to: Slot,
        /// Rights of the copy.
        rights: CapRights,
    },
    /// `CNode_Mint` from the root CNode.
    Mint {
        /// Source.
        from: u64,
        /// Destination.
        to: Slot,
        /// Rights of the copy.
        rights: CapRights,
        /// Badge, or guard of a CNode.
        badge: u64,
    },
    /// `CNode_Move` from the root CNode.
    Move {
        /// Source.
        from: u64,
        /// Destination.
        to: Slot,
    },
    /// `CNode_Delete`.
    Delete {
        /// The capability.
        slot: Slot,
    },
    /// `CNode_Revoke` in the root CNode.
    Revoke {
        /// The capability whose descendants go.
        slot: u64,
    },
    /// A poll of a notification: what it was signalled is forgotten.
    Forget {
        /// The notification.
        notification: u64,
    },
    /// `ASIDControl_MakePool`.
    MakePool {
        /// An Untyped of 4 KiB.
        memory: u64,
        /// Destination.
        to: Slot,
    },
    /// `ASIDPool_Assign` from the initial pool.
    AssignAsid {
        /// The VSpace.
        vspace: u64,
    },
    /// `PageTable_Map`.
    MapTable {
        /// The table.
        table: u64,
        /// Where to.
        vspace: u64,
        /// Address it is to cover.
        at: VirtAddr,
    },
    /// `Page_Map`.
    MapFrame {
        /// The frame.
        frame: u64,
        /// Where to.
        vspace: u64,
        /// Address.
        at: VirtAddr,
        /// Access.
        rights: CapRights,
        /// Memory type and execution.
        attributes: VmAttributes,
    },
    /// `Page_Unmap`.
    UnmapFrame {
        /// The frame.
        frame: u64,
    },
    /// `Page_Unify_Instruction` over a whole small page.
    UnifyInstruction {
        /// The frame.
        frame: u64,
    },
    /// `SIDControl_GetSID`.
    GetStream {
        /// The stream.
        stream: StreamId,
        /// Slot for its capability.
        slot: u64,
    },
    /// `SIDControl_MapStreamTable`.
    MapStreamTable {
        /// The table.
        table: u64,
        /// The first of its streams.
        first: StreamId,
    },
    /// `CBControl_GetCB`.
    GetContext {
        /// The context.
        context: ContextId,
        /// Slot for its capability.
        slot: u64,
    },
    /// `CB_AssignVspace`.
    AssignSpace {
        /// The context.
        context: u64,
        /// The I/O address space.
        space: u64,
    },
    /// `CB_UnassignVspace`.
    UnassignSpace {
        /// The context.
        context: u64,
    },
    /// `SIDControl_BypassStream`.
    Bypass {
        /// The stream.
        stream: u64,
    },
    /// `SID_SetFaultHandler`.
    SetFaultHandler {
        /// The stream.
        stream: u64,
        /// Badged notification.
        notification: u64,
        /// Records before quarantine.
        budget: u64,
    },
    /// `SID_BindCB`.
    Bind {
        /// The stream.
        stream: u64,
        /// The context.
        context: u64,
    },
    /// `IRQControl_GetTrigger`.
    GetInterrupt {
        /// INTID.
        intid: u32,
        /// Edge-triggered.
        edge: bool,
        /// Slot for the handler.
        slot: u64,
    },
    /// `IRQHandler_SetNotification`.
    SetNotification {
        /// The handler.
        handler: u64,
        /// Badged notification.
        notification: u64,
    },
    /// `TCB_Configure`; the guard makes a capability pointer equal to its slot.
    Configure {
        /// The thread.
        thread: u64,
        /// Fault endpoint, in the thread's CSpace.
        faults: u64,
        /// Its CNode.
        cnode: u64,
        /// Guard of the CNode.
        guard: u64,
        /// Its VSpace.
        vspace: u64,
        /// Address of its IPC buffer.
        buffer: VirtAddr,
        /// Frame of its IPC buffer.
        frame: u64,
    },
    /// `TCB_SetSchedParams` with the root thread's authority.
    SetPriority {
        /// The thread.
        thread: u64,
        /// Its priority, and the most it may set.
        priority: u8,
    },
    /// `TCB_SetPriority` of the root thread, whose maximum stays as it is.
    SetOwnPriority {
        /// The root thread.
        thread: u64,
        /// Its new priority.
        priority: u8,
    },
    /// `TCB_WriteRegisters`, not resuming.
    WriteEntry {
        /// The thread.
        thread: u64,
        /// Program counter.
        entry: u64,
        /// Stack pointer.
        stack: u64,
        /// `x0`, `x1` and `x2`.
        arguments: [u64; 3],
    },
    /// `TCB_BindNotification`.
    BindNotification {
        /// The thread.
        thread: u64,
        /// Its notification.
        notification: u64,
    },
    /// `TCB_WriteRegisters` of the first registers of the context, resuming.
    Answer {
        /// The thread.
        thread: u64,
        /// pc, sp, spsr, x0 and x1.
        registers: [u64; 5],
    },
    /// `CNode_CancelBadgedSends`: who waits to send with the badge starts over.
    CancelSends {
        /// The badged endpoint.
        slot: Slot,
    },
    /// A request to the timer server, lost unless that waits for one: nobody else's thread is to hold the root task up.
    SetAlarm {
        /// Its endpoint.
        endpoint: u64,
        /// When, in ticks.
        ticks: u64,
    },
    /// A signal.
    Signal {
        /// The badged notification.
        notification: u64,
    },
    /// `TCB_Resume`.
    Resume {
        /// The thread.
        thread: u64,
    },
    /// `TCB_Suspend`.
    Suspend {
        /// The thread.
        thread: u64,
    },
}
