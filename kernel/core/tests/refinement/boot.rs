//! A machine with little memory, an SMMU, and a root task.

use sluice_abi::smmu::StreamId;
use sluice_abi::{PAGE_SIZE, PhysAddr};
use sluice_abstract::Abilities;
use sluice_core::boot::{BootMemory, Range, Ranges, RootImage};
use sluice_core::{InterruptUse, Kernel, KernelMemory, SmmuAtBoot};
use sluice_smmu::{Features, Memory, Smmu, StallModel, memory_needed};
use sluice_smmu_model::Identity;

use crate::machine::{Machine, SMMU};

/// The kernel's own memory.
pub(crate) const KERNEL: u64 = 0x4000_0000;
/// Bytes of it, the last of which are the table of streams.
pub(crate) const KERNEL_BYTES: u64 = 0x11_0000;
/// Slots of the interrupts.
pub(crate) const INTERRUPTS: PhysAddr = PhysAddr(KERNEL);
/// How many interrupts there are.
pub(crate) const INTIDS: u32 = 40;
/// The kernel's tick.
pub(crate) const TIMER: u32 = 30;
/// The SMMU's interrupt.
pub(crate) const SMMU_EVENTS: u32 = 31;
/// The virtual timer's interrupt.
pub(crate) const VIRTUAL_TIMER: u32 = 27;
/// The interrupt of the virtual CPU interface.
pub(crate) const MAINTENANCE: u32 = 25;
const EMPTY_ROOT: PhysAddr = PhysAddr(KERNEL + 0x1_0000);
/// Contexts of the SMMU.
pub(crate) const CONTEXTS: PhysAddr = PhysAddr(KERNEL + 0x2_0000);
/// How many.
pub(crate) const CONTEXT_COUNT: u32 = 3;
/// Where the kernel notes its stream tables.
const STREAM_TABLES: PhysAddr = PhysAddr(KERNEL + 0x3_0000);
const STREAM_DESCRIPTORS: PhysAddr = PhysAddr(KERNEL + 0x4_0000);
/// The SMMU's command queue.
pub(crate) const COMMANDS: PhysAddr = PhysAddr(KERNEL + 0x5_0000);
/// Context descriptors of the kernel's own.
const DESCRIPTORS: PhysAddr = PhysAddr(KERNEL + 0x3_8000);
const EVENTS: PhysAddr = PhysAddr(KERNEL + 0x6_0000);
/// The table of the first 256 streams.
pub(crate) const STREAM_TABLE: PhysAddr = PhysAddr(KERNEL + 0x10_0000);
const IMAGE: RootImage =
    RootImage { at: PhysAddr(0x4100_0000), pages: 1, vaddr: 0x40_0000, entry: 0x40_0100, cnode_bits: 7 };
/// What is left for objects lies at the start of this: one Untyped of 128 KiB first.
const FREE: Range = Range { start: 0x4040_0000, end: 0x4044_0000 };
/// Memory that is none: a page of a device.
const DEVICE: Range = Range { start: 0x0900_0000, end: 0x0900_1000 };
/// First slot of the root CNode that nobody uses at boot.
pub(crate) const FREE_SLOT: u64 = 40;

/// What an SMMU can do, as the abstract machine has it.
pub(crate) fn abilities(features: &Features) -> Abilities {
    let Features { stage1, stage2, asid_bits, ssid_bits, granule_16k, granule_64k, .. } = *features;
    Abilities {
        stage1,
        stage2,
        always_stalls: features.stall_model == StallModel::Always,
        substream_bits: ssid_bits,
        asid_bits,
        ranges: features.range_invalidation,
        granules: [true, granule_16k, granule_64k],
    }
}

/// A kernel with a running root thread, and an SMMU that says it is this.
pub(crate) fn kernel(identity: Identity) -> Kernel<Machine> {
    kernel_with(identity, FREE)
}

/// The same with other memory for objects.
pub(crate) fn kernel_with(identity: Identity, memory_for_objects: Range) -> Kernel<Machine> {
    let memory = KernelMemory { interrupt_node: INTERRUPTS, interrupt_count: INTIDS, empty_root: EMPTY_ROOT };
    let mut kernel = Kernel::new(Machine::new(identity), memory);
    let features = Features::read(&kernel.hal, SMMU).expect("an SMMU that is supported");
    let needs = memory_needed(&features, 0x1ff);
    let memory = Memory { strtab: STREAM_DESCRIPTORS, cmdq: COMMANDS, evtq: EVENTS };
    let driver = Smmu::new(SMMU, features, needs, memory);
    driver.enable(&kernel.hal).expect("an SMMU that comes up");
    let (contexts, context_count) = (CONTEXTS, CONTEXT_COUNT);
    let descriptors = (!features.stage2).then_some(DESCRIPTORS);
    let boot = SmmuAtBoot { driver, contexts, context_count, tables: STREAM_TABLES, descriptors };
    kernel.add_smmu(0, boot);
    assert!(kernel.add_stream_table(StreamId { smmu: 0, sid: 0 }, STREAM_TABLE));
    let (mut free, mut devices) = (Ranges::new(), Ranges::new());
    free.add(memory_for_objects).expect("one range");
    devices.add(DEVICE).expect("one range");
    kernel.reserve_interrupt(TIMER, InterruptUse::Timer, false);
    kernel.reserve_interrupt(SMMU_EVENTS, InterruptUse::Smmu(0), true);
    kernel.start_virtualization(VIRTUAL_TIMER, Some(MAINTENANCE));
    kernel.boot_root_task(IMAGE, BootMemory { free, devices }, &[]).expect("a root task");
    kernel
}

const _: () = assert!(FREE.start.is_multiple_of(PAGE_SIZE << 4));
