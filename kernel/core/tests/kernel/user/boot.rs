//! A machine with 8 MiB of memory, a UART and a large device.

use sluice_abi::bootinfo::slot;
use sluice_abi::{PAGE_SIZE, PhysAddr};
use sluice_core::boot::{BootMemory, Extra, Range, Ranges, RootImage};
use sluice_core::cap::Cap;
use sluice_core::{InterruptUse, Kernel, KernelMemory};

use super::{ROOT_BITS, System};
use crate::invariants;
use crate::machine::Machine;

/// INTID of the kernel's timer.
pub(crate) const TIMER: u32 = 26;
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
    kernel
}

impl System {
    pub(crate) fn boot() -> Self {
        Self::with(kernel())
    }

    /// Boots the root task of `kernel`.
    pub(crate) fn with(mut kernel: Kernel<Machine>) -> Self {
        kernel.boot_root_task(IMAGE, memory(), &[EXTRA]).expect("a root task");
        let root = kernel.current().expect("a root thread");
        let mut system = Self { kernel, root, next_slot: slot::FIRST_FREE, untyped: 0, next_buffer: 0x50_0000 };
        let slots = 1u64 << ROOT_BITS;
        system.next_slot = (slot::FIRST_FREE..slots).find(|at| system.cap(*at) == Cap::Null).expect("an empty slot");
        let largest = |at: &u64| match system.cap(*at) {
            Cap::Untyped(untyped) if !untyped.device => untyped.bits,
            _ => 0,
        };
        system.untyped = (slot::FIRST_FREE..system.next_slot).max_by_key(largest).expect("an Untyped");
        invariants::check(&system.kernel);
        system
    }
}
