//! Virtual processors: whom each belongs to, and what its registers hold.

use alloc::collections::BTreeMap;

use sluice_abi::vcpu::{VCPU_REGISTERS, VcpuRegister};
use sluice_abi::{PhysAddr, Register};

use crate::step::Stepped;
use crate::{Answer, Cap, Forwarded, Injected, Object, Refused, Slot, State};

/// SCTLR_EL1 of a new one: MMU and caches off, EL0 may wait, clean caches and read what they are like.
const SCTLR_AT_FIRST: u64 = 0x34d5_8820;

/// A virtual processor.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Vcpu {
    /// The thread it belongs to.
    pub thread: Option<PhysAddr>,
    /// Its registers, in the order of the interface.
    pub registers: [u64; VCPU_REGISTERS],
    /// Interrupts injected into it, by their place.
    pub injected: BTreeMap<u8, Injected>,
    /// Places kept for interrupts of devices, and what becomes of those when they come.
    pub forwarded: BTreeMap<u8, Forwarded>,
    /// Whether an event of its timer was not acknowledged: until then there is no other.
    pub timer_masked: bool,
}

impl Vcpu {
    /// A new one.
    #[must_use]
    pub const fn new() -> Self {
        let mut registers = [0; VCPU_REGISTERS];
        registers[VcpuRegister::Sctlr as usize] = SCTLR_AT_FIRST;
        Self { thread: None, registers, injected: BTreeMap::new(), forwarded: BTreeMap::new(), timer_masked: false }
    }
}

impl Default for Vcpu {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    pub(crate) fn vcpu(&self, at: PhysAddr) -> Option<&Vcpu> {
        if let Some(Object::Vcpu(vcpu)) = self.objects.get(&at) { Some(vcpu) } else { None }
    }

    pub(crate) fn vcpu_mut(&mut self, at: PhysAddr) -> Option<&mut Vcpu> {
        if let Some(Object::Vcpu(vcpu)) = self.objects.get_mut(&at) { Some(vcpu) } else { None }
    }

    pub(crate) fn invoked_vcpu(&self, slot: Slot) -> Result<(PhysAddr, &Vcpu), Refused> {
        let Cap::Vcpu(at) = self.invoked(slot)? else { return Err(Refused::IllegalOperation) };
        Ok((at, self.vcpu(at).ok_or(Refused::IllegalOperation)?))
    }

    pub(crate) fn with_vcpu(&self, at: PhysAddr, change: impl FnOnce(&mut Vcpu)) -> Answer {
        self.changed(|after| {
            if let Some(vcpu) = after.vcpu_mut(at) {
                change(vcpu);
            }
        })
    }

    pub(crate) fn set_vcpu_thread(&self, vcpu: Slot, thread: Slot) -> Stepped {
        let (at, _) = self.invoked_vcpu(vcpu)?;
        let Some(Cap::Thread(thread)) = self.cap(thread) else { return Err(Refused::IllegalOperation) };
        Ok(self.changed(|after| {
            if after.thread(thread).is_some_and(|thread| thread.vcpu == Some(at)) {
                return;
            }
            if let Some(other) = after.thread(thread).and_then(|thread| thread.vcpu) {
                after.part_from_thread(other);
            }
            after.part_from_thread(at);
            if let Some(thread) = after.thread_mut(thread) {
                thread.vcpu = Some(at);
            }
            if let Some(vcpu) = after.vcpu_mut(at) {
                vcpu.thread = Some(thread);
            }
        }))
    }

    pub(crate) fn read_vcpu(&self, vcpu: Slot, register: u64) -> Stepped {
        let (_, vcpu) = self.invoked_vcpu(vcpu)?;
        let register = VcpuRegister::from_word(register).ok_or(Refused::InvalidArgument(1))?;
        let words = alloc::vec![vcpu.registers[register as usize]];
        Ok(Answer { words, ..self.changed(|_| {}) })
    }

    pub(crate) fn write_vcpu(&self, vcpu: Slot, register: u64, value: u64) -> Stepped {
        let (at, _) = self.invoked_vcpu(vcpu)?;
        let register = VcpuRegister::from_word(register).ok_or(Refused::InvalidArgument(1))?;
        Ok(self.with_vcpu(at, |vcpu| vcpu.registers[register as usize] = value))
    }

    /// A virtual processor and its thread go their own ways; the thread has no EL1 to be in any more.
    pub(crate) fn part_from_thread(&mut self, vcpu: PhysAddr) {
        let thread = self.vcpu_mut(vcpu).and_then(|vcpu| vcpu.thread.take());
        if let Some(thread) = thread.and_then(|thread| self.thread_mut(thread)) {
            thread.vcpu = None;
            thread.write(Register::Spsr, thread.registers.get(Register::Spsr));
        }
    }
}
