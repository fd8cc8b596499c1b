//! An invocation as the system call that it is.

use sluice_abi::{CPtr, Register, VmAttributes, bootinfo};
use sluice_manifest::timer;
use sluice_sys::{
    AsidControl, AsidPool, CNode, Cb, CbControl, Configuration, Endpoint, Failure, Frame, IrqControl, IrqHandler,
    Message, Notification, PageTable, Resume, Sid, SidControl, Tcb, Trigger, Untyped, UserContext, VSpace,
};

use super::Invocation;

impl Invocation {
    /// What it does, as the end of "the kernel refuses to".
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Retype { .. } => "retype an Untyped",
            Self::Copy { .. } => "copy a capability",
            Self::Mint { .. } => "mint a capability",
            Self::Move { .. } => "move a capability",
            Self::Delete { .. } | Self::Revoke { .. } | Self::Forget { .. } => "take back what a component had",
            Self::MakePool { .. } => "make an ASID pool",
            Self::AssignAsid { .. } => "assign an ASID",
            Self::MapTable { .. } => "map a page table",
            Self::MapFrame { .. } => "map a frame",
            Self::UnmapFrame { .. } => "unmap a frame",
            Self::UnifyInstruction { .. } => "make code visible to instruction fetches",
            Self::GetStream { .. } => "hand out a stream",
            Self::MapStreamTable { .. } => "add a stream table",
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
            Self::Answer { .. } => "answer for a server",
            Self::CancelSends { .. } => "end calls to a server",
            Self::SetAlarm { .. } => "set an alarm",
            Self::Signal { .. } => "signal a component",
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
            Self::Delete { slot } => slot.delete(),
            Self::Revoke { slot } => root.slot(slot).revoke(),
            Self::Forget { notification } => {
                let _signals = Notification::from(notification).poll();
                Ok(())
            }
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
            Self::MapStreamTable { table, first } => {
                SidControl::from(bootinfo::slot::SID_CONTROL).map_stream_table(CPtr(table), first)
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
            Self::Answer { thread, registers } => Tcb::from(thread).write_first_registers(&registers, Resume::Now),
            Self::CancelSends { slot } => slot.cancel_badged_sends(),
            Self::SetAlarm { endpoint, ticks } => {
                Endpoint::from(endpoint).nb_send(&Message::new(timer::SET, [ticks]));
                Ok(())
            }
            Self::Signal { notification } => {
                Notification::from(notification).signal();
                Ok(())
            }
            Self::Resume { thread } => Tcb::from(thread).resume(),
            Self::Suspend { thread } => Tcb::from(thread).suspend(),
        }
    }
}
