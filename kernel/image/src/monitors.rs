//! The performance monitors (DDI 0487, D13): closed to EL0, except in the build that measures.

use core::arch::asm;

/// Configures the monitors, if the core has them. Nothing runs at EL0 yet.
pub(crate) fn configure() {
    if !exist() {
        return;
    }
    if cfg!(feature = "bench") {
        open();
    } else {
        // SAFETY: the register exists, and EL0 gets no performance counters.
        unsafe { asm!("msr pmuserenr_el0, xzr", options(nostack, nomem)) };
    }
}

/// Bits of MDCR_EL2 (DDI 0487, D24.3.17): no event counter is reserved for EL2 (HPMN is their number), and the monitors trap
/// (TPM, TPMCR) except in the build that measures.
pub(crate) fn traps() -> u64 {
    const TRAP: u64 = 1 << 5 | 1 << 6;
    if !exist() {
        return 0;
    }
    let control: u64;
    // SAFETY: the register exists; reading it has no effect.
    unsafe { asm!("mrs {}, pmcr_el0", out(reg) control, options(nostack, nomem)) };
    let counters = control >> 11 & 0x1f;
    if cfg!(feature = "bench") { counters } else { counters | TRAP }
}

/// Whether the core has the monitors of the architecture (ID_AA64DFR0_EL1.PMUVer); their registers are undefined
/// otherwise.
fn exist() -> bool {
    let features: u64;
    // SAFETY: ID_AA64DFR0_EL1 is read-only.
    unsafe { asm!("mrs {}, id_aa64dfr0_el1", out(reg) features, options(nostack, nomem)) };
    !matches!(features >> 8 & 0xf, 0 | 0xf)
}

/// Gives EL0 every monitor, starts the cycle counter, and event counter 0 with retired instructions; both count at EL2
/// too.
fn open() {
    /// PMUSERENR_EL0: EN, SW, CR, ER.
    const USER_ALL: u64 = 0xf;
    /// PMCR_EL0: E, P, C, LC.
    const START: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 6;
    /// PMCCFILTR_EL0 and PMEVTYPERn_EL0: NSH.
    const COUNT_EL2: u64 = 1 << 27;
    /// Event INST_RETIRED (DDI 0487, D13.11.2).
    const RETIRED: u64 = 0x08;
    /// PMCNTENSET_EL0: C, P0.
    const CYCLES_AND_FIRST: u64 = 1 << 31 | 1;
    // SAFETY: the registers exist. No counter interrupts (PMINTENSET_EL1 is written 0 where it counts: all are disabled),
    // and no event counter is reserved for EL2 (see `traps`), so what EL0 does with them changes nothing but their values.
    unsafe {
        asm!(
            "msr pmintenclr_el1, {all}",
            "msr pmccfiltr_el0, {el2}",
            "msr pmevtyper0_el0, {retired}",
            "msr pmcntenset_el0, {enable}",
            "msr pmcr_el0, {start}",
            "msr pmuserenr_el0, {user}",
            "isb",
            all = in(reg) u64::from(u32::MAX),
            el2 = in(reg) COUNT_EL2,
            retired = in(reg) COUNT_EL2 | RETIRED,
            enable = in(reg) CYCLES_AND_FIRST,
            start = in(reg) START,
            user = in(reg) USER_ALL,
            options(nostack, nomem)
        );
    }
}
