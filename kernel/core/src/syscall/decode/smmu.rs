//! Invocations of streams, and of all of them at once.

use sluice_abi::smmu::{STREAM_TABLE_SPLIT, StreamId};
use sluice_abi::{CapRights, Label, LookupFailure};
use sluice_smmu::{Mode, Rejected};

use super::super::invocation::SmmuInvocation;
use super::{Decoded, Request};
use crate::Kernel;
use crate::cap::Cap;
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::iommu::{Located, Unit};
use crate::store::SlotRef;

impl<H: Hal> Kernel<H> {
    pub(super) fn unit(&self, smmu: u8) -> Decoded<&Unit> {
        self.smmus.unit(smmu).ok_or(SyscallError::InvalidArgument(0))
    }

    /// An SMMU number in message word 0; SMMU 0 when the message is empty.
    pub(super) fn smmu_argument(&self, request: &Request) -> Decoded<u8> {
        let word = if request.length == 0 { 0 } else { self.word(request, 0) };
        let smmu = u8::try_from(word).map_err(|_| SyscallError::InvalidArgument(0))?;
        self.unit(smmu).map(|_| smmu)
    }

    /// An SMMU number in message word 0, which must be there.
    fn smmu_word(&self, request: &Request) -> Decoded<u8> {
        Self::expect(request, 1, 0)?;
        self.smmu_argument(request)
    }

    fn stream_argument(&self, word: u64) -> Decoded<StreamId> {
        let stream = StreamId::from_word(word).ok_or(SyscallError::InvalidArgument(0))?;
        let max = self.unit(stream.smmu)?.driver.streams() - 1;
        if u64::from(stream.sid) > max { Err(SyscallError::Range { min: 0, max }) } else { Ok(stream) }
    }

    pub(in crate::syscall) fn decode_sid_control(
        &self,
        request: &Request,
        label: Option<Label>,
    ) -> Decoded<SmmuInvocation> {
        let invocation = match label {
            Some(Label::SidControlGetSid) => self.decode_get_sid(request)?,
            Some(Label::SidControlGetFault) => SmmuInvocation::GetGlobalFault(self.smmu_argument(request)?),
            Some(Label::SidControlClearFault) => SmmuInvocation::ClearGlobalFault(self.smmu_argument(request)?),
            Some(Label::SidControlGetEventq) => SmmuInvocation::GetUnclaimed(self.smmu_word(request)?),
            Some(Label::SidControlMapStreamTable) => self.decode_map_stream_table(request)?,
            Some(Label::SidControlSkipCmdqError) => {
                let smmu = self.smmu_word(request)?;
                if self.rejected(smmu)?.is_none() {
                    return Err(SyscallError::IllegalOperation);
                }
                SmmuInvocation::TakeRejected(smmu)
            }
            Some(Label::SidControlInitSmmu) => {
                let smmu = self.smmu_word(request)?;
                if self.unit(smmu)?.driver.mode() == Mode::Enabled {
                    return Err(SyscallError::IllegalOperation);
                }
                SmmuInvocation::Enable(smmu)
            }
            Some(Label::SidControlDisableSmmu) => SmmuInvocation::Disable(self.smmu_word(request)?),
            Some(Label::SidControlBypassStream) => self.decode_bypass(request)?,
            _ => return Err(SyscallError::IllegalOperation),
        };
        Ok(invocation)
    }

    fn decode_get_sid(&self, request: &Request) -> Decoded<SmmuInvocation> {
        Self::expect(request, 3, 1)?;
        let stream = self.stream_argument(self.word(request, 0))?;
        let located = self
            .locate(stream)
            .ok_or(SyscallError::target(LookupFailure::MissingCapability { bits_left: STREAM_TABLE_SPLIT.into() }))?;
        if self.get(located.shadow).issued.get() {
            return Err(SyscallError::RevokeFirst);
        }
        let dest = self.destination(request, 0, 1)?;
        Ok(SmmuInvocation::IssueSid { stream, control: request.slot, dest })
    }

    fn decode_map_stream_table(&self, request: &Request) -> Decoded<SmmuInvocation> {
        Self::expect(request, 1, 1)?;
        let (slot, Cap::StreamTable { base: table, mapped: None }) = self.extra(request, 0)? else {
            return Err(SyscallError::InvalidCapability(1));
        };
        let first = self.stream_argument(self.word(request, 0))?;
        if first.sid & ((1 << STREAM_TABLE_SPLIT) - 1) != 0 {
            return Err(SyscallError::Alignment);
        }
        if self.locate(first).is_some() {
            return Err(SyscallError::DeleteFirst);
        }
        if self.has_orphans(first) {
            return Err(SyscallError::RevokeFirst);
        }
        Ok(SmmuInvocation::MapStreamTable { slot, table, first })
    }

    fn rejected(&self, smmu: u8) -> Decoded<Option<Rejected>> {
        Ok(self.unit(smmu)?.driver.global_errors(&self.hal).rejected)
    }

    fn decode_bypass(&self, request: &Request) -> Decoded<SmmuInvocation> {
        let (_, Cap::Sid(stream)) = self.extra(request, 0)? else { return Err(SyscallError::InvalidCapability(1)) };
        let located = self.locate(stream).ok_or(SyscallError::InvalidCapability(1))?;
        if self.is_bound(located) {
            return Err(SyscallError::DeleteFirst);
        }
        Ok(SmmuInvocation::Bypass(stream))
    }

    fn located(&self, stream: StreamId) -> Decoded<Located> {
        self.locate(stream).ok_or(SyscallError::InvalidCapability(0))
    }

    pub(in crate::syscall) fn decode_sid(
        &self,
        request: &Request,
        label: Option<Label>,
        stream: StreamId,
    ) -> Decoded<SmmuInvocation> {
        let located = self.located(stream)?;
        let bound = self.is_bound(located);
        let invocation = match label {
            Some(Label::SidBindCb) => {
                let (source, cap) = self.extra(request, 0)?;
                let Cap::Cb { context, .. } = cap else { return Err(SyscallError::InvalidCapability(1)) };
                if context.smmu != stream.smmu || self.context_root(context).is_none() {
                    return Err(SyscallError::InvalidCapability(1));
                }
                if bound {
                    return Err(SyscallError::DeleteFirst);
                }
                SmmuInvocation::Bind { stream, context, source }
            }
            Some(Label::SidUnbindCb) if bound => SmmuInvocation::Unbind(stream),
            Some(Label::SidSetFaultHandler) => {
                let handler = self.handler_argument(request)?;
                Self::expect(request, 1, 0)?;
                SmmuInvocation::SetHandler { stream, handler, budget: self.word(request, 0) }
            }
            Some(Label::SidGetFault) => SmmuInvocation::GetRecord(stream),
            Some(Label::SidClearFault) => SmmuInvocation::ClearRecord(stream),
            _ => return Err(SyscallError::IllegalOperation),
        };
        Ok(invocation)
    }

    fn handler_argument(&self, request: &Request) -> Decoded<Option<(crate::cap::NotificationCap, SlotRef)>> {
        let Some(source) = request.caps.get(0) else { return Ok(None) };
        match self.cap(source) {
            Cap::Notification(cap) if cap.rights.contains(CapRights::WRITE) => Ok(Some((cap, source))),
            _ => Err(SyscallError::InvalidCapability(1)),
        }
    }
}
