//! Interrupts: who has which, and what happens when one comes.

use sluice_abi::PhysAddr;

use crate::Kernel;
use crate::cap::Cap;
use crate::hal::Hal;
use crate::object::Vcpu;
use crate::store::{Handle, SlotRef};
use sluice_abi::CapRights;

/// INTIDs of SGIs, PPIs and SPIs (IHI 0069, 2.2): LPIs are not used.
const MAX_INTIDS: usize = 1020;

/// What an interrupt is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InterruptUse {
    /// Nobody's.
    Inactive,
    /// Signals the notification in its slot.
    Signal,
    /// Goes to a virtual processor, into the list register that is kept for it.
    Forward(Handle<Vcpu>, u8),
    /// The kernel's tick.
    Timer,
    /// Something happened at this SMMU.
    Smmu(u8),
    /// The virtual timer of the guest that runs.
    VirtualTimer,
    /// The virtual CPU interface of the guest that runs asks for maintenance.
    VgicMaintenance,
}

/// The table of interrupts.
pub(crate) struct Interrupts {
    uses: [InterruptUse; MAX_INTIDS],
    node: PhysAddr,
    count: u32,
}

impl Interrupts {
    pub(crate) const fn new(node: PhysAddr, count: u32) -> Self {
        let count = if count as usize > MAX_INTIDS { MAX_INTIDS as u32 } else { count };
        Self { uses: [InterruptUse::Inactive; MAX_INTIDS], node, count }
    }

    /// Highest INTID.
    pub(crate) const fn last(&self) -> u32 {
        self.count - 1
    }

    pub(crate) fn get(&self, intid: u32) -> InterruptUse {
        self.uses.get(intid as usize).copied().unwrap_or(InterruptUse::Inactive)
    }

    pub(crate) fn set(&mut self, intid: u32, how: InterruptUse) {
        if let Some(entry) = self.uses.get_mut(intid as usize) {
            *entry = how;
        }
    }

    /// The slot with the notification capability.
    pub(crate) const fn slot(&self, intid: u32) -> SlotRef {
        SlotRef::new(self.node).nth(intid as u64)
    }
}

impl<H: Hal> Kernel<H> {
    /// Takes an interrupt for the kernel itself; boot only.
    pub fn reserve_interrupt(&mut self, intid: u32, how: InterruptUse, edge: bool) {
        self.trace_kept_interrupt(intid);
        self.interrupts.set(intid, how);
        self.hal.set_interrupt_edge(intid, edge);
        self.hal.set_interrupt_enabled(intid, true);
    }

    /// Handles the interrupt `intid` that the controller reported, and tells it so.
    pub(crate) fn handle_interrupt(&mut self, intid: u32) {
        match self.interrupts.get(intid) {
            // Priority drop only: the interrupt stays active, and cannot come again, until the handler acknowledges, or
            // until the guest ends the virtual interrupt.
            InterruptUse::Signal => return self.signal_interrupt(intid),
            InterruptUse::Forward(vcpu, index) => {
                self.deliver_forwarded(vcpu, index);
                if !self.can_run(vcpu) {
                    self.signal_interrupt(intid);
                }
                return;
            }
            InterruptUse::Timer => {
                self.tick();
                self.tick_smmus();
                self.hal.rearm_timer();
            }
            InterruptUse::Smmu(smmu) => self.collect_events(smmu),
            InterruptUse::VirtualTimer => self.virtual_timer_fired(intid),
            InterruptUse::VgicMaintenance => self.maintain_vgic(),
            InterruptUse::Inactive => self.hal.set_interrupt_enabled(intid, false),
        }
        self.hal.acknowledge_interrupt(intid);
    }

    fn signal_interrupt(&mut self, intid: u32) {
        if let Cap::Notification(notification) = self.cap(self.interrupts.slot(intid))
            && notification.rights.contains(CapRights::WRITE)
        {
            self.signal(notification.object, notification.badge);
        }
    }

    /// The handler's capability is gone.
    pub(crate) fn retire_interrupt(&mut self, intid: u32) {
        if let InterruptUse::Forward(vcpu, index) = self.interrupts.get(intid) {
            self.take_back(vcpu, index, intid);
        }
        self.hal.set_interrupt_enabled(intid, false);
        self.hal.acknowledge_interrupt(intid);
        self.interrupts.set(intid, InterruptUse::Inactive);
    }
}
