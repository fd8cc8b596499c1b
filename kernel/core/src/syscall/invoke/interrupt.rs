//! Interrupts.

use super::super::invocation::InterruptInvocation;
use crate::Kernel;
use crate::cap::{Cap, same_object};
use crate::hal::Hal;
use crate::interrupt::InterruptUse;

impl<H: Hal> Kernel<H> {
    pub(super) fn invoke_interrupt(&mut self, invocation: InterruptInvocation) {
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
}
