//! A machine of the host: memory, objects, a TLB, an interrupt controller, and a record of every effect.

mod fpu;
mod guest;
mod memory;
mod objects;
mod tlb;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;

use sluice_abi::smmu::STREAM_TABLE_BITS;
use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{PhysAddr, VirtAddr};
use sluice_core::cap::Slot;
use sluice_core::object::{FpuContext, stream_shadow};
use sluice_core::{CacheOp, Hal, Handle, Object, SlotRef, Store, VgicRegister};
use sluice_paging::TableMemory;
use sluice_smmu::Bus;
use sluice_smmu_model::Model;

use fpu::Fpu;
use guest::Guest;
pub(crate) use memory::Contents;
use memory::Memory;
use objects::Objects;
use tlb::Tlb;

/// The machine's memory.
pub(crate) const RAM: Range<u64> = 0x4000_0000..0x4200_0000;

/// Something the kernel did to the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    Store { at: PhysAddr, value: u64 },
    Barrier,
    LoadVspace { root: PhysAddr, vmid: u8 },
    InvalidateVmid(u8),
    InvalidatePage { vmid: u8, vaddr: VirtAddr },
    Clear { at: PhysAddr, bytes: u64 },
    Maintain { operation: CacheOp, at: PhysAddr, bytes: u64 },
    Enable { intid: u32, enabled: bool },
    Edge { intid: u32, edge: bool },
    Acknowledge(u32),
    RearmTimer,
    GuestMode(bool),
    Register { register: VcpuRegister, value: u64 },
    Vgic { register: VgicRegister, value: u64 },
    Sgi(u64),
    PowerOff,
}

/// The machine.
#[derive(Default)]
pub(crate) struct Machine {
    pub(crate) memory: Memory,
    pub(crate) objects: Objects,
    pub(crate) tlb: Tlb,
    pub(crate) fpu: Fpu,
    pub(crate) guest: Guest,
    log: RefCell<Vec<Effect>>,
    console: RefCell<String>,
    enabled: RefCell<BTreeMap<u32, bool>>,
    /// Looks for pending interrupts until one is pending.
    countdown: Cell<Option<u64>>,
    looks: Cell<u64>,
    /// SMMUs, which see every store, and their registers and queues.
    pub(crate) smmus: Vec<Smmu>,
}

/// An SMMU and where it is.
pub(crate) struct Smmu {
    pub(crate) model: Model,
    pub(crate) registers: Range<u64>,
    /// What the model itself writes to.
    pub(crate) memory: Range<u64>,
}

impl Machine {
    fn record(&self, effect: Effect) {
        self.log.borrow_mut().push(effect);
    }

    /// Effects since the last call.
    pub(crate) fn take_log(&self) -> Vec<Effect> {
        self.log.take()
    }

    /// What was printed since the last call.
    pub(crate) fn take_console(&self) -> String {
        self.console.take()
    }

    /// Has an interrupt become pending just before the kernel looks for the `looks`-th time from now (0 is the next).
    pub(crate) fn interrupt_after(&self, looks: u64) {
        self.countdown.set(Some(looks));
    }

    /// No interrupt will come.
    pub(crate) fn quiet(&self) {
        self.countdown.set(None);
    }

    /// How often the kernel has looked for interrupts.
    pub(crate) fn looks(&self) -> u64 {
        self.looks.get()
    }

    pub(crate) fn is_enabled(&self, intid: u32) -> bool {
        self.enabled.borrow().get(&intid).copied().unwrap_or(false)
    }

    pub(crate) fn enabled(&self) -> BTreeMap<u32, bool> {
        self.enabled.borrow().clone()
    }

    fn smmu_memory(&self, at: PhysAddr) -> Option<&Model> {
        self.smmus.iter().find(|smmu| smmu.memory.contains(&at.0)).map(|smmu| &smmu.model)
    }

    /// Whether a stream table entry is there, for whose word 0 the SMMU has other rules than for translation tables.
    fn is_stream_entry(&self, at: PhysAddr) -> bool {
        self.objects.find(stream_shadow(at.align_down(STREAM_TABLE_BITS), 0)).is_some()
    }

    fn device(&self, at: PhysAddr) -> &Model {
        let smmu = self.smmus.iter().find(|smmu| smmu.registers.contains(&at.0));
        &smmu.unwrap_or_else(|| panic!("no device at {at}")).model
    }

    fn assert_no_object(&self, at: PhysAddr, bytes: u64) {
        if let Some((start, extent)) = self.objects.overlapping(at, bytes) {
            panic!("memory access at {at} hits the {} at {start:#x}", extent.kind);
        }
    }
}

impl TableMemory for Machine {
    fn load(&self, at: PhysAddr) -> u64 {
        self.assert_no_object(at, 8);
        match self.smmu_memory(at) {
            Some(model) => model.load(at),
            None => self.memory.load(at),
        }
    }

    fn store(&self, at: PhysAddr, value: u64) {
        self.assert_no_object(at, 8);
        let old = self.memory.load(at);
        let table = !self.is_stream_entry(at) && self.smmu_memory(at).is_none();
        let broken = old & 1 == 0 || value & 1 == 0 || old == value || !table;
        assert!(broken, "valid entry {old:#x} at {at} replaced without a break");
        self.memory.store(at, value);
        for smmu in &self.smmus {
            smmu.model.store(at, value);
        }
        self.record(Effect::Store { at, value });
        self.tlb.speculate(&Walker(self));
    }
}

/// The hardware's table walker: reads memory whatever it holds.
struct Walker<'a>(&'a Machine);

impl TableMemory for Walker<'_> {
    fn load(&self, at: PhysAddr) -> u64 {
        self.0.memory.load(at)
    }

    fn store(&self, at: PhysAddr, _value: u64) {
        unreachable!("a walker stores nothing, but at {at}");
    }
}

impl Bus for Machine {
    fn read32(&self, at: PhysAddr) -> u32 {
        self.device(at).read32(at)
    }
    fn write32(&self, at: PhysAddr, value: u32) {
        self.device(at).write32(at, value);
    }
    fn read64(&self, at: PhysAddr) -> u64 {
        self.device(at).read64(at)
    }
    fn write64(&self, at: PhysAddr, value: u64) {
        self.device(at).write64(at, value);
    }
    fn barrier(&self) {
        self.record(Effect::Barrier);
    }
    fn clean(&self, at: PhysAddr, bytes: u64) {
        self.record(Effect::Maintain { operation: CacheOp::Clean, at, bytes });
    }
}

impl Store for Machine {
    fn get<T: Object>(&self, handle: Handle<T>) -> &T {
        self.objects.get(handle)
    }
    fn slot(&self, slot: SlotRef) -> &Slot {
        self.objects.slot(slot)
    }
    fn create<T: Object>(&mut self, at: PhysAddr) -> Handle<T> {
        let (handle, bytes) = self.objects.create(at);
        self.memory.assert_zero(at, bytes);
        handle
    }
    fn create_slots(&mut self, at: PhysAddr, count: u64) {
        let bytes = self.objects.create_slots(at, count);
        self.memory.assert_zero(at, bytes);
    }
    fn destroy<T: Object>(&mut self, handle: Handle<T>) {
        let bytes = self.objects.destroy(handle);
        self.memory.soil(handle.at(), bytes);
    }
    fn destroy_slots(&mut self, at: PhysAddr, count: u64) {
        let bytes = self.objects.destroy_slots(at, count);
        self.memory.soil(at, bytes);
    }
}

impl Hal for Machine {
    fn frame_load(&self, at: PhysAddr) -> u64 {
        self.assert_no_object(at, 8);
        self.memory.load(at)
    }

    fn frame_store(&self, at: PhysAddr, value: u64) {
        self.assert_no_object(at, 8);
        self.memory.store(at, value);
    }

    fn is_memory(&self, at: PhysAddr, bytes: u64) -> bool {
        RAM.contains(&at.0) && at.0 + bytes <= RAM.end
    }

    fn clear(&self, at: PhysAddr, bytes: u64) {
        assert!(self.is_memory(at, bytes), "{at} is not memory");
        self.assert_no_object(at, bytes);
        self.memory.clear(at, bytes);
        for smmu in &self.smmus {
            let words = (0..bytes / 8).map(|index| at.offset(8 * index));
            words.filter(|at| smmu.model.load(*at) != 0).for_each(|at| smmu.model.store(at, 0));
        }
        self.record(Effect::Clear { at, bytes });
    }

    fn maintain(&self, operation: CacheOp, at: PhysAddr, bytes: u64) {
        self.record(Effect::Maintain { operation, at, bytes });
    }

    fn load_vspace(&self, root: PhysAddr, vmid: u8) {
        self.record(Effect::LoadVspace { root, vmid });
        self.tlb.load(root, vmid);
        self.tlb.speculate(&Walker(self));
    }

    fn invalidate_vmid(&self, vmid: u8) {
        self.record(Effect::InvalidateVmid(vmid));
        self.tlb.invalidate_vmid(vmid);
        self.tlb.speculate(&Walker(self));
    }

    fn invalidate_page(&self, vmid: u8, vaddr: VirtAddr) {
        self.record(Effect::InvalidatePage { vmid, vaddr });
        self.tlb.invalidate_page(vmid, vaddr);
        self.tlb.speculate(&Walker(self));
    }

    fn open_fpu(&self, open: bool) {
        self.fpu.set_open(open);
    }

    fn save_fpu(&self, to: &FpuContext) {
        self.fpu.save(to);
    }

    fn load_fpu(&self, from: &FpuContext) {
        self.fpu.load(from);
    }

    fn interrupt_pending(&self) -> bool {
        self.looks.set(self.looks.get() + 1);
        match self.countdown.get() {
            None => false,
            Some(0) => {
                self.countdown.set(None);
                true
            }
            Some(left) => {
                self.countdown.set(Some(left - 1));
                false
            }
        }
    }

    fn set_interrupt_enabled(&self, intid: u32, enabled: bool) {
        self.enabled.borrow_mut().insert(intid, enabled);
        self.record(Effect::Enable { intid, enabled });
    }

    fn set_interrupt_edge(&self, intid: u32, edge: bool) {
        self.record(Effect::Edge { intid, edge });
    }

    fn acknowledge_interrupt(&self, intid: u32) {
        self.record(Effect::Acknowledge(intid));
    }

    fn rearm_timer(&self) {
        self.record(Effect::RearmTimer);
    }

    fn put_byte(&self, byte: u8) {
        self.console.borrow_mut().push(char::from(byte));
    }

    fn power_off(&self) {
        self.record(Effect::PowerOff);
    }

    fn halt(&self, cause: &'static str) -> ! {
        panic!("kernel halted: {cause}")
    }
}
