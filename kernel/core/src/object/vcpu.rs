//! Virtual processor: what a guest's EL1 sees of the machine while its thread does not run.

use core::cell::Cell;

use sluice_abi::ObjectType;
use sluice_abi::vcpu::{VCPU_REGISTERS, VcpuRegister};

use super::Tcb;
use crate::store::{Handle, Object};

/// Most list registers a GIC has (IHI 0069, 12.4.8).
pub const MAX_LIST_REGISTERS: usize = 16;
/// Registers of active priorities of one group (IHI 0069, 12.4.1).
pub const MAX_ACTIVE_PRIORITIES: usize = 4;

/// SCTLR_EL1 of a new virtual processor: caches and MMU off, EL0 may wait and maintain caches; RES1 elsewhere.
const SCTLR_RESET: u64 = 0x34d5_8820;
/// ICH_HCR_EL2.En.
const INTERFACE_ENABLED: u64 = 1;

/// Interrupt state of a virtual processor (IHI 0069, 12.4).
pub struct Vgic {
    /// ICH_HCR_EL2.
    pub control: Cell<u64>,
    /// ICH_VMCR_EL2.
    pub machine: Cell<u64>,
    /// ICC_SRE_EL1: writable on cores that also have the memory-mapped interface.
    pub system_registers: Cell<u64>,
    /// ICH_AP0R<n>_EL2 and ICH_AP1R<n>_EL2.
    pub active: [[Cell<u64>; MAX_ACTIVE_PRIORITIES]; 2],
    /// ICH_LR<n>_EL2.
    pub list: [Cell<u64>; MAX_LIST_REGISTERS],
    /// What ICH_LR<n>_EL2 is given when the interrupt comes for which it is kept; zero when it is kept for none.
    pub forwarded: [Cell<u64>; MAX_LIST_REGISTERS],
}

/// A virtual processor, 4 KiB. Registers that are in the hardware are not true here: the kernel knows whose those are.
pub struct Vcpu {
    /// The thread it belongs to.
    pub thread: Cell<Option<Handle<Tcb>>>,
    registers: [Cell<u64>; VCPU_REGISTERS],
    /// CSSELR_EL1.
    pub cache_selection: Cell<u64>,
    /// Whether an event of the virtual timer waits to be acknowledged.
    pub timer_masked: Cell<bool>,
    /// Interrupts.
    pub vgic: Vgic,
}

impl Vcpu {
    /// A register as it was last saved.
    #[must_use]
    pub const fn register(&self, register: VcpuRegister) -> &Cell<u64> {
        &self.registers[register as usize]
    }
}

impl Object for Vcpu {
    const SLOTS: u64 = 0;
    const BODY: u64 = 0;

    fn new() -> Self {
        let vcpu = Self {
            thread: Cell::new(None),
            registers: [const { Cell::new(0) }; VCPU_REGISTERS],
            cache_selection: Cell::new(0),
            timer_masked: Cell::new(false),
            vgic: Vgic {
                control: Cell::new(INTERFACE_ENABLED),
                machine: Cell::new(0),
                system_registers: Cell::new(SYSTEM_REGISTERS_ENABLED),
                active: [const { [const { Cell::new(0) }; MAX_ACTIVE_PRIORITIES] }; 2],
                list: [const { Cell::new(0) }; MAX_LIST_REGISTERS],
                forwarded: [const { Cell::new(0) }; MAX_LIST_REGISTERS],
            },
        };
        vcpu.register(VcpuRegister::Sctlr).set(SCTLR_RESET);
        vcpu
    }
}

/// ICC_SRE_EL1 with the system-register interface on, and no bypass.
const SYSTEM_REGISTERS_ENABLED: u64 = 7;

const _: () = assert!(size_of::<Vcpu>() <= 1 << ObjectType::Vcpu.size_bits(0));
