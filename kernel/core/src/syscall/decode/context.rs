//! Invocations of translation contexts.

use sluice_abi::Label;
use sluice_abi::smmu::{CdTable, ContextId, MAX_STAGE1_COMMANDS};
use sluice_paging::Format;
use sluice_smmu::{CdTableRefusal, Stage1Command, check_cd_table};

use super::super::invocation::SmmuInvocation;
use super::{Decoded, Request};
use crate::Kernel;
use crate::cap::VSpace;
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::object::{AsidEntry, Context};
use crate::store::Handle;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn decode_cb_control(
        &self,
        request: &Request,
        label: Option<Label>,
    ) -> Decoded<SmmuInvocation> {
        let invocation = match label {
            Some(Label::CbControlGetCb) => {
                Self::expect(request, 3, 1)?;
                let word = self.word(request, 0);
                let smmu = u8::try_from(word >> 32).map_err(|_| SyscallError::InvalidArgument(0))?;
                let max = self.unit(smmu)?.context_count() - 1;
                let number = word as u32;
                if number > max {
                    return Err(SyscallError::Range { min: 0, max: max.into() });
                }
                let context = ContextId { smmu, cb: number as u16 };
                if self.context(context)?.1.issued.get() {
                    return Err(SyscallError::RevokeFirst);
                }
                SmmuInvocation::IssueCb { context, control: request.slot, dest: self.destination(request, 0, 1)? }
            }
            Some(Label::CbControlTlbInvalidateAll) => SmmuInvocation::InvalidateAll(self.smmu_argument(request)?),
            _ => return Err(SyscallError::IllegalOperation),
        };
        Ok(invocation)
    }

    fn context(&self, context: ContextId) -> Decoded<(Handle<Context>, &Context)> {
        let handle = self.smmus.context(context).ok_or(SyscallError::InvalidCapability(0))?;
        Ok((handle, self.get(handle)))
    }

    pub(in crate::syscall) fn decode_cb(
        &self,
        request: &Request,
        label: Option<Label>,
        context: ContextId,
    ) -> Decoded<SmmuInvocation> {
        self.context(context)?;
        let assigned = self.context_root(context).is_some();
        let invocation = match label {
            Some(Label::CbAssignVspace) => {
                let source = Self::extra_slot(request, 0)?;
                let vspace: VSpace = self.read(source).ok_or(SyscallError::InvalidCapability(1))?;
                let (asid, AsidEntry { format: present, .. }) = self.live_vspace(Some(vspace), 1)?;
                if assigned {
                    return Err(SyscallError::DeleteFirst);
                }
                let features = self.unit(context.smmu)?.driver.features();
                if !features.translates() {
                    return Err(SyscallError::IllegalOperation);
                }
                let wanted = features.table_format();
                if present != wanted && (present != Format::STAGE2 || !self.is_untouched(asid)) {
                    return Err(SyscallError::InvalidCapability(1));
                }
                SmmuInvocation::Assign { context, vspace: VSpace { bound: None, ..vspace }, asid, source }
            }
            Some(Label::CbAssignCdTable) => self.decode_assign_cd_table(request, context)?,
            Some(Label::CbUnassignCdTable) if self.cd_table(context)?.is_some() => {
                SmmuInvocation::SetStage1 { context, table: None }
            }
            Some(Label::CbInvalidateStage1) => self.decode_invalidate_stage1(request, context)?,
            Some(Label::CbUnassignVspace) if assigned => SmmuInvocation::Unassign(context),
            Some(Label::CbTlbInvalidate) if assigned => SmmuInvocation::Invalidate(context),
            Some(Label::CbGetFault) => SmmuInvocation::GetContextFault(context),
            Some(Label::CbClearFault) => SmmuInvocation::ClearContextFault(context),
            _ => return Err(SyscallError::IllegalOperation),
        };
        Ok(invocation)
    }

    fn cd_table(&self, context: ContextId) -> Decoded<Option<CdTable>> {
        Ok(self.context(context)?.1.stage1.get())
    }

    fn decode_assign_cd_table(&self, request: &Request, context: ContextId) -> Decoded<SmmuInvocation> {
        Self::expect(request, 2, 0)?;
        let words = [self.word(request, 0), self.word(request, 1)];
        let table = CdTable::from_words(words).ok_or(SyscallError::InvalidArgument(1))?;
        check_cd_table(self.unit(context.smmu)?.driver.features(), &table).map_err(|refusal| match refusal {
            CdTableRefusal::Unsupported => SyscallError::IllegalOperation,
            CdTableRefusal::Reserved => SyscallError::InvalidArgument(1),
            CdTableRefusal::TooMany { max } => SyscallError::Range { min: 0, max: max.into() },
            CdTableRefusal::Beyond => SyscallError::InvalidArgument(0),
            CdTableRefusal::Misaligned => SyscallError::Alignment,
        })?;
        if self.context_root(context).is_none() {
            return Err(SyscallError::IllegalOperation);
        }
        if self.cd_table(context)?.is_some() {
            return Err(SyscallError::DeleteFirst);
        }
        Ok(SmmuInvocation::SetStage1 { context, table: Some(table) })
    }

    /// Each word is read once and what is admitted kept apart from the message: the buffer is memory that a device may
    /// write meanwhile.
    fn decode_invalidate_stage1(&self, request: &Request, context: ContextId) -> Decoded<SmmuInvocation> {
        Self::expect(request, 1, 0)?;
        let table = self.cd_table(context)?.ok_or(SyscallError::IllegalOperation)?;
        let features = self.unit(context.smmu)?.driver.features();
        let max = MAX_STAGE1_COMMANDS as u64;
        let count = self.word(request, 0);
        if count == 0 || count > max {
            return Err(SyscallError::Range { min: 1, max });
        }
        let count = count as usize;
        Self::expect(request, 1 + 2 * count, 0)?;
        for index in 0..count {
            let words = [self.word(request, 1 + 2 * index), self.word(request, 2 + 2 * index)];
            let command =
                Stage1Command::admit(features, &table, words).ok_or(SyscallError::InvalidArgument(index as u64))?;
            self.stage1_batch.set(index, command);
        }
        Ok(SmmuInvocation::InvalidateStage1 { context, count })
    }
}
