//! Registers that guests use, and what EL2 keeps from them.

use core::arch::asm;

use sluice_abi::vcpu::VcpuRegister;
use sluice_core::{GuestMachine, VgicRegister};

use crate::machine::Machine;
use crate::{cpu, monitors};

/// HCR_EL2 (DDI 0487, D24.2.53).
mod hcr {
    const VM: u64 = 1;
    const SWIO: u64 = 1 << 1;
    const PTW: u64 = 1 << 2;
    const FMO: u64 = 1 << 3;
    const IMO: u64 = 1 << 4;
    const AMO: u64 = 1 << 5;
    const DC: u64 = 1 << 12;
    const TWI: u64 = 1 << 13;
    const TWE: u64 = 1 << 14;
    const TSC: u64 = 1 << 19;
    const TIDCP: u64 = 1 << 20;
    const TGE: u64 = 1 << 27;
    const RW: u64 = 1 << 31;
    const TLOR: u64 = 1 << 35;
    const TERR: u64 = 1 << 36;

    /// Stage 2 is on, interrupts come to EL2, SMC traps, cache invalidation by set and way cleans.
    const COMMON: u64 = VM | SWIO | FMO | IMO | AMO | TSC | RW;
    /// EL0 traps to EL2 and its memory is Normal.
    pub(super) const NATIVE: u64 = COMMON | TGE | DC;
    /// Waiting traps, and so do registers that are not exchanged between guests: the implementation's own, limited
    /// ordering regions, error records. Tables of stage 1 in Device memory fault.
    pub(super) const GUEST: u64 = COMMON | PTW | TWI | TWE | TIDCP | TLOR | TERR;
}

/// MDCR_EL2 (DDI 0487, D24.3.17): debug registers, profiling and trace filtering trap; the monitors add theirs.
const DEBUG_TRAPS: u64 = 1 << 9 | 1 << 10 | 1 << 11 | 1 << 14 | 1 << 19;
/// CNTHCTL_EL2 (DDI 0487, D24.10.2): the physical counter can be read (EL1PCTEN); the physical timer traps.
const COUNTER_ONLY: u64 = 1;
/// The physical timer can be used too (EL1PCEN).
const COUNTER_AND_TIMER: u64 = COUNTER_ONLY | 1 << 1;
/// ICC_SRE_EL1: the system-register interface, without bypass.
const SYSTEM_REGISTERS: u64 = 7;

macro_rules! read {
    ($register:literal) => {{
        let value: u64;
        // SAFETY: reading this register has no effect.
        unsafe { asm!(concat!("mrs {}, ", $register), out(reg) value, options(nostack, nomem)) };
        value
    }};
}

macro_rules! write {
    ($register:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: the register controls EL1 and EL0 only, which do not run now and reach nothing but what stage 2 gives
        // them, whatever its value.
        unsafe { asm!(concat!("msr ", $register, ", {}"), in(reg) value, options(nostack, nomem)) }
    }};
}

/// Keeps from EL1 what is not exchanged between guests, and has it see this core as it is.
pub(crate) fn configure() {
    write!("mdcr_el2", DEBUG_TRAPS | monitors::traps());
    write!("cnthctl_el2", COUNTER_AND_TIMER);
    write!("hstr_el2", 0);
    write!("vpidr_el2", read!("midr_el1"));
    write!("icc_sre_el1", SYSTEM_REGISTERS);
}

/// An arm for each numbered register of a family.
macro_rules! numbered {
    (read $index:expr, $($number:literal $register:literal),+) => {
        match $index { $($number => read!($register),)+ _ => 0 }
    };
    (write $index:expr, $value:expr, $($number:literal $register:literal),+) => {
        match $index { $($number => write!($register, $value),)+ _ => {} }
    };
}

macro_rules! family {
    (active0 $($access:tt)+) => {
        numbered!($($access)+, 0 "ich_ap0r0_el2", 1 "ich_ap0r1_el2", 2 "ich_ap0r2_el2", 3 "ich_ap0r3_el2")
    };
    (active1 $($access:tt)+) => {
        numbered!($($access)+, 0 "ich_ap1r0_el2", 1 "ich_ap1r1_el2", 2 "ich_ap1r2_el2", 3 "ich_ap1r3_el2")
    };
    (list $($access:tt)+) => {
        numbered!(
            $($access)+, 0 "ich_lr0_el2", 1 "ich_lr1_el2", 2 "ich_lr2_el2", 3 "ich_lr3_el2", 4 "ich_lr4_el2",
            5 "ich_lr5_el2", 6 "ich_lr6_el2", 7 "ich_lr7_el2", 8 "ich_lr8_el2", 9 "ich_lr9_el2", 10 "ich_lr10_el2",
            11 "ich_lr11_el2", 12 "ich_lr12_el2", 13 "ich_lr13_el2", 14 "ich_lr14_el2", 15 "ich_lr15_el2"
        )
    };
}

impl GuestMachine for Machine {
    #[inline]
    fn set_guest_mode(&self, guest: bool) {
        // A guest's own timer is the virtual one; the physical timer belongs to a native thread.
        write!("cnthctl_el2", if guest { COUNTER_ONLY } else { COUNTER_AND_TIMER });
        write!("hcr_el2", if guest { hcr::GUEST } else { hcr::NATIVE });
    }

    #[inline]
    fn vcpu_register(&self, register: VcpuRegister) -> u64 {
        match register {
            VcpuRegister::Sctlr => read!("sctlr_el1"),
            VcpuRegister::Cpacr => read!("cpacr_el1"),
            VcpuRegister::Ttbr0 => read!("ttbr0_el1"),
            VcpuRegister::Ttbr1 => read!("ttbr1_el1"),
            VcpuRegister::Tcr => read!("tcr_el1"),
            VcpuRegister::Mair => read!("mair_el1"),
            VcpuRegister::Amair => read!("amair_el1"),
            VcpuRegister::Cidr => read!("contextidr_el1"),
            VcpuRegister::Actlr => read!("actlr_el1"),
            VcpuRegister::Afsr0 => read!("afsr0_el1"),
            VcpuRegister::Afsr1 => read!("afsr1_el1"),
            VcpuRegister::Esr => read!("esr_el1"),
            VcpuRegister::Far => read!("far_el1"),
            VcpuRegister::Par => read!("par_el1"),
            VcpuRegister::Vbar => read!("vbar_el1"),
            VcpuRegister::TpidrEl1 => read!("tpidr_el1"),
            VcpuRegister::VmpidrEl2 => read!("vmpidr_el2"),
            VcpuRegister::SpEl1 => read!("sp_el1"),
            VcpuRegister::ElrEl1 => read!("elr_el1"),
            VcpuRegister::SpsrEl1 => read!("spsr_el1"),
            VcpuRegister::CntvCtl => read!("cntv_ctl_el0"),
            VcpuRegister::CntvCval => read!("cntv_cval_el0"),
            VcpuRegister::CntvOff => read!("cntvoff_el2"),
            VcpuRegister::CntkctlEl1 => read!("cntkctl_el1"),
        }
    }

    #[inline]
    fn set_vcpu_register(&self, register: VcpuRegister, value: u64) {
        match register {
            VcpuRegister::Sctlr => write!("sctlr_el1", value),
            VcpuRegister::Cpacr => write!("cpacr_el1", value),
            VcpuRegister::Ttbr0 => write!("ttbr0_el1", value),
            VcpuRegister::Ttbr1 => write!("ttbr1_el1", value),
            VcpuRegister::Tcr => write!("tcr_el1", value),
            VcpuRegister::Mair => write!("mair_el1", value),
            VcpuRegister::Amair => write!("amair_el1", value),
            VcpuRegister::Cidr => write!("contextidr_el1", value),
            VcpuRegister::Actlr => write!("actlr_el1", value),
            VcpuRegister::Afsr0 => write!("afsr0_el1", value),
            VcpuRegister::Afsr1 => write!("afsr1_el1", value),
            VcpuRegister::Esr => write!("esr_el1", value),
            VcpuRegister::Far => write!("far_el1", value),
            VcpuRegister::Par => write!("par_el1", value),
            VcpuRegister::Vbar => write!("vbar_el1", value),
            VcpuRegister::TpidrEl1 => write!("tpidr_el1", value),
            VcpuRegister::VmpidrEl2 => write!("vmpidr_el2", value),
            VcpuRegister::SpEl1 => write!("sp_el1", value),
            VcpuRegister::ElrEl1 => write!("elr_el1", value),
            VcpuRegister::SpsrEl1 => write!("spsr_el1", value),
            VcpuRegister::CntvCtl => write!("cntv_ctl_el0", value),
            VcpuRegister::CntvCval => write!("cntv_cval_el0", value),
            VcpuRegister::CntvOff => write!("cntvoff_el2", value),
            VcpuRegister::CntkctlEl1 => write!("cntkctl_el1", value),
        }
    }

    fn cache_selection(&self) -> u64 {
        read!("csselr_el1")
    }

    fn set_cache_selection(&self, value: u64) {
        write!("csselr_el1", value);
    }

    #[inline]
    fn vgic_register(&self, register: VgicRegister) -> u64 {
        match register {
            VgicRegister::Type => read!("ich_vtr_el2"),
            VgicRegister::Control => read!("ich_hcr_el2"),
            VgicRegister::Machine => read!("ich_vmcr_el2"),
            VgicRegister::SystemRegisters => read!("icc_sre_el1"),
            VgicRegister::MaintenanceStatus => read!("ich_misr_el2"),
            VgicRegister::EndOfInterruptStatus => read!("ich_eisr_el2"),
            VgicRegister::ActiveGroup0(index) => family!(active0 read index),
            VgicRegister::ActiveGroup1(index) => family!(active1 read index),
            VgicRegister::List(index) => family!(list read index),
        }
    }

    #[inline]
    fn set_vgic_register(&self, register: VgicRegister, value: u64) {
        match register {
            // Read only.
            VgicRegister::Type | VgicRegister::MaintenanceStatus | VgicRegister::EndOfInterruptStatus => {}
            VgicRegister::Control => write!("ich_hcr_el2", value),
            VgicRegister::Machine => write!("ich_vmcr_el2", value),
            VgicRegister::SystemRegisters => write!("icc_sre_el1", value),
            VgicRegister::ActiveGroup0(index) => family!(active0 write index, value),
            VgicRegister::ActiveGroup1(index) => family!(active1 write index, value),
            VgicRegister::List(index) => family!(list write index, value),
        }
    }

    fn faulting_page(&self) -> u64 {
        read!("hpfar_el2")
    }

    fn translate_stage1(&self, address: u64) -> u64 {
        let guests = read!("par_el1");
        // SAFETY: a translation changes nothing but PAR_EL1, and that is put back.
        unsafe { asm!("at s1e1r, {}", "isb", in(reg) address, options(nostack)) };
        let result = read!("par_el1");
        write!("par_el1", guests);
        result
    }

    fn send_sgi(&self, request: u64) {
        // What the sender has written is seen by whom it wakes.
        cpu::synchronise();
        write!("icc_sgi1r_el1", request);
    }
}
