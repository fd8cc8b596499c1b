//! Messages to streams, contexts and their controls.

use sluice_abi::Label;
use sluice_abi::smmu::StreamId;

use super::{Decoded, Request};
use crate::name::NO_OBJECT;
use crate::{Cap, Invocation, Refused};

impl Request<'_> {
    /// An SMMU's number, 0 in an empty message.
    fn smmu(&self) -> u64 {
        self.words.first().copied().unwrap_or(0)
    }

    fn stream(&self) -> Result<StreamId, Refused> {
        StreamId::from_word(self.words[0]).ok_or(Refused::InvalidArgument(0))
    }

    pub(super) fn of_sid_control(&self) -> Decoded {
        let (control, smmu) = (self.slot, self.smmu());
        match self.label {
            Some(Label::SidControlMapStreamTable) => {
                self.expect(1, 1)?;
                let table = self.extra(0)?;
                if !matches!(self.state.cap(table), Some(Cap::StreamTable { mapped: None, .. })) {
                    return Err(Refused::InvalidCapability(1));
                }
                Ok(Invocation::MapStreamTable { control, table, first: self.stream()? })
            }
            Some(Label::SidControlGetSid) => {
                self.expect(3, 1)?;
                let stream = self.stream()?;
                self.with_late_dest(self.path(0, 1), |dest| Invocation::GetSid { control, stream, dest })
            }
            Some(Label::SidControlGetFault) => Ok(Invocation::GetGlobalFault { control, smmu }),
            Some(Label::SidControlClearFault) => Ok(Invocation::ClearGlobalFault { control, smmu }),
            Some(Label::SidControlGetEventq) => {
                self.expect(1, 0)?;
                Ok(Invocation::GetEventq { control, smmu })
            }
            Some(Label::SidControlSkipCmdqError) => {
                self.expect(1, 0)?;
                Ok(Invocation::SkipCmdqError { control, smmu })
            }
            Some(Label::SidControlInitSmmu) => {
                self.expect(1, 0)?;
                Ok(Invocation::InitSmmu { control, smmu })
            }
            Some(Label::SidControlDisableSmmu) => {
                self.expect(1, 0)?;
                Ok(Invocation::DisableSmmu { control, smmu })
            }
            Some(Label::SidControlBypassStream) => Ok(Invocation::BypassStream { control, sid: self.extra(0)? }),
            _ => Err(Refused::IllegalOperation),
        }
    }

    pub(super) fn of_sid(&self, stream: StreamId) -> Decoded {
        let sid = self.slot;
        if !self.state.is_covered(stream) {
            return Err(Refused::InvalidCapability(0));
        }
        match self.label {
            Some(Label::SidBindCb) => Ok(Invocation::BindCb { sid, cb: self.extra(0)? }),
            Some(Label::SidUnbindCb) => Ok(Invocation::UnbindCb(sid)),
            Some(Label::SidSetFaultHandler) => {
                let notification = self.caps.first().copied();
                let handler = |budget| Invocation::SetFaultHandler { sid, notification, budget };
                match self.words.first() {
                    Some(budget) => Ok(handler(*budget)),
                    // A bad capability is found first.
                    None => self.state.after(NO_OBJECT, &handler(0)).and(Err(Refused::Truncated)),
                }
            }
            Some(Label::SidGetFault) => Ok(Invocation::GetFault(sid)),
            Some(Label::SidClearFault) => Ok(Invocation::ClearFault(sid)),
            _ => Err(Refused::IllegalOperation),
        }
    }

    pub(super) fn of_cb_control(&self) -> Decoded {
        let control = self.slot;
        match self.label {
            Some(Label::CbControlGetCb) => {
                self.expect(3, 1)?;
                let smmu = u8::try_from(self.words[0] >> 32).map_err(|_| Refused::InvalidArgument(0))?;
                let cb = self.words[0] as u32;
                self.with_late_dest(self.path(0, 1), |dest| Invocation::GetCb { control, smmu, cb, dest })
            }
            Some(Label::CbControlTlbInvalidateAll) => Ok(Invocation::InvalidateAll { control, smmu: self.smmu() }),
            _ => Err(Refused::IllegalOperation),
        }
    }

    pub(super) fn of_cb(&self) -> Decoded {
        let cb = self.slot;
        match self.label {
            Some(Label::CbAssignVspace) => Ok(Invocation::AssignVspace { cb, vspace: self.extra(0)? }),
            Some(Label::CbUnassignVspace) => Ok(Invocation::UnassignVspace(cb)),
            Some(Label::CbTlbInvalidate) => Ok(Invocation::InvalidateContext(cb)),
            Some(Label::CbAssignCdTable) => {
                self.expect(2, 0)?;
                Ok(Invocation::AssignCdTable { cb, words: [self.words[0], self.words[1]] })
            }
            Some(Label::CbUnassignCdTable) => Ok(Invocation::UnassignCdTable(cb)),
            Some(Label::CbInvalidateStage1) => {
                self.expect(1, 0)?;
                Ok(Invocation::InvalidateStage1 { cb, words: self.words.to_vec() })
            }
            Some(Label::CbGetFault) => Ok(Invocation::GetContextFault(cb)),
            Some(Label::CbClearFault) => Ok(Invocation::ClearContextFault(cb)),
            _ => Err(Refused::IllegalOperation),
        }
    }
}
