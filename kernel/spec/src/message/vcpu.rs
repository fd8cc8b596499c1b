//! Messages to virtual processors.

use sluice_abi::Label;

use super::{Decoded, Request};
use crate::{Invocation, Refused};

impl Request<'_> {
    pub(super) fn of_vcpu(&self) -> Decoded {
        let vcpu = self.slot;
        match self.label {
            Some(Label::VcpuSetTcb) => Ok(Invocation::SetVcpuThread { vcpu, thread: self.extra(0)? }),
            Some(Label::VcpuReadReg) => {
                self.expect(1, 0)?;
                Ok(Invocation::ReadVcpu { vcpu, register: self.words[0] })
            }
            Some(Label::VcpuWriteReg) => {
                self.expect(2, 0)?;
                Ok(Invocation::WriteVcpu { vcpu, register: self.words[0], value: self.words[1] })
            }
            Some(Label::VcpuInjectIrq) => {
                self.expect(1, 0)?;
                Ok(Invocation::InjectIrq { vcpu, word: self.words[0] })
            }
            Some(Label::VcpuAckVppi) => {
                self.expect(1, 0)?;
                Ok(Invocation::AcknowledgeVppi { vcpu, intid: self.words[0] })
            }
            Some(Label::VcpuForwardIrq) => {
                self.expect(1, 1)?;
                Ok(Invocation::ForwardIrq { vcpu, handler: self.extra(0)?, word: self.words[0] })
            }
            Some(Label::VcpuTakeBackIrq) => {
                self.expect(1, 0)?;
                Ok(Invocation::TakeBackIrq { vcpu, place: self.words[0] })
            }
            _ => Err(Refused::IllegalOperation),
        }
    }
}
