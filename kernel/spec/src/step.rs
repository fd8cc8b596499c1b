//! One invocation, once its message is understood.

use alloc::vec::Vec;

use sluice_abi::PhysAddr;

use crate::{Cap, Invocation, Refused, Slot, State};

/// What an invocation comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The state after it.
    pub state: State,
    /// Words of the answer.
    pub words: Vec<u64>,
}

/// Why there is no step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The caller cannot name a slot it uses.
    OutOfReach(Slot),
    /// The kernel answers with this.
    Refused(Refused),
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

pub(crate) type Stepped = Result<Answer, Refused>;

/// What `invocation` by the thread at `caller` makes of `state`.
///
/// # Errors
/// [`Refusal`]; the state stays what it was.
pub fn step(state: &State, caller: PhysAddr, invocation: &Invocation) -> Result<Answer, Refusal> {
    let nameable = state.nameable(caller);
    let within = |slot: &Slot| matches!(slot, Slot::Node { node, .. } if nameable.contains(node));
    if let Some(slot) = invocation.named().into_iter().find(|slot| !within(slot)) {
        return Err(Refusal::OutOfReach(slot));
    }
    state.after(caller, invocation).map_err(Refusal::from)
}

impl State {
    /// What an invocation makes of the state, whatever the caller can name.
    ///
    /// # Errors
    /// What the kernel answers; the state stays what it was.
    pub fn after(&self, caller: PhysAddr, invocation: &Invocation) -> Result<Answer, Refused> {
        match *invocation {
            Invocation::Retype { untyped, kind, bits, node, offset, count } => {
                self.retype(untyped, kind, bits, node, offset, count)
            }
            Invocation::Copy { source, dest, rights } => self.copy(source, dest, rights, None),
            Invocation::Mint { source, dest, rights, data } => self.copy(source, dest, rights, Some(data)),
            Invocation::Move { source, dest } => self.moved(source, dest, None),
            Invocation::Mutate { source, dest, data } => self.moved(source, dest, Some(data)),
            Invocation::Rotate { source, source_data, pivot, pivot_data, dest } => {
                self.rotate((source, source_data), (pivot, pivot_data), dest)
            }
            Invocation::Delete(slot) => Ok(self.changed(|after| after.delete(slot))),
            Invocation::Revoke(slot) => Ok(self.changed(|after| after.revoke(slot))),
            Invocation::SaveCaller(dest) => self.save_caller(caller, dest),
            Invocation::CancelBadgedSends(slot) => self.cancel_badged_sends(slot),
            Invocation::PageMap { frame, vspace, at, rights, execute, cacheable } => {
                self.map_page(frame, vspace, at, rights, execute, cacheable)
            }
            Invocation::PageUnmap(frame) => self.unmap_frame(frame),
            Invocation::GetAddress(frame) => self.get_address(frame),
            Invocation::PageMaintain { frame, start, end } => self.maintain_frame(frame, start, end),
            Invocation::TableMap { table, vspace, at } => self.map_table(table, vspace, at),
            Invocation::TableUnmap(table) => self.unmap_table(table),
            Invocation::SpaceMaintain { vspace, start, end } => self.maintain_space(vspace, start, end),
            Invocation::MakePool { control, untyped, dest } => self.make_pool(control, untyped, dest),
            Invocation::AssignAsid { pool, vspace } => self.assign_asid(pool, vspace),
            Invocation::GetIrq { control, intid, edge, dest } => self.get_irq(control, intid, edge, dest),
            Invocation::AcknowledgeIrq(handler) => self.acknowledge_irq(handler),
            Invocation::SetIrqNotification { handler, notification } => {
                self.set_irq_notification(handler, notification)
            }
            Invocation::ClearIrq(handler) => self.clear_irq(handler),
            Invocation::IssueSgi { control, intid, target, dest } => self.issue_sgi(control, intid, target, dest),
            Invocation::SendSgi(signal) => self.send_sgi(signal),
            Invocation::SetVcpuThread { vcpu, thread } => self.set_vcpu_thread(vcpu, thread),
            Invocation::ReadVcpu { vcpu, register } => self.read_vcpu(vcpu, register),
            Invocation::WriteVcpu { vcpu, register, value } => self.write_vcpu(vcpu, register, value),
            Invocation::InjectIrq { vcpu, word } => self.inject_irq(vcpu, word),
            Invocation::AcknowledgeVppi { vcpu, intid } => self.acknowledge_vppi(vcpu, intid),
            Invocation::ForwardIrq { vcpu, handler, word } => self.forward_irq(vcpu, handler, word),
            Invocation::TakeBackIrq { vcpu, place } => self.take_back_irq(vcpu, place),
            Invocation::SetDomain { control, thread, domain } => self.set_domain(control, thread, domain),
            Invocation::ConfigureDomains { control, index, domain, ticks } => {
                self.configure_domains(control, index, domain, ticks)
            }
            Invocation::StartDomains { control, index } => self.start_domains(control, index),
            Invocation::GetSid { control, stream, dest } => self.get_sid(control, stream, dest),
            Invocation::MapStreamTable { control, table, first } => self.map_stream_table(control, table, first),
            Invocation::GetGlobalFault { control, smmu } => self.get_global_fault(control, smmu),
            Invocation::GetEventq { control, smmu } => self.get_eventq(control, smmu),
            Invocation::ClearGlobalFault { control, smmu } => self.clear_global_fault(control, smmu),
            Invocation::SkipCmdqError { control, smmu } => self.skip_rejected(control, smmu),
            Invocation::InitSmmu { control, smmu } => self.init_smmu(control, smmu),
            Invocation::DisableSmmu { control, smmu } => self.disable_smmu(control, smmu),
            Invocation::BypassStream { control, sid } => self.bypass_stream(control, sid),
            Invocation::InvalidateAll { control, smmu } => self.invalidate_all(control, smmu),
            Invocation::GetCb { control, smmu, cb, dest } => self.get_cb(control, smmu, cb, dest),
            Invocation::BindCb { sid, cb } => self.bind_cb(sid, cb),
            Invocation::UnbindCb(sid) => self.unbind_cb(sid),
            Invocation::SetFaultHandler { sid, notification, budget } => {
                self.set_fault_handler(sid, notification, budget)
            }
            Invocation::GetFault(sid) => self.get_fault(sid),
            Invocation::ClearFault(sid) => self.clear_fault(sid),
            Invocation::AssignVspace { cb, vspace } => self.assign_vspace(cb, vspace),
            Invocation::UnassignVspace(cb) => self.unassign_vspace(cb),
            Invocation::InvalidateContext(cb) => self.invalidate_context(cb),
            Invocation::AssignCdTable { cb, words } => self.assign_cd_table(cb, words),
            Invocation::UnassignCdTable(cb) => self.unassign_cd_table(cb),
            Invocation::InvalidateStage1 { cb, ref words } => self.invalidate_stage1(cb, words),
            Invocation::GetContextFault(cb) => self.get_context_fault(cb),
            Invocation::ClearContextFault(cb) => self.clear_context_fault(cb),
            Invocation::Configure { thread, space, buffer } => self.configure(thread, space, buffer),
            Invocation::SetPriorities { thread, authority, max_priority, priority } => {
                self.set_priorities(thread, authority, max_priority, priority)
            }
            Invocation::ReadRegisters { thread, suspend, count } => self.read_registers(caller, thread, suspend, count),
            Invocation::WriteRegisters { thread, resume, ref values } => {
                self.write_registers(caller, thread, resume, values)
            }
            Invocation::CopyRegisters { thread, source, which } => self.copy_registers(thread, source, which),
            Invocation::Suspend(thread) => self.suspended(thread),
            Invocation::Resume(thread) => self.resumed(thread),
            Invocation::BindNotification { thread, notification } => self.bind_notification(thread, notification),
            Invocation::UnbindNotification(thread) => self.unbound(thread),
            Invocation::SetTlsBase { thread, base } => self.set_tls_base(thread, base),
            Invocation::SetFlags { thread, clear, set } => self.set_flags(thread, clear, set),
        }
    }

    /// A change of a copy, and an answer without words.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Self)) -> Answer {
        let mut state = self.clone();
        change(&mut state);
        Answer { state, words: Vec::new() }
    }

    /// The capability invoked.
    pub(crate) fn invoked(&self, slot: Slot) -> Result<Cap, Refused> {
        self.cap(slot).ok_or(Refused::InvalidCapability(0))
    }

    pub(crate) fn expect_empty(&self, slot: Slot) -> Result<(), Refused> {
        if self.slots.contains_key(&slot) { Err(Refused::DeleteFirst) } else { Ok(()) }
    }
}
