//! What the root task asks of the kernel, as values.
//!
//! An invocation is data until it is sent, so that the whole boot can run against a kernel made for tests, and so
//! that a refusal can say what was asked for.

use sluice_abi::smmu::{ContextId, StreamId};
use sluice_abi::{CPtr, CapRights, ObjectType, PhysAddr, Register, VirtAddr, VmAttributes, bootinfo};
use sluice_sys::{
    AsidControl, AsidPool, CNode, Cb, CbControl, Configuration, Failure, Frame, IrqControl, IrqHandler, Notification,
    PageTable, Resume, Sid, SidControl, Slot, Tcb, Trigger, Untyped, UserContext, VSpace,
};

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
    /// Reads a device register mapped in [`WINDOW`].
    fn load(&self, at: VirtAddr) -> u32;
    /// Writes a device register mapped in [`WINDOW`].
    fn store(&mut self, at: VirtAddr, value: u32);
    /// Writes to a frame mapped in [`WINDOW`].
    fn write(&mut self, at: VirtAddr, bytes: &[u8]);
    /// Prints a line.
    fn line(&mut self, text: &str);
    /// From now on lines go to the PL011 mapped at this place in [`WINDOW`]: the kernel has no calls for them.
    fn open_console(&mut self, registers: VirtAddr);
    /// Waits for some milliseconds.
    fn wait(milliseconds: u32);
}

impl<K: Kernel> Kernel for &mut K {
    fn invoke(&mut self, invocation: &Invocation) -> Result<(), Failure> {
        (**self).invoke(invocation)
    }

    fn address_of(&mut self, frame: u64) -> Result<PhysAddr, Failure> {
        (**self).address_of(frame)
    }

    fn load(&self, at: VirtAddr) -> u32 {
        (**self).load(at)
    }

    fn store(&mut self, at: VirtAddr, value: u32) {
        (**self).store(at, value);
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

    fn wait(milliseconds: u32) {
        K::wait(milliseconds);
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

impl Invocation {
    /// What it does, as the end of "the kernel refuses to".
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Retype { .. } => "retype an Untyped",
            Self::Copy { .. } => "copy a capability",
            Self::Mint { .. } => "mint a capability",
            Self::Move { .. } => "move a capability",
            Self::MakePool { .. } => "make an ASID pool",
            Self::AssignAsid { .. } => "assign an ASID",
            Self::MapTable { .. } => "map a page table",
            Self::MapFrame { .. } => "map a frame",
            Self::UnmapFrame { .. } => "unmap a frame",
            Self::UnifyInstruction { .. } => "make code visible to instruction fetches",
            Self::GetStream { .. } => "hand out a stream",
            Self::GetContext { .. } => "hand out a translation context",
            Self::AssignSpace { .. } => "assign an I/O address space to its context",
            Self::UnassignSpace { .. } => "take an I/O address space from its context",
            Self::Bypass { .. } => "have a stream bypass translation",
            Self::SetFaultHandler { .. } => "set the fault handler of a stream",
            Self::Bind { .. } => "bind a stream to its context",
            Self::GetInterrupt { .. } => "hand out an interrupt",
            Self::SetNotification { .. } => "route an interrupt to its notification",
            Self::Configure { .. } => "configure a thread",
            Self::SetPriority { .. } | Self::SetOwnPriority { .. } => "set a thread's priority",
            Self::WriteEntry { .. } => "write a thread's registers",
            Self::BindNotification { .. } => "bind a thread's notification",
            Self::Resume { .. } => "resume a thread",
            Self::Suspend { .. } => "suspend a thread",
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn send(&self) -> Result<(), Failure> {
        let root = CNode::from(bootinfo::slot::INIT_CNODE);
        match *self {
            Self::Retype { untyped, object, size_bits, slot, count } => {
                Untyped::from(untyped).retype(object, size_bits, root.from_offset(slot), count)
            }
            Self::Copy { from, to, rights } => to.copy_from(root.slot(from), rights),
            Self::Mint { from, to, rights, badge } => to.mint_from(root.slot(from), rights, badge),
            Self::Move { from, to } => to.move_from(root.slot(from)),
            Self::MakePool { memory, to } => {
                AsidControl::from(bootinfo::slot::ASID_CONTROL).make_pool(Untyped::from(memory), to)
            }
            Self::AssignAsid { vspace } => AsidPool::from(bootinfo::slot::INIT_ASID_POOL).assign(VSpace::from(vspace)),
            Self::MapTable { table, vspace, at } => {
                PageTable::from(table).map(VSpace::from(vspace), at, VmAttributes::DEFAULT)
            }
            Self::MapFrame { frame, vspace, at, rights, attributes } => {
                Frame::from(frame).map(VSpace::from(vspace), at, rights, attributes)
            }
            Self::UnmapFrame { frame } => Frame::from(frame).unmap(),
            Self::UnifyInstruction { frame } => Frame::from(frame).unify_instruction(0, sluice_abi::PAGE_SIZE),
            Self::GetStream { stream, slot } => {
                SidControl::from(bootinfo::slot::SID_CONTROL).get_sid(stream, root.slot(slot))
            }
            Self::GetContext { context, slot } => {
                CbControl::from(bootinfo::slot::CB_CONTROL).get_cb(context, root.slot(slot))
            }
            Self::AssignSpace { context, space } => Cb::from(context).assign_vspace(VSpace::from(space)),
            Self::UnassignSpace { context } => Cb::from(context).unassign_vspace(),
            Self::Bypass { stream } => SidControl::from(bootinfo::slot::SID_CONTROL).bypass_stream(Sid::from(stream)),
            Self::SetFaultHandler { stream, notification, budget } => {
                Sid::from(stream).set_fault_handler(Notification::from(notification), budget)
            }
            Self::Bind { stream, context } => Sid::from(stream).bind_cb(Cb::from(context)),
            Self::GetInterrupt { intid, edge, slot } => {
                let trigger = if edge { Trigger::Edge } else { Trigger::Level };
                let control = IrqControl::from(bootinfo::slot::IRQ_CONTROL);
                control.get_trigger(u64::from(intid), trigger, root.slot(slot))
            }
            Self::SetNotification { handler, notification } => {
                IrqHandler::from(handler).set_notification(Notification::from(notification))
            }
            Self::Configure { thread, faults, cnode, guard, vspace, buffer, frame } => {
                Tcb::from(thread).configure(&Configuration {
                    fault_endpoint: CPtr(faults),
                    cspace: CNode::from(cnode),
                    cspace_data: guard,
                    vspace: VSpace::from(vspace),
                    buffer,
                    buffer_frame: Frame::from(frame),
                })
            }
            Self::SetPriority { thread, priority } => {
                Tcb::from(thread).set_sched_params(Tcb::from(bootinfo::slot::INIT_TCB), priority, priority)
            }
            Self::SetOwnPriority { thread, priority } => {
                Tcb::from(thread).set_priority(Tcb::from(bootinfo::slot::INIT_TCB), priority)
            }
            Self::WriteEntry { thread, entry, stack, arguments: [first, second, third] } => {
                let context = UserContext::default().with(Register::Pc, entry).with(Register::Sp, stack);
                let context =
                    context.with(Register::X(0), first).with(Register::X(1), second).with(Register::X(2), third);
                Tcb::from(thread).write_registers(&context, Resume::Later)
            }
            Self::BindNotification { thread, notification } => {
                Tcb::from(thread).bind_notification(Notification::from(notification))
            }
            Self::Resume { thread } => Tcb::from(thread).resume(),
            Self::Suspend { thread } => Tcb::from(thread).suspend(),
        }
    }
}
