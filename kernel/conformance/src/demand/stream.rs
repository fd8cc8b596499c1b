//! Messages to streams, contexts and their controls.

use sluice_abi::smmu::{ContextId, StreamId};
use sluice_abi::{Error, Label};
use sluice_abstract::{Invocation, Slot};

use super::{Demand, Demanded, Effect, Message};

impl Message<'_> {
    pub(super) fn of_sid_control(&self) -> Demanded {
        match self.label {
            Some(Label::SidControlMapStreamTable) => {
                self.expect(1, 1)?;
                let first = StreamId::from_word(self.words[0]).ok_or(Error::InvalidArgument)?;
                Ok(Demand::Beside(Effect::Streams(first)))
            }
            Some(Label::SidControlGetSid) => {
                self.expect(3, 1)?;
                let stream = StreamId::from_word(self.words[0]).ok_or(Error::InvalidArgument)?;
                self.with_late_dest(self.path(0, 1), |dest| Invocation::GetSid { control: self.slot, stream, dest })
            }
            _ => self.only(&[Label::SidControlGetFault, Label::SidControlClearFault, Label::SidControlGetEventq]),
        }
    }

    pub(super) fn of_sid(&self) -> Demanded {
        match self.label {
            Some(Label::SidBindCb) => Ok(Demand::Step(Invocation::BindCb { sid: self.slot, cb: self.extra(0)? })),
            Some(Label::SidUnbindCb) => Ok(Demand::Step(Invocation::UnbindCb(self.slot))),
            Some(Label::SidSetFaultHandler) => {
                let handler = Invocation::SetFaultHandler { sid: self.slot, notification: self.caps.first().copied() };
                if self.words.is_empty() {
                    // A bad capability is found first.
                    return self.state.after(&handler).and(Err(Error::TruncatedMessage));
                }
                Ok(Demand::Step(handler))
            }
            _ => self.only(&[Label::SidGetFault, Label::SidClearFault]),
        }
    }

    pub(super) fn of_cb_control(&self) -> Demanded {
        if self.label != Some(Label::CbControlGetCb) {
            return self.only(&[Label::CbControlTlbInvalidateAll]);
        }
        self.expect(3, 1)?;
        let smmu = u8::try_from(self.words[0] >> 32).map_err(|_| Error::InvalidArgument)?;
        let cb = self.words[0] as u32;
        self.with_late_dest(self.path(0, 1), |dest| Invocation::GetCb { control: self.slot, smmu, cb, dest })
    }

    pub(super) fn of_cb(&self, context: ContextId) -> Demanded {
        match self.label {
            Some(Label::CbAssignVspace) => {
                Ok(Demand::Step(Invocation::AssignVspace { cb: self.slot, vspace: self.extra(0)? }))
            }
            Some(Label::CbUnassignVspace) => Ok(Demand::Step(Invocation::UnassignVspace(self.slot))),
            Some(Label::CbTlbInvalidate) if self.state.cap(Slot::Translation(context)).is_some() => {
                Ok(Demand::Beside(Effect::NONE))
            }
            _ => self.only(&[Label::CbGetFault, Label::CbClearFault]),
        }
    }
}
