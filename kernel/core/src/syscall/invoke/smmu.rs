//! Streams, contexts and SMMUs.

use sluice_abi::smmu::{ContextId, Record, StreamId};

use super::super::invocation::{SIGNAL_ONLY, SmmuInvocation};
use super::super::reply::Outcome;
use crate::Kernel;
use crate::cap::{Cap, NotificationCap, same_object};
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::iommu::SmmuFault;
use crate::object::{Context, Stream};
use crate::store::SlotRef;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn invoke_smmu(&mut self, invocation: SmmuInvocation) -> Outcome {
        match invocation {
            SmmuInvocation::IssueSid { stream, control, dest } => self.issue_sid(stream, control, dest),
            SmmuInvocation::IssueCb { context, control, dest } => self.issue_cb(context, control, dest),
            SmmuInvocation::GetGlobalFault(smmu) => return self.global_fault(smmu),
            SmmuInvocation::ClearGlobalFault(smmu) => self.clear_smmu_fault(smmu),
            SmmuInvocation::TakeRejected(smmu) => {
                let words = self.take_rejected(smmu).map_or([0; 2], |rejected| rejected.words);
                return Outcome::Words([words[0], words[1], 0, 0, 0, 0], 2);
            }
            SmmuInvocation::Enable(smmu) => {
                if !self.enable_smmu(smmu) {
                    return Outcome::Failed(SyscallError::IllegalOperation);
                }
            }
            SmmuInvocation::Disable(smmu) => self.disable_smmu(smmu),
            SmmuInvocation::Bypass(stream) => self.bypass_stream(stream),
            SmmuInvocation::GetUnclaimed(smmu) => return record(self.take_unclaimed(smmu)),
            SmmuInvocation::MapStreamTable { slot, table, first } => {
                // Installed in memory whatever becomes of the SMMU: one that fails here aborts everything from now on.
                self.slot(slot).set_cap(Cap::StreamTable { base: table, mapped: Some(first) });
                self.install_stream_table(first, table);
            }
            SmmuInvocation::InvalidateAll(smmu) => self.invalidate_smmu(smmu),
            SmmuInvocation::Bind { stream, context, source } => self.bind_stream(stream, context, source),
            SmmuInvocation::Unbind(stream) => self.unbind_stream(stream),
            SmmuInvocation::SetHandler { stream, handler, budget } => self.set_handler(stream, handler, budget),
            SmmuInvocation::GetRecord(stream) => return record(self.take_record(stream)),
            SmmuInvocation::ClearRecord(stream) => self.clear_record(stream),
            SmmuInvocation::Assign { context, vspace, asid, source } => {
                self.attach_context(context, vspace, asid, source);
            }
            SmmuInvocation::Unassign(context) => {
                if let Some(handle) = self.smmus.context(context) {
                    self.delete_one(handle.slot(Context::VSPACE));
                }
            }
            SmmuInvocation::Invalidate(context) => self.invalidate_context(context),
            SmmuInvocation::SetStage1 { context, table } => self.set_stage1(context, table),
            SmmuInvocation::InvalidateStage1 { context, count } => self.invalidate_stage1(context, count),
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

    fn issue_sid(&mut self, stream: StreamId, control: SlotRef, dest: SlotRef) {
        if let Some(located) = self.locate(stream) {
            self.get(located.shadow).issued.set(true);
            self.insert(Cap::Sid(stream), control, dest);
        }
    }

    fn issue_cb(&mut self, context: ContextId, control: SlotRef, dest: SlotRef) {
        if let Some(handle) = self.smmus.context(context) {
            self.get(handle).issued.set(true);
            self.insert(Cap::Cb { context, bound: None }, control, dest);
        }
    }

    fn global_fault(&mut self, smmu: u8) -> Outcome {
        let Some(SmmuFault { errors, losses, state }) = self.smmu_fault(smmu) else { return Outcome::Done };
        let rejected = errors.rejected.map(|rejected| (rejected.error.field().into(), rejected.index.into()));
        let (error, index) = rejected.unwrap_or((0, 0));
        Outcome::Words([errors.active.into(), error, index, losses, state as u64, 0], 5)
    }

    fn set_handler(&mut self, stream: StreamId, handler: Option<(NotificationCap, SlotRef)>, budget: u64) {
        let Some(located) = self.locate(stream) else { return };
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

    fn clear_record(&mut self, stream: StreamId) {
        if let Some(located) = self.locate(stream) {
            let shadow = self.get(located.shadow);
            shadow.pending.set(None);
            shadow.dropped.set(0);
            shadow.delivered.set(0);
            self.release_stream(stream);
        }
    }
}

fn record(record: Option<Record>) -> Outcome {
    record.map_or(Outcome::Done, |record| Outcome::Words(record.words(), Record::WORDS))
}
