//! The kernel's own state: what is not in an object.

use sluice_abi::PhysAddr;

use crate::cap::{Cap, Packed, Slot};
use crate::domain::DomainSchedule;
use crate::fpu::Fpu;
use crate::hal::Hal;
use crate::interrupt::Interrupts;
use crate::invariant::Watch;
use crate::iommu::{Smmus, Stage1Batch, Stale};
use crate::object::Tcb;
use crate::sched::Scheduler;
use crate::store::{Handle, Object, SlotRef};
use crate::vcpu::Vcpus;
use crate::vspace::AddressSpaces;

/// The kernel.
pub struct Kernel<H: Hal> {
    /// The machine.
    pub hal: H,
    /// The thread whose system call or exception is being handled, or that runs; `None` is idle.
    pub(crate) current: Option<Handle<Tcb>>,
    pub(crate) sched: Scheduler,
    pub(crate) interrupts: Interrupts,
    pub(crate) spaces: AddressSpaces,
    pub(crate) smmus: Smmus,
    pub(crate) stage1_batch: Stage1Batch,
    /// Empty between two system calls.
    pub(crate) stale: Stale,
    pub(crate) fpu: Fpu,
    pub(crate) vcpus: Vcpus,
    pub(crate) domains: DomainSchedule,
    /// The slot whose descendants are being removed, while it exists; of no meaning between two system calls.
    pub(crate) revoking: Option<SlotRef>,
    pub(crate) watch: Watch,
}

/// Memory the kernel keeps for itself, found at boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KernelMemory {
    /// Slots of the interrupt handlers' notifications, one for each INTID.
    pub interrupt_node: PhysAddr,
    /// Number of INTIDs.
    pub interrupt_count: u32,
    /// A zeroed page: the VSpace of threads that have none.
    pub empty_root: PhysAddr,
}

impl<H: Hal> Kernel<H> {
    /// A kernel without threads, and without SMMUs.
    pub fn new(mut hal: H, memory: KernelMemory) -> Self {
        hal.create_slots(memory.interrupt_node, memory.interrupt_count.into());
        Self {
            hal,
            current: None,
            sched: Scheduler::new(),
            interrupts: Interrupts::new(memory.interrupt_node, memory.interrupt_count),
            spaces: AddressSpaces::new(memory.empty_root),
            smmus: Smmus::new(),
            stage1_batch: Stage1Batch::new(),
            stale: Stale::new(),
            fpu: Fpu::new(),
            vcpus: Vcpus::new(),
            domains: DomainSchedule::new(),
            revoking: None,
            watch: Watch::default(),
        }
    }

    /// The thread that runs next, or `None` when all wait.
    #[must_use]
    pub fn current(&self) -> Option<Handle<Tcb>> {
        self.current
    }

    /// A thread's control block.
    pub fn tcb(&self, thread: Handle<Tcb>) -> &Tcb {
        self.hal.get(thread)
    }

    pub(crate) fn get<T: Object>(&self, handle: Handle<T>) -> &T {
        self.hal.get(handle)
    }

    pub(crate) fn slot(&self, slot: SlotRef) -> &Slot {
        self.hal.slot(slot)
    }

    /// The capability in `slot`, if it is of one kind.
    #[inline(always)]
    pub(crate) fn read<T: Packed>(&self, slot: SlotRef) -> Option<T> {
        self.hal.slot(slot).read()
    }

    pub(crate) fn cap(&self, slot: SlotRef) -> Cap {
        self.hal.slot(slot).cap()
    }
}
