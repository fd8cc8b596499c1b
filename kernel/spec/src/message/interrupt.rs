//! Messages to interrupts and their control.

use sluice_abi::Label;

use super::{Decoded, Request};
use crate::{Invocation, Refused};

impl Request<'_> {
    pub(super) fn of_irq_control(&self) -> Decoded {
        let words = match self.label {
            Some(Label::IrqControlGet) => 3,
            Some(Label::IrqControlGetTrigger) => 4,
            Some(Label::IrqControlIssueSgiSignal) => {
                self.expect(4, 1)?;
                let (control, intid, target) = (self.slot, self.words[0], self.words[1]);
                return self.with_late_dest(self.path(0, 2), |dest| Invocation::IssueSgi {
                    control,
                    intid,
                    target,
                    dest,
                });
            }
            _ => return Err(Refused::IllegalOperation),
        };
        self.expect(words, 1)?;
        let intid = self.words[0];
        let edge = (words == 4).then(|| self.words[1] != 0);
        self.with_late_dest(self.path(0, words - 2), |dest| Invocation::GetIrq {
            control: self.slot,
            intid,
            edge,
            dest,
        })
    }

    pub(super) fn of_irq_handler(&self) -> Decoded {
        match self.label {
            Some(Label::IrqHandlerAck) => Ok(Invocation::AcknowledgeIrq(self.slot)),
            Some(Label::IrqHandlerSetNotification) => {
                Ok(Invocation::SetIrqNotification { handler: self.slot, notification: self.extra(0)? })
            }
            Some(Label::IrqHandlerClear) => Ok(Invocation::ClearIrq(self.slot)),
            _ => Err(Refused::IllegalOperation),
        }
    }
}
