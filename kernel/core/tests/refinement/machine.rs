//! A machine of the host: the SMMU's model is its memory and its bus, and somebody looks after every store.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{PhysAddr, VirtAddr};
use sluice_core::cap::Slot;
use sluice_core::object::FpuContext;
use sluice_core::{CacheOp, GuestMachine, Hal, Handle, Object, SlotRef, Store, VgicRegister};
use sluice_paging::TableMemory;
use sluice_smmu::Bus;
use sluice_smmu_model::{Identity, Model};

use crate::objects::Objects;
use crate::watch::{Tlb, Watch};

/// Where the SMMU's registers are.
pub(crate) const SMMU: PhysAddr = PhysAddr(0x0905_0000);
/// Bytes of them: two pages of 64 KiB.
pub(crate) const SMMU_BYTES: u64 = 0x2_0000;
/// QEMU's SMMU, with 512 streams.
pub(crate) const IDENTITY: Identity = Identity { idr1: Identity::QEMU.idr1 & !0x3f | 9, ..Identity::QEMU };
/// As that, but for the stages: IDR0.S1P and IDR0.S2P.
pub(crate) const STAGE1_ONLY: Identity = Identity { idr0: IDENTITY.idr0 & !1, ..IDENTITY };
pub(crate) const STAGE2_ONLY: Identity = Identity { idr0: IDENTITY.idr0 & !2, ..IDENTITY };

/// The SMMU's command queue.
const COMMANDS: std::ops::Range<u64> = crate::boot::COMMANDS.0..crate::boot::COMMANDS.0 + 0x1_0000;
/// Opcodes of the invalidations of translations (IHI 0070, 4.4).
const TLBI: std::ops::RangeInclusive<u64> = 0x10..=0x30;
/// Opcode of a command that invalidates nothing.
const SYNC: u64 = 0x46;

/// How many list registers it has.
const LIST_REGISTERS: u64 = 2;

/// Fields of a list register (IHI 0069, 12.4.8).
pub(crate) mod list {
    pub(crate) const PENDING: u64 = 1 << 62;
    pub(crate) const ACTIVE: u64 = 1 << 63;
    pub(crate) const STATE: u64 = PENDING | ACTIVE;
    pub(crate) const GROUP: u64 = 1 << 60;
    pub(crate) const PRIORITY: u64 = 0xff << 48;
    pub(crate) const EOI: u64 = 1 << 41;
    pub(crate) const INTID: u64 = 0xffff_ffff;
    pub(crate) const HARDWARE: u64 = 1 << 61;
    pub(crate) const DEVICE: u64 = 0x1fff << 32;
}

/// What the machine does not do although it was told to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Sabotage {
    /// It does everything.
    #[default]
    None,
    /// Translations in the SMMU stay.
    LoseSmmuInvalidations,
    /// Translations in the CPU stay.
    LoseCpuInvalidations,
    /// Stores to ordinary memory do not arrive.
    LoseStores,
}

/// The machine.
pub(crate) struct Machine {
    pub(crate) model: Model,
    pub(crate) objects: Objects,
    pub(crate) tlb: Tlb,
    pub(crate) watch: RefCell<Option<Watch>>,
    /// Stores and register writes so far.
    pub(crate) writes: Cell<u64>,
    pub(crate) sabotage: Cell<Sabotage>,
    /// Registers that the thread in guest mode uses.
    pub(crate) guest_registers: RefCell<BTreeMap<VcpuRegister, u64>>,
    /// Registers of the virtual CPU interface.
    pub(crate) vgic: RefCell<BTreeMap<VgicRegister, u64>>,
    pub(crate) interrupts: RefCell<Interrupts>,
    /// Looks for interrupts until one is pending, if any comes.
    pub(crate) interrupt_after: Cell<Option<u32>>,
}

/// The interrupt controller.
#[derive(Clone, Default, Debug)]
pub(crate) struct Interrupts {
    pub(crate) enabled: BTreeSet<u32>,
    pub(crate) edge: BTreeSet<u32>,
    pub(crate) active: BTreeSet<u32>,
}

impl Interrupts {
    fn put(set: &mut BTreeSet<u32>, intid: u32, within: bool) {
        set.retain(|other| *other != intid);
        set.extend(within.then_some(intid));
    }
}

impl Machine {
    pub(crate) fn new(identity: Identity) -> Self {
        Self {
            model: Model::new(SMMU, identity),
            objects: Objects::default(),
            tlb: Tlb::default(),
            watch: RefCell::new(None),
            writes: Cell::new(0),
            sabotage: Cell::default(),
            guest_registers: RefCell::default(),
            vgic: RefCell::default(),
            interrupts: RefCell::default(),
            interrupt_after: Cell::default(),
        }
    }

    /// ICH_EISR_EL2: list registers whose interrupt has ended and is to be reported (IHI 0069, 12.4.3).
    fn ended(&self) -> u64 {
        let reported = |index: &u8| {
            self.vgic_register(VgicRegister::List(*index)) & (list::STATE | list::HARDWARE | list::EOI) == list::EOI
        };
        (0..LIST_REGISTERS as u8).filter(reported).map(|index| 1 << index).sum()
    }

    fn wrote(&self) {
        self.writes.set(self.writes.get() + 1);
        self.look();
    }

    fn look(&self) {
        if let Some(watch) = self.watch.borrow().as_ref() {
            watch.look(&self.model, &self.tlb);
        }
    }

    fn assert_no_object(&self, at: PhysAddr, bytes: u64) {
        if let Some((start, extent)) = self.objects.overlapping(at, bytes) {
            panic!("memory access at {at} hits the {} at {start:#x}", extent.kind);
        }
    }
}

impl TableMemory for Machine {
    fn load(&self, at: PhysAddr) -> u64 {
        self.model.load(at)
    }

    fn store(&self, at: PhysAddr, value: u64) {
        self.assert_no_object(at, 8);
        let command = COMMANDS.contains(&at.0);
        match self.sabotage.get() {
            Sabotage::LoseStores if !command => {}
            Sabotage::LoseSmmuInvalidations if command && TLBI.contains(&(value & 0xff)) => self.model.store(at, SYNC),
            Sabotage::None
            | Sabotage::LoseStores
            | Sabotage::LoseSmmuInvalidations
            | Sabotage::LoseCpuInvalidations => self.model.store(at, value),
        }
        self.wrote();
    }
}

impl Bus for Machine {
    fn read32(&self, at: PhysAddr) -> u32 {
        self.model.read32(at)
    }
    fn write32(&self, at: PhysAddr, value: u32) {
        self.model.write32(at, value);
        self.wrote();
    }
    fn read64(&self, at: PhysAddr) -> u64 {
        self.model.read64(at)
    }
    fn write64(&self, at: PhysAddr, value: u64) {
        self.model.write64(at, value);
        self.wrote();
    }
    fn barrier(&self) {}
    fn clean(&self, _at: PhysAddr, _bytes: u64) {}
}

impl Store for Machine {
    fn get<T: Object>(&self, handle: Handle<T>) -> &T {
        self.objects.get(handle)
    }
    fn slot(&self, slot: SlotRef) -> &Slot {
        self.objects.slot(slot)
    }
    fn create<T: Object>(&mut self, at: PhysAddr) -> Handle<T> {
        self.objects.create(at).0
    }
    fn create_slots(&mut self, at: PhysAddr, count: u64) {
        self.objects.create_slots(at, count);
    }
    fn destroy<T: Object>(&mut self, handle: Handle<T>) {
        self.objects.destroy(handle);
    }
    fn destroy_slots(&mut self, at: PhysAddr, count: u64) {
        self.objects.destroy_slots(at, count);
    }
}

impl GuestMachine for Machine {
    fn set_guest_mode(&self, _guest: bool) {}
    fn vcpu_register(&self, register: VcpuRegister) -> u64 {
        self.guest_registers.borrow().get(&register).copied().unwrap_or(0)
    }
    fn set_vcpu_register(&self, register: VcpuRegister, value: u64) {
        self.guest_registers.borrow_mut().insert(register, value);
    }
    fn cache_selection(&self) -> u64 {
        0
    }
    fn set_cache_selection(&self, _value: u64) {}
    fn vgic_register(&self, register: VgicRegister) -> u64 {
        match register {
            VgicRegister::Type => LIST_REGISTERS - 1,
            VgicRegister::MaintenanceStatus => u64::from(self.ended() != 0),
            VgicRegister::EndOfInterruptStatus => self.ended(),
            VgicRegister::Control
            | VgicRegister::Machine
            | VgicRegister::SystemRegisters
            | VgicRegister::ActiveGroup0(_)
            | VgicRegister::ActiveGroup1(_)
            | VgicRegister::List(_) => self.vgic.borrow().get(&register).copied().unwrap_or(0),
        }
    }
    fn set_vgic_register(&self, register: VgicRegister, value: u64) {
        self.vgic.borrow_mut().insert(register, value);
    }
    fn faulting_page(&self) -> u64 {
        0
    }
    fn translate_stage1(&self, address: u64) -> u64 {
        address
    }
    fn send_sgi(&self, _request: u64) {}
}

impl Hal for Machine {
    fn frame_load(&self, at: PhysAddr) -> u64 {
        self.model.load(at)
    }
    fn frame_store(&self, at: PhysAddr, value: u64) {
        self.assert_no_object(at, 8);
        self.model.store(at, value);
    }
    fn is_memory(&self, at: PhysAddr, _bytes: u64) -> bool {
        at.0 >= crate::boot::KERNEL
    }
    fn clear(&self, at: PhysAddr, bytes: u64) {
        self.assert_no_object(at, bytes);
        for at in (at.0..at.0 + bytes).step_by(8).map(PhysAddr) {
            if self.model.load(at) != 0 {
                self.model.store(at, 0);
                self.wrote();
            }
        }
    }
    fn maintain(&self, _operation: CacheOp, _at: PhysAddr, _bytes: u64) {}
    fn load_vspace(&self, root: PhysAddr, vmid: u8) {
        self.tlb.load(root, vmid);
        self.look();
    }
    fn invalidate_vmid(&self, vmid: u8) {
        if self.sabotage.get() != Sabotage::LoseCpuInvalidations {
            self.tlb.invalidate(vmid, None);
        }
        self.look();
    }
    fn invalidate_page(&self, vmid: u8, vaddr: VirtAddr) {
        if self.sabotage.get() != Sabotage::LoseCpuInvalidations {
            self.tlb.invalidate(vmid, Some(vaddr));
        }
        self.look();
    }
    fn open_fpu(&self, _open: bool) {}
    fn save_fpu(&self, _to: &FpuContext) {}
    fn load_fpu(&self, _from: &FpuContext) {}
    fn interrupt_pending(&self) -> bool {
        let left = self.interrupt_after.get();
        self.interrupt_after.set(left.map(|left| left.saturating_sub(1)));
        left == Some(0)
    }
    fn set_interrupt_enabled(&self, intid: u32, enabled: bool) {
        Interrupts::put(&mut self.interrupts.borrow_mut().enabled, intid, enabled);
    }
    fn set_interrupt_edge(&self, intid: u32, edge: bool) {
        Interrupts::put(&mut self.interrupts.borrow_mut().edge, intid, edge);
    }
    fn acknowledge_interrupt(&self, intid: u32) {
        Interrupts::put(&mut self.interrupts.borrow_mut().active, intid, false);
    }
    fn rearm_timer(&self) {}
    fn put_byte(&self, _byte: u8) {}
    fn power_off(&self) {}
    fn halt(&self, cause: &'static str) -> ! {
        panic!("kernel halted: {cause}")
    }
}
