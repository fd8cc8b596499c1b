//! What guests do and what is done to them: interrupts injected, the virtual timer, and exits to whoever emulates the
//! rest of their machine.

use sluice_abi::PhysAddr;
use sluice_abi::vcpu::VcpuRegister;

use crate::step::Stepped;
use crate::{Fault, Happening, Refused, Slot, State, Vcpu};

/// What the machine has for guests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Virtualization {
    /// How many interrupts a virtual processor has room for.
    pub lists: u8,
    /// The interrupt of the virtual timer.
    pub timer: Option<u32>,
    /// The interrupt with which the virtual interface asks for maintenance.
    pub maintenance: Option<u32>,
}

impl Default for Virtualization {
    /// Room for one interrupt, which every interface has.
    fn default() -> Self {
        Self { lists: 1, timer: None, maintenance: None }
    }
}

/// How far a guest is with an interrupt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    /// It has not taken it.
    Pending,
    /// It has taken it and not ended it.
    Active,
    /// It has ended it, and nobody has been told. After that the place is free.
    Ended,
}

/// An interrupt injected into a virtual processor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Injected {
    /// Its number, as the guest sees it.
    pub intid: u16,
    /// Its priority.
    pub priority: u8,
    /// Its group.
    pub group: u8,
    /// How far the guest is with it.
    pub stage: Stage,
    /// The interrupt of a device that can come again when the guest has ended this one, which then is over.
    pub device: Option<u32>,
}

impl Injected {
    /// Greatest number.
    pub const MAX_INTID: u64 = 1023;
    /// Greatest priority.
    pub const MAX_PRIORITY: u64 = 31;
    /// Greatest group.
    pub const MAX_GROUP: u64 = 1;
}

/// What a guest does without the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// It takes the interrupt in this place, if one is pending there.
    Takes(u8),
    /// It ends the interrupt in this place, if it has taken one there.
    Ends(u8),
    /// It writes a register.
    Sets(VcpuRegister, u64),
    /// It goes on in this PSTATE, of a level below EL2.
    Enters(u64),
}

impl State {
    /// The thread that runs and its virtual processor, if it has one.
    fn guest(&self) -> Option<(PhysAddr, PhysAddr)> {
        let thread = self.running?;
        Some((thread, self.thread(thread)?.vcpu?))
    }

    /// Whether an interrupt cannot come because the guest that runs has not had its last event acknowledged.
    #[must_use]
    pub fn is_masked(&self, intid: u32) -> bool {
        self.virtualization.timer == Some(intid)
            && self.guest().and_then(|(_, vcpu)| self.vcpu(vcpu)).is_some_and(|vcpu| vcpu.timer_masked)
    }

    /// `word` has number, priority, group and place, from the least bits on: 16, 8 and 8 of them, and 8 more.
    pub(crate) fn inject_irq(&self, vcpu: Slot, word: u64) -> Stepped {
        let (at, found) = self.invoked_vcpu(vcpu)?;
        let (place, injected) = self.described(word)?;
        let is_active = found.injected.get(&place).is_some_and(|there| there.stage == Stage::Active);
        if is_active || found.forwarded.contains_key(&place) {
            return Err(Refused::DeleteFirst);
        }
        Ok(self.with_vcpu(at, |vcpu| vcpu.injected.extend([(place, injected)])))
    }

    /// The place and the interrupt that a word describes.
    pub(crate) fn described(&self, word: u64) -> Result<(u8, Injected), Refused> {
        let [intid, priority, group, place] = [word & 0xffff, word >> 16 & 0xff, word >> 24 & 0xff, word >> 32 & 0xff];
        let last = u64::from(self.virtualization.lists) - 1;
        for (value, max) in [
            (intid, Injected::MAX_INTID),
            (priority, Injected::MAX_PRIORITY),
            (group, Injected::MAX_GROUP),
            (place, last),
        ] {
            if value > max {
                return Err(Refused::Range { min: 0, max });
            }
        }
        let (intid, priority, group) = (intid as u16, priority as u8, group as u8);
        Ok((place as u8, Injected { intid, priority, group, stage: Stage::Pending, device: None }))
    }

    pub(crate) fn acknowledge_vppi(&self, vcpu: Slot, intid: u64) -> Stepped {
        let (at, _) = self.invoked_vcpu(vcpu)?;
        let max = self.interrupts.last.into();
        if intid > max {
            return Err(Refused::Range { min: 0, max });
        }
        if self.virtualization.timer.map(u64::from) != Some(intid) {
            return Err(Refused::InvalidArgument(0));
        }
        Ok(self.with_vcpu(at, |vcpu| vcpu.timer_masked = false))
    }

    /// The guest that runs does something.
    pub(crate) fn done_by_guest(&mut self, deed: Deed) {
        let Some((thread, at)) = self.guest() else { return };
        if let Deed::Enters(pstate) = deed {
            if let Some(thread) = self.thread_mut(thread) {
                thread.write(sluice_abi::Register::Spsr, pstate);
            }
            return;
        }
        if let Some(over) = self.vcpu_mut(at).and_then(|vcpu| vcpu.does(deed)) {
            self.interrupts.in_service.remove(&over);
        }
    }
}

impl Vcpu {
    /// The interrupt of a device that can come again.
    fn does(&mut self, deed: Deed) -> Option<u32> {
        let (place, from, to) = match deed {
            Deed::Takes(place) => (place, Stage::Pending, Stage::Active),
            Deed::Ends(place) => (place, Stage::Active, Stage::Ended),
            Deed::Sets(register, value) => {
                self.registers[register as usize] = value;
                return None;
            }
            Deed::Enters(_) => return None,
        };
        let injected = self.injected.get_mut(&place).filter(|injected| injected.stage == from)?;
        injected.stage = to;
        let over = injected.device.filter(|_| to == Stage::Ended)?;
        self.injected.remove(&place);
        Some(over)
    }
}

impl Happening {
    /// An interrupt comes: those of guests are events of the one that runs, and nobody's when none does.
    pub(crate) fn interrupted(&mut self, intid: u32) {
        let Virtualization { timer, maintenance, .. } = self.state.virtualization;
        if timer == Some(intid) {
            self.timer_fired(intid);
        } else if maintenance == Some(intid) {
            self.maintenance_asked();
        } else {
            self.state.interrupted(intid);
        }
    }

    fn timer_fired(&mut self, intid: u32) {
        let Some((thread, vcpu)) = self.state.guest() else { return };
        if let Some(vcpu) = self.state.vcpu_mut(vcpu) {
            vcpu.timer_masked = true;
        }
        self.raise(thread, Fault::Timer(intid));
    }

    /// The first interrupt that ended is reported, once.
    fn maintenance_asked(&mut self) {
        let Some((thread, vcpu)) = self.state.guest() else { return };
        let Some(vcpu) = self.state.vcpu_mut(vcpu) else { return };
        let place = vcpu.injected.iter().find(|(_, injected)| injected.stage == Stage::Ended).map(|(place, _)| *place);
        if let Some(place) = place {
            vcpu.injected.remove(&place);
        }
        self.raise(thread, Fault::Maintenance(place));
    }
}
