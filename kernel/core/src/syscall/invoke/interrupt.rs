//! Interrupts.

use super::super::invocation::InterruptInvocation;
use super::super::reply::Outcome;
use crate::Kernel;
use crate::cap::{Cap, SgiSignal, same_object};
use crate::hal::Hal;
use crate::interrupt::InterruptUse;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn invoke_interrupt(&mut self, invocation: InterruptInvocation) -> Outcome {
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
            InterruptInvocation::IssueSgi { signal, control, dest } => {
                self.insert(Cap::SgiSignal(signal), control, dest);
            }
            InterruptInvocation::SendSgi(signal) => self.hal.send_sgi(sgi_request(signal)),
        }
        Outcome::Done
    }
}

/// The word that makes the CPU interface send an interrupt to one core (ICC_SGI1R_EL1; IHI 0069, 12.2.22).
fn sgi_request(SgiSignal { intid, target }: SgiSignal) -> u64 {
    let [affinity0, affinity1, affinity2, affinity3] = target.to_le_bytes().map(u64::from);
    let (range, core) = (affinity0 >> 4, affinity0 & 0xf);
    affinity3 << 48 | range << 44 | affinity2 << 32 | u64::from(intid) << 24 | affinity1 << 16 | 1 << core
}
