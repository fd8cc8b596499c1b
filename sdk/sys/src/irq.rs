//! Interrupts.

use sluice_abi::Label;

use crate::{Failure, Message, Notification, Slot, capability, invoke};

capability! {
    /// Authority over interrupts.
    IrqControl
}

capability! {
    /// The capability to one interrupt.
    IrqHandler
}

/// How an interrupt line is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Trigger {
    /// While the line is high.
    Level = 0,
    /// When the line rises.
    Edge = 1,
}

impl IrqControl {
    /// Makes the handler capability of an interrupt (INTID), leaving its trigger as it is.
    ///
    /// # Errors
    /// When there is no such interrupt, or it has been handed out.
    pub fn get(self, irq: u64, to: Slot) -> Result<(), Failure> {
        let message = Message::invocation(Label::IrqControlGet, [irq, to.index, u64::from(to.depth)]);
        invoke(self.0, &message.with_cap(to.root.cptr())).map(drop)
    }

    /// Makes the handler capability of an interrupt (INTID) and sets its trigger.
    ///
    /// # Errors
    /// As for [`IrqControl::get`].
    pub fn get_trigger(self, irq: u64, trigger: Trigger, to: Slot) -> Result<(), Failure> {
        invoke(self.0, &get_trigger(irq, trigger, to)).map(drop)
    }
}

impl IrqHandler {
    /// Lets the interrupt fire again.
    ///
    /// # Errors
    /// When the capability is no interrupt.
    pub fn ack(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::IrqHandlerAck, [])).map(drop)
    }

    /// Signals `notification` when the interrupt fires.
    ///
    /// # Errors
    /// When the capability is no notification, or lacks Write.
    pub fn set_notification(self, notification: Notification) -> Result<(), Failure> {
        let message = Message::invocation(Label::IrqHandlerSetNotification, []).with_cap(notification.cptr());
        invoke(self.0, &message).map(drop)
    }

    /// Signals nobody.
    ///
    /// # Errors
    /// When the capability is no interrupt.
    pub fn clear(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::IrqHandlerClear, [])).map(drop)
    }
}

fn get_trigger(irq: u64, trigger: Trigger, to: Slot) -> Message<4> {
    Message::invocation(Label::IrqControlGetTrigger, [irq, trigger as u64, to.index, u64::from(to.depth)])
        .with_cap(to.root.cptr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CNode;

    #[test]
    fn trigger_comes_before_the_path() {
        let message = get_trigger(36, Trigger::Edge, CNode::from(2).slot(40));
        assert_eq!((message.label(), message.words()), (54, [36, 1, 40, 64].as_slice()));
        assert_eq!(message.caps(), [CNode::from(2).cptr()]);
        assert_eq!(get_trigger(36, Trigger::Level, CNode::from(2).slot(40)).words()[1], 0);
    }
}
