//! Carrying out invocations that passed decoding.

use sluice_abi::{CapRights, Register, USER_FRAME_WORDS};

use super::decode::Request;
use super::invocation::{
    CNodeInvocation, Derived, InterruptInvocation, Invocation, MemoryInvocation, NewBuffer, NewSpace, SIGNAL_ONLY,
    SmmuInvocation, TcbInvocation,
};
use super::reply::Outcome;
use crate::Kernel;
use crate::cap::{Cap, Frame, NotificationCap, PageTable, Untyped, VSpace, same_object};
use crate::error::Preempted;
use crate::fpu::FPU_DISABLED;
use crate::hal::Hal;
use crate::interrupt::InterruptUse;
use crate::object::{AsidPool, BlockedSender, Context, Stream, Tcb, TcbSlot};
use crate::store::{Handle, SlotRef};
use sluice_abi::smmu::Record;

impl<H: Hal> Kernel<H> {
    pub(super) fn invoke(&mut self, request: &Request, invocation: Invocation) -> Outcome {
        let result = match invocation {
            Invocation::Send { cap, blocking, call } => {
                let how = BlockedSender {
                    endpoint: cap.object,
                    badge: cap.badge,
                    grant: cap.rights.contains(CapRights::GRANT),
                    grant_reply: cap.rights.contains(CapRights::GRANT_REPLY),
                    call,
                };
                self.send(request.thread, how, blocking);
                Ok(Outcome::Done)
            }
            Invocation::Signal(cap) => {
                self.signal(cap.object, cap.badge);
                Ok(Outcome::Done)
            }
            Invocation::Reply(reply) => {
                self.reply(request.thread, reply, request.slot);
                Ok(Outcome::Done)
            }
            Invocation::Retype(retype) => self.retype(retype).map(|()| Outcome::Done),
            Invocation::CNode(invocation) => self.invoke_cnode(request.thread, invocation),
            Invocation::Tcb(thread, invocation) => self.invoke_tcb(request, thread, invocation),
            Invocation::Memory(invocation) => Ok(self.invoke_memory(invocation)),
            Invocation::Interrupt(invocation) => {
                self.invoke_interrupt(invocation);
                Ok(Outcome::Done)
            }
            Invocation::Smmu(invocation) => Ok(self.invoke_smmu(invocation)),
            Invocation::SetDomain { thread } => {
                self.tcb(thread).domain.set(0);
                Ok(Outcome::Done)
            }
        };
        match result {
            Ok(outcome) => outcome,
            Err(Preempted) => Outcome::Preempted,
        }
    }

    fn invoke_cnode(&mut self, thread: Handle<Tcb>, invocation: CNodeInvocation) -> Result<Outcome, Preempted> {
        match invocation {
            CNodeInvocation::Insert { cap, source, dest } => self.insert(cap, source, dest),
            CNodeInvocation::Move { cap, source, dest } => self.move_cap(cap, source, dest),
            CNodeInvocation::Rotate { source_cap, pivot_cap, source, pivot, dest } if source == dest => {
                self.swap(source_cap, source, pivot_cap, pivot);
            }
            CNodeInvocation::Rotate { source_cap, pivot_cap, source, pivot, dest } => {
                self.move_cap(pivot_cap, pivot, dest);
                self.move_cap(source_cap, source, pivot);
            }
            CNodeInvocation::Revoke(slot) => self.revoke(slot)?,
            CNodeInvocation::Delete(slot) => self.delete(slot)?,
            CNodeInvocation::SaveCaller(dest) => {
                let source = thread.slot(TcbSlot::Caller as u64);
                let cap = self.cap(source);
                if let Cap::Reply(reply) = cap
                    && !reply.master
                {
                    self.move_cap(cap, source, dest);
                }
            }
            CNodeInvocation::CancelBadgedSends(endpoint) => {
                if endpoint.badge != 0 {
                    self.cancel_badged_sends(endpoint.object, endpoint.badge);
                }
            }
        }
        Ok(Outcome::Done)
    }

    fn invoke_tcb(
        &mut self,
        request: &Request,
        thread: Handle<Tcb>,
        invocation: TcbInvocation,
    ) -> Result<Outcome, Preempted> {
        match invocation {
            TcbInvocation::ReadRegisters { suspend, count } => {
                if suspend {
                    self.suspend(thread);
                }
                return Ok(Outcome::Registers(thread, count));
            }
            TcbInvocation::WriteRegisters { resume, count } => {
                for (index, register) in Register::ORDER.into_iter().enumerate().take(count) {
                    // Two words before the registers: flags and count.
                    let value = self.message_word(request.thread, request.buffer, index + 2);
                    self.write_register(thread, register, value);
                }
                if resume {
                    self.restart(thread);
                }
            }
            TcbInvocation::CopyRegisters { source, suspend, resume, frame, integer } => {
                if suspend {
                    self.suspend(source);
                }
                if resume {
                    self.restart(thread);
                }
                self.copy_registers(thread, source, frame, integer);
                if self.current == Some(thread) {
                    self.reschedule();
                }
            }
            TcbInvocation::Configure { space, buffer } => return self.configure(request.slot, thread, space, buffer),
            TcbInvocation::SetPriorities { max_priority, priority } => {
                if let Some(max_priority) = max_priority {
                    self.tcb(thread).max_priority.set(max_priority);
                }
                if let Some(priority) = priority {
                    self.set_priority(thread, priority);
                }
            }
            TcbInvocation::Suspend => self.suspend(thread),
            TcbInvocation::Resume => self.restart(thread),
            TcbInvocation::BindNotification(notification) => self.bind_notification(thread, notification),
            TcbInvocation::UnbindNotification => self.unbind_notification(thread),
            TcbInvocation::SetTlsBase(base) => self.tcb(thread).context.tpidr.set(base),
            TcbInvocation::SetFlags { clear, set } => {
                let flags = (self.tcb(thread).flags.get() & !clear) | set & FPU_DISABLED;
                self.tcb(thread).flags.set(flags);
                if flags & FPU_DISABLED != 0 {
                    self.take_fpu_from(thread);
                }
                return Ok(Outcome::word(flags));
            }
        }
        Ok(Outcome::Done)
    }

    fn configure(
        &mut self,
        own_slot: SlotRef,
        thread: Handle<Tcb>,
        space: Option<NewSpace>,
        buffer: Option<NewBuffer>,
    ) -> Result<Outcome, Preempted> {
        if let Some(space) = space {
            self.tcb(thread).fault_handler.set(space.fault_handler.0);
            self.replace(own_slot, thread, TcbSlot::CSpace, Some(space.cspace))?;
            self.replace(own_slot, thread, TcbSlot::VSpace, Some(space.vspace))?;
        }
        if let Some(NewBuffer { address, frame }) = buffer {
            let slot = thread.slot(TcbSlot::Buffer as u64);
            self.delete(slot)?;
            self.tcb(thread).ipc_buffer.set(address);
            self.replace(own_slot, thread, TcbSlot::Buffer, frame)?;
        }
        if self.current == Some(thread) {
            self.reschedule();
        }
        Ok(Outcome::Done)
    }

    /// Puts a derived capability into a thread's slot, unless emptying that slot has removed the thread or the source.
    fn replace(
        &mut self,
        own_slot: SlotRef,
        thread: Handle<Tcb>,
        which: TcbSlot,
        new: Option<Derived>,
    ) -> Result<(), Preempted> {
        let slot = thread.slot(which as u64);
        self.delete(slot)?;
        if let Some(Derived { cap, source }) = new
            && same_object(&cap, &self.cap(source))
            && same_object(&Cap::Thread(thread), &self.cap(own_slot))
        {
            self.insert(cap, source, slot);
        }
        Ok(())
    }

    fn invoke_memory(&mut self, invocation: MemoryInvocation) -> Outcome {
        match invocation {
            MemoryInvocation::MapFrame { slot, frame, mapping, entry_at, word, old } => {
                self.slot(slot).set_cap(Cap::Frame(Frame { mapped: Some(mapping), ..frame }));
                self.map_frame(mapping, &frame, entry_at, word, old);
            }
            MemoryInvocation::UnmapFrame { slot, frame } => {
                if let Some(mapping) = frame.mapped {
                    self.unmap_frame(mapping, &frame);
                }
                self.slot(slot).set_cap(Cap::Frame(Frame { mapped: None, ..frame }));
            }
            MemoryInvocation::MapTable { slot, table, mapping, entry_at, word } => {
                self.slot(slot).set_cap(Cap::PageTable(PageTable { mapped: Some(mapping), ..table }));
                self.map_table(entry_at, word);
            }
            MemoryInvocation::UnmapTable { slot, table } => {
                if let Some(mapping) = table.mapped {
                    self.unmap_table(mapping, table.base);
                    self.hal.clear(table.base, sluice_abi::PAGE_SIZE);
                }
                self.slot(slot).set_cap(Cap::PageTable(PageTable { mapped: None, ..table }));
            }
            MemoryInvocation::Maintain { operation, at, bytes } => self.hal.maintain(operation, at, bytes),
            MemoryInvocation::Nothing => {}
            MemoryInvocation::GetAddress(address) => return Outcome::word(address.0),
            MemoryInvocation::MakePool { untyped, at, base, dest } => {
                if let Cap::Untyped(parent) = self.cap(untyped) {
                    self.slot(untyped).set_cap(Cap::Untyped(Untyped { used: parent.size(), ..parent }));
                }
                self.hal.clear(at, sluice_abi::PAGE_SIZE);
                let pool = self.hal.create::<AsidPool>(at);
                self.insert(Cap::AsidPool { pool, base }, untyped, dest);
                self.spaces.set_pool(base, Some(pool));
            }
            MemoryInvocation::AssignAsid { asid, slot, vspace, .. } => {
                self.slot(slot).set_cap(Cap::VSpace(VSpace { asid: Some(asid), ..vspace }));
                self.assign_asid(asid, vspace.root);
            }
        }
        Outcome::Done
    }

    fn invoke_interrupt(&mut self, invocation: InterruptInvocation) {
        match invocation {
            InterruptInvocation::Issue { intid, edge, control, dest } => {
                if let Some(edge) = edge {
                    self.hal.set_interrupt_edge(intid, edge);
                }
                self.interrupts.set(intid, InterruptUse::Signal);
                self.hal.set_interrupt_enabled(intid, true);
                self.insert(Cap::IrqHandler(intid), control, dest);
            }
            InterruptInvocation::Acknowledge(intid) => self.hal.acknowledge_interrupt(intid),
            InterruptInvocation::SetNotification { intid, cap, source } => {
                let slot = self.interrupts.slot(intid);
                self.delete_one(slot);
                if same_object(&Cap::Notification(cap), &self.cap(source)) {
                    self.insert(Cap::Notification(cap), source, slot);
                }
            }
            InterruptInvocation::Clear(intid) => self.delete_one(self.interrupts.slot(intid)),
        }
    }

    fn invoke_smmu(&mut self, invocation: SmmuInvocation) -> Outcome {
        match invocation {
            SmmuInvocation::IssueSid { stream, control, dest } => {
                if let Some(located) = self.locate(stream) {
                    self.get(located.shadow).issued.set(true);
                    self.insert(Cap::Sid(stream), control, dest);
                }
            }
            SmmuInvocation::IssueCb { context, control, dest } => {
                if let Some(handle) = self.smmus.context(context) {
                    self.get(handle).issued.set(true);
                    self.insert(Cap::Cb { context, bound: None }, control, dest);
                }
            }
            SmmuInvocation::GetGlobalFault(smmu) => {
                if let Some(unit) = self.smmus.unit(smmu) {
                    let errors = unit.driver.global_errors(&self.hal);
                    let (error, index) = errors
                        .rejected
                        .map_or((0, 0), |rejected| (rejected.error.field().into(), rejected.index.into()));
                    return Outcome::Words([errors.active.into(), error, index, 0, 0, 0], 3);
                }
            }
            SmmuInvocation::ClearGlobalFault(smmu) => {
                if let Some(unit) = self.smmus.unit(smmu) {
                    unit.driver.acknowledge(&self.hal, unit.driver.global_errors(&self.hal));
                    // What was rejected has been reported; the queue has gone on without it.
                    let _rejected = unit.driver.take_rejected();
                }
            }
            SmmuInvocation::GetUnclaimed(smmu) => return record(self.take_unclaimed(smmu)),
            SmmuInvocation::MapStreamTable { slot, table, first } => {
                // Installed in memory whatever becomes of the SMMU: one that fails here aborts everything from now on.
                self.slot(slot).set_cap(Cap::StreamTable { base: table, mapped: Some(first) });
                self.install_stream_table(first, table);
            }
            SmmuInvocation::InvalidateAll(smmu) => self.invalidate_smmu(smmu),
            SmmuInvocation::Bind { stream, context, source } => self.bind_stream(stream, context, source),
            SmmuInvocation::Unbind(stream) => {
                if let Some(located) = self.locate(stream) {
                    self.delete_one(located.shadow.slot(Stream::CONTEXT));
                }
            }
            SmmuInvocation::SetHandler { stream, handler, budget } => {
                let Some(located) = self.locate(stream) else { return Outcome::Done };
                let slot = located.shadow.slot(Stream::HANDLER);
                self.delete_one(slot);
                let shadow = self.get(located.shadow);
                shadow.budget.set(budget);
                shadow.delivered.set(0);
                if let Some((cap, source)) = handler {
                    let cap = Cap::Notification(NotificationCap { rights: SIGNAL_ONLY, ..cap });
                    if same_object(&cap, &self.cap(source)) {
                        self.insert(cap, source, slot);
                    }
                }
            }
            SmmuInvocation::GetRecord(stream) => return record(self.take_record(stream)),
            SmmuInvocation::ClearRecord(stream) => {
                if let Some(located) = self.locate(stream) {
                    let shadow = self.get(located.shadow);
                    shadow.pending.set(None);
                    shadow.dropped.set(0);
                    shadow.delivered.set(0);
                    self.release_stream(stream);
                }
            }
            SmmuInvocation::Assign { context, vspace, asid, source } => {
                self.attach_context(context, vspace, asid, source);
            }
            SmmuInvocation::Unassign(context) => {
                if let Some(handle) = self.smmus.context(context) {
                    self.delete_one(handle.slot(Context::VSPACE));
                }
            }
            SmmuInvocation::Invalidate(context) => self.invalidate_context(context),
            SmmuInvocation::GetContextFault(context) => {
                if let Some(handle) = self.smmus.context(context) {
                    let (event, address) = self.get(handle).last_event.get();
                    return Outcome::Words([event, address, 0, 0, 0, 0], 2);
                }
            }
            SmmuInvocation::ClearContextFault(context) => {
                if let Some(handle) = self.smmus.context(context) {
                    self.get(handle).last_event.set((0, 0));
                }
            }
        }
        Outcome::Done
    }
}

fn record(record: Option<Record>) -> Outcome {
    record.map_or(Outcome::Done, |record| Outcome::Words(record.words(), Record::WORDS))
}

const _: () = assert!(USER_FRAME_WORDS < Register::ORDER.len());
