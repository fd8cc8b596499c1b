//! Interrupts of devices that go to guests without anybody in between.

use sluice_abi::PhysAddr;

use crate::step::Stepped;
use crate::{Answer, Cap, Injected, Object, Refused, Slot, Stage, State, Vcpu};

/// What becomes of an interrupt that is forwarded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Forwarded {
    /// The interrupt of the device.
    pub device: u32,
    /// What the guest gets, pending.
    pub becomes: Injected,
}

impl State {
    /// Where an interrupt goes, if it is forwarded.
    fn forwarding(&self, device: u32) -> Option<(PhysAddr, u8, Injected)> {
        self.objects.iter().find_map(|(at, object)| {
            let Object::Vcpu(vcpu) = object else { return None };
            let found = vcpu.forwarded.iter().find(|(_, forwarded)| forwarded.device == device);
            found.map(|(place, forwarded)| (*at, *place, forwarded.becomes))
        })
    }

    pub(crate) fn forward_irq(&self, vcpu: Slot, handler: Slot, word: u64) -> Stepped {
        let (at, found) = self.invoked_vcpu(vcpu)?;
        let (place, injected) = self.described(word)?;
        let Some(Cap::IrqHandler(device)) = self.cap(handler) else { return Err(Refused::InvalidCapability(1)) };
        let in_use = found.injected.contains_key(&place) || found.forwarded.contains_key(&place);
        if in_use || self.forwarding(device).is_some() {
            return Err(Refused::DeleteFirst);
        }
        let becomes = Injected { device: Some(device), ..injected };
        Ok(self.with_vcpu(at, |vcpu| vcpu.forwarded.extend([(place, Forwarded { device, becomes })])))
    }

    pub(crate) fn take_back_irq(&self, vcpu: Slot, place: u64) -> Stepped {
        let (at, found) = self.invoked_vcpu(vcpu)?;
        let max = u64::from(self.virtualization.lists) - 1;
        if place > max {
            return Err(Refused::Range { min: 0, max });
        }
        let place = place as u8;
        if !found.forwarded.contains_key(&place) {
            return Err(Refused::InvalidArgument(0));
        }
        let progress = match found.injected.get(&place).map(|injected| injected.stage) {
            None => 0,
            Some(Stage::Pending) => 1,
            Some(Stage::Active | Stage::Ended) => 2,
        };
        Ok(Answer { words: alloc::vec![progress], ..self.with_vcpu(at, |vcpu| vcpu.take_back(place)) })
    }

    /// An interrupt comes: whether it is forwarded, and nobody else needs to know.
    pub(crate) fn forwards(&mut self, device: u32) -> bool {
        let Some((at, place, injected)) = self.forwarding(device) else { return false };
        let Some(vcpu) = self.vcpu_mut(at) else { return false };
        vcpu.injected.entry(place).or_insert(injected);
        let thread = vcpu.thread;
        thread.and_then(|thread| self.thread(thread)).is_some_and(crate::Thread::is_runnable)
    }

    /// An interrupt has no handler any more, and goes to nobody.
    pub(crate) fn forward_no_more(&mut self, device: u32) {
        let Some((at, place, _)) = self.forwarding(device) else { return };
        if let Some(vcpu) = self.vcpu_mut(at) {
            vcpu.take_back(place);
        }
    }
}

impl Vcpu {
    /// What the guest has not taken, it will not get; what it has taken, it ends as if it had been injected.
    fn take_back(&mut self, place: u8) {
        self.forwarded.remove(&place);
        if self.injected.get(&place).is_some_and(|injected| injected.stage == Stage::Pending) {
            self.injected.remove(&place);
        }
        if let Some(injected) = self.injected.get_mut(&place) {
            injected.device = None;
        }
    }
}
