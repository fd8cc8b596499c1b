//! A machine with 8 MiB of memory, a UART and a large device.

use sluice_abi::bootinfo::slot;
use sluice_abi::smmu::StreamId;
use sluice_abi::{PAGE_SIZE, PhysAddr};
use sluice_core::boot::{BootMemory, Extra, Range, Ranges, RootImage};
use sluice_core::cap::Cap;
use sluice_core::{
    InterruptUse, Kernel, KernelMemory, SmmuAtBoot, VgicRegister, context_bytes, descriptor_bytes,
    table_directory_bytes,
};
use sluice_smmu::{Features, Memory, memory_needed};
use sluice_smmu_model::{Identity, Model};

use super::{ROOT_BITS, System};
use crate::invariants;
use crate::machine::{Machine, Smmu};

/// INTID of the kernel's timer.
pub(crate) const TIMER: u32 = 26;
/// ICH_VTR_EL2: four list registers, five bits of priority.
const VGIC_TYPE: u64 = 4 << 26 | 3;
/// INTID of the virtual timer.
const VIRTUAL_TIMER: u32 = 27;
/// INTID of the virtual CPU interface's maintenance.
const MAINTENANCE: u32 = 25;
/// INTIDs of the machine.
pub(crate) const INTIDS: u32 = 160;
/// The kernel's own memory: slots of the interrupts, an empty table.
const KERNEL: u64 = 0x4000_0000;
/// Slots of the interrupt handlers.
pub(crate) const KERNEL_SLOTS: PhysAddr = PhysAddr(KERNEL);
/// Memory for the root task.
pub(crate) const FREE: Range = Range { start: 0x4040_0000, end: 0x40c0_0000 };
/// The root task's image.
pub(crate) const IMAGE: RootImage =
    RootImage { at: PhysAddr(0x4100_0000), pages: 4, vaddr: 0x40_0000, entry: 0x40_0100, cnode_bits: ROOT_BITS };
/// Addresses of devices: one page, and 2 GiB from a multiple of 1 GiB.
pub(crate) const DEVICES: [Range; 2] =
    [Range { start: 0x0900_0000, end: 0x0900_1000 }, Range { start: 0x80_0000_0000, end: 0x80_8000_0000 }];
/// Extra boot information.
pub(crate) const EXTRA: Extra<'static> = Extra { id: 6, bytes: b"a device tree" };

pub(crate) fn memory() -> BootMemory {
    let mut free = Ranges::new();
    free.add(FREE).expect("one range");
    let mut devices = Ranges::new();
    for range in DEVICES {
        devices.add(range).expect("two ranges");
    }
    BootMemory { free, devices }
}

/// A kernel that has not made its root task yet.
pub(crate) fn kernel() -> Kernel<Machine> {
    let machine = Machine::default();
    machine.memory.clear(PhysAddr(KERNEL), 0x1_0000 + PAGE_SIZE);
    machine.memory.clear(IMAGE.at, IMAGE.pages * PAGE_SIZE);
    let memory =
        KernelMemory { interrupt_node: KERNEL_SLOTS, interrupt_count: INTIDS, empty_root: PhysAddr(KERNEL + 0x1_0000) };
    let mut kernel = Kernel::new(machine, memory);
    kernel.reserve_interrupt(TIMER, InterruptUse::Timer, false);
    kernel.hal.guest.set_vgic(VgicRegister::Type, VGIC_TYPE);
    kernel.start_virtualization(VIRTUAL_TIMER, Some(MAINTENANCE));
    kernel
}

/// Registers of the SMMU.
pub(crate) const SMMU: PhysAddr = PhysAddr(0x0905_0000);
/// Bytes of them; those of further SMMUs follow.
const SMMU_BYTES: u64 = 0x2_0000;
/// Its event queue's interrupt; those of further SMMUs follow.
pub(crate) const SMMU_INTID: u32 = 106;
/// Its memory: queues and stream table, then contexts, then a second-level stream table.
const SMMU_MEMORY: std::ops::Range<u64> = KERNEL + 0x10_0000..KERNEL + 0x30_0000;
/// Memory of further SMMUs.
const MORE_SMMUS: u64 = 0x4110_0000;
/// Bytes for each of them, half of them for queues and the like.
const MORE_SMMU_BYTES: u64 = 0x8_0000;
/// Contexts of each SMMU.
pub(crate) const CONTEXTS: u32 = 8;
/// The second-level stream table for streams 0..256.
pub(crate) const STREAM_TABLE: PhysAddr = PhysAddr(KERNEL + 0x20_0000);

/// Registers, memory and second-level stream table of SMMU number `smmu`.
fn place(smmu: u8) -> (PhysAddr, std::ops::Range<u64>, PhysAddr) {
    let number = u64::from(smmu);
    let registers = SMMU.offset(SMMU_BYTES * number);
    if smmu == 0 {
        return (registers, SMMU_MEMORY, STREAM_TABLE);
    }
    let start = MORE_SMMUS + number * MORE_SMMU_BYTES;
    (registers, start..start + MORE_SMMU_BYTES, PhysAddr(start + MORE_SMMU_BYTES / 2))
}

/// A kernel with one SMMU, up, with every stream aborting.
pub(crate) fn kernel_with_smmu(identity: Identity) -> Kernel<Machine> {
    kernel_with_smmus(&[identity], 0x3ff)
}

/// A kernel with so many SMMUs, of which each covers streams up to `highest` at least.
pub(crate) fn kernel_with_smmus(identities: &[Identity], highest: u32) -> Kernel<Machine> {
    let mut kernel = kernel();
    for (smmu, identity) in (0..).zip(identities) {
        add_smmu(&mut kernel, smmu, *identity, highest);
    }
    kernel
}

fn add_smmu(kernel: &mut Kernel<Machine>, smmu: u8, identity: Identity, highest: u32) {
    let (registers, range, stream_table) = place(smmu);
    let model = match kernel.hal.smmus.first() {
        Some(first) => first.model.beside(registers, identity),
        None => Model::new(registers, identity),
    };
    kernel.hal.memory.clear(PhysAddr(range.start), range.end - range.start);
    let bytes = registers.0..registers.0 + SMMU_BYTES;
    kernel.hal.smmus.push(Smmu { model, registers: bytes, memory: range.clone() });
    let features = Features::read(&kernel.hal, registers).expect("a usable SMMU");
    let needs = memory_needed(&features, highest);
    let mut at = range.start;
    let mut take = |bytes: u64| {
        let start = at.next_multiple_of(bytes);
        at = start + bytes;
        PhysAddr(start)
    };
    let memory =
        Memory { strtab: take(needs.strtab_bytes), cmdq: take(needs.cmdq_bytes), evtq: take(needs.evtq_bytes) };
    let contexts = take(context_bytes(CONTEXTS).next_power_of_two());
    let descriptors = (!features.stage2).then(|| take(descriptor_bytes(CONTEXTS).next_power_of_two()));
    let driver = sluice_smmu::Smmu::new(registers, features, needs, memory);
    let tables = take(table_directory_bytes(driver.streams()).next_power_of_two());
    assert!(at <= stream_table.0, "the SMMU's memory is too small");
    driver.enable(&kernel.hal).expect("an SMMU that works");
    kernel.add_smmu(smmu, SmmuAtBoot { driver, contexts, context_count: CONTEXTS, tables, descriptors });
    assert!(kernel.add_stream_table(StreamId { smmu, sid: 0 }, stream_table));
    kernel.reserve_interrupt(SMMU_INTID + u32::from(smmu), InterruptUse::Smmu(smmu), true);
}

impl System {
    pub(crate) fn boot() -> Self {
        Self::with(kernel())
    }

    /// Boots the root task of `kernel`.
    pub(crate) fn with(mut kernel: Kernel<Machine>) -> Self {
        kernel.boot_root_task(IMAGE, memory(), &[EXTRA]).expect("a root task");
        let root = kernel.current().expect("a root thread");
        let mut system =
            Self { kernel, root, next_slot: slot::FIRST_FREE, untyped: 0, watched: true, next_buffer: 0x50_0000 };
        let slots = 1u64 << ROOT_BITS;
        system.next_slot = (slot::FIRST_FREE..slots).find(|at| system.cap(*at) == Cap::Null).expect("an empty slot");
        let largest = |at: &u64| {
            if let Cap::Untyped(untyped) = system.cap(*at)
                && !untyped.device
            {
                untyped.bits
            } else {
                0
            }
        };
        system.untyped = (slot::FIRST_FREE..system.next_slot).max_by_key(largest).expect("an Untyped");
        invariants::check(&system.kernel);
        system
    }
}
