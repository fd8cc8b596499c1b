//! What virtual processors need of the machine; part of [`Hal`](crate::Hal).

use sluice_abi::vcpu::VcpuRegister;

/// A register of the GIC's virtual CPU interface (IHI 0069, 12.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum VgicRegister {
    /// ICH_VTR_EL2, read only: how much of the others there is.
    Type,
    /// ICH_HCR_EL2.
    Control,
    /// ICH_VMCR_EL2.
    Machine,
    /// ICC_SRE_EL1.
    SystemRegisters,
    /// ICH_MISR_EL2, read only.
    MaintenanceStatus,
    /// ICH_EISR_EL2, read only.
    EndOfInterruptStatus,
    /// ICH_AP0R<n>_EL2.
    ActiveGroup0(u8),
    /// ICH_AP1R<n>_EL2.
    ActiveGroup1(u8),
    /// ICH_LR<n>_EL2.
    List(u8),
}

/// Effects on registers that guests use. Each takes hold at the next exception return, if not before.
pub trait GuestMachine {
    /// Lets the thread that is returned to use EL1 and its own translation (HCR_EL2 without TGE and DC), or not.
    fn set_guest_mode(&self, guest: bool);
    /// Reads a register that a virtual processor has.
    fn vcpu_register(&self, register: VcpuRegister) -> u64;
    /// Writes a register that a virtual processor has.
    fn set_vcpu_register(&self, register: VcpuRegister, value: u64);
    /// Reads CSSELR_EL1.
    fn cache_selection(&self) -> u64;
    /// Writes CSSELR_EL1.
    fn set_cache_selection(&self, value: u64);
    /// Reads a register of the virtual CPU interface.
    fn vgic_register(&self, register: VgicRegister) -> u64;
    /// Writes a register of the virtual CPU interface.
    fn set_vgic_register(&self, register: VgicRegister, value: u64);
    /// HPFAR_EL2: the page of the intermediate address that faulted last.
    fn faulting_page(&self) -> u64;
    /// What PAR_EL1 holds after stage 1 of the guest translated a read of EL1 at `address`; the guest's PAR_EL1 stays.
    fn translate_stage1(&self, address: u64) -> u64;
    /// Sends a software-generated interrupt (ICC_SGI1R_EL1).
    fn send_sgi(&self, request: u64);
}
