//! EL3, on a machine whose firmware did not keep it: the drop to EL2, and what is left behind.
//!
//! What EL2 needs of the secure side, it asks for with SMC while it boots, one register at a time: the code here has no
//! address of any machine. [`El3::close`] ends that for ever, before any thread runs. From then on the only way here is an
//! access that EL3's controls trap and EL2's do not, of a feature that nobody gave the kernel: it is reflected to EL2 as an
//! undefined instruction, so that no thread or guest can hang the machine with it.

use core::arch::{asm, global_asm};

use sluice_abi::PhysAddr;
use sluice_smmu::SecureBus;

/// What is asked for, in x0.
const READ: u64 = 0;
const WRITE: u64 = 1;
const CLOSE: u64 = 2;

/// SCR_EL3 (DDI 0487, D24.2.162): NS, RES1, HCE and RW: EL2 is non-secure and has AArch64, HVC works. Interrupts and external
/// aborts stay away from EL3, and later additions to EL2 stay off: their bits need not exist.
const SCR: u64 = 1 | 3 << 4 | 1 << 8 | 1 << 10;
/// SCR_EL3.SMD: SMC is undefined at EL2.
const SCR_CLOSED: u64 = SCR | 1 << 7;
/// MDCR_EL3 (D24.3.16): SDD: no debug of EL3. Nothing of the non-secure side's debug traps.
const MDCR: u64 = 1 << 16;
/// SPSR_EL3: EL2 with its own stack pointer, everything masked.
const EL2H_MASKED: u64 = 0x3c9;

/// EL3 before it is closed.
pub(crate) struct El3(());

impl El3 {
    /// EL3, if boot came through [`sluice_drop`]; `mark` is what `start` hands on.
    pub(crate) fn entered(mark: u64) -> Option<Self> {
        (mark != 0).then_some(Self(()))
    }

    /// Ends all service of EL3. A counter frequency is written to CNTFRQ_EL0, which only EL3 can.
    pub(crate) fn close(self, frequency: u64) {
        // SAFETY: the handler below writes CNTFRQ_EL0 when told a frequency, and SCR_EL3; it changes x0 and x9.
        unsafe { asm!("smc #0", inout("x0") CLOSE => _, in("x1") frequency, out("x9") _, options(nostack)) }
    }
}

impl SecureBus for El3 {
    fn read32(&self, at: PhysAddr) -> u32 {
        let value: u64;
        // SAFETY: the handler below reads one register of the GIC or an SMMU, whose reading has no effect (`crate::boot`
        // names no others), and changes x0 and x9.
        unsafe { asm!("smc #0", inout("x0") READ => value, in("x1") at.0, out("x9") _, options(nostack)) }
        value as u32
    }

    fn write32(&self, at: PhysAddr, value: u32) {
        // SAFETY: the handler below writes one secure register of the GIC or an SMMU: neither reaches memory by it, as the
        // secure side is only ever shut.
        unsafe {
            asm!(
                "smc #0",
                inout("x0") WRITE => _,
                in("x1") at.0,
                in("x2") u64::from(value),
                out("x9") _,
                options(nostack)
            );
        }
    }
}

global_asm!(
    r#"
.section .text.el3, "ax"
// To EL2, with the MMU off, at the address in x30; changes x9 and the flags. Does not come back where there is no EL2.
.global sluice_drop
sluice_drop:
    // No firmware holds the other cores: they come here too.
    mrs     x9, mpidr_el1
    tst     x9, #0xffffff
    b.ne    9f
    tst     x9, #0xff00000000
    b.ne    9f
    mrs     x9, id_aa64pfr0_el1
    tst     x9, #(0xf << 8)         // EL2
    b.eq    9f
    adrp    x9, el3_vectors
    add     x9, x9, :lo12:el3_vectors
    msr     vbar_el3, x9
    ldr     x9, ={scr}
    msr     scr_el3, x9
    msr     cptr_el3, xzr           // Floating point, trace and CPACR do not trap; SVE and SME do (EZ, ESM).
    ldr     x9, ={mdcr}
    msr     mdcr_el3, x9
    mrs     x9, id_aa64pfr0_el1
    tst     x9, #(0xf << 24)        // the GIC's system registers
    b.eq    1f
    isb                             // SCR_EL3.NS decides which ICC_SRE the next ones are (IHI 0069, 12.2)
    mov     x9, #0xf                // SRE, no bypass, and EL2 may use its own
    msr     S3_6_C12_C12_5, x9      // ICC_SRE_EL3
    isb
    mov     x9, #0xf
    msr     S3_4_C12_C9_5, x9       // ICC_SRE_EL2, as the kernel sets it again
    isb
    msr     S3_4_C12_C11_0, xzr     // ICH_HCR_EL2: no virtual interrupts
1:
    // EL2's registers have no values yet (DDI 0487, D1.3): what decides before the kernel sets it.
    ldr     x9, =0x30c50830         // RES1; MMU and caches off
    msr     sctlr_el2, x9
    mov     x9, #(1 << 31)          // RW
    msr     hcr_el2, x9
    mov     x9, #0x33ff             // RES1
    msr     cptr_el2, x9
    msr     vttbr_el2, xzr
    msr     cntvoff_el2, xzr
    mov     x9, #{el2h}
    msr     spsr_el3, x9
    msr     elr_el3, x30
    isb
    eret
9:  wfe
    b       9b

.balign 0x800
el3_vectors:
.rept 8
    .balign 0x80
0:  wfe
    b       0b
.endr
    .balign 0x80                    // synchronous, from AArch64
    msr     tpidr_el3, x9
    mrs     x9, esr_el3
    lsr     x9, x9, #26
    cmp     x9, #0x17               // SMC
    b.ne    el3_reflect
    cmp     x0, #{write}
    b.lo    1f
    b.ne    2f
    str     w2, [x1]
    dsb     sy
    eret
1:  ldr     w0, [x1]
    dsb     sy
    eret
2:  cbz     x1, 3f
    msr     cntfrq_el0, x1
3:  ldr     x9, ={closed}
    msr     scr_el3, x9
    isb
    eret
.rept 3
    .balign 0x80
0:  wfe
    b       0b
.endr
    .balign 0x80                    // synchronous, from AArch32
    msr     tpidr_el3, x9
    b       el3_reflect
    .balign 0x80

// As if the instruction had been undefined at EL2 (DDI 0487, D1.3.5 on what an exception writes). The flags are in SPSR.
el3_reflect:
    mrs     x9, elr_el3
    msr     elr_el2, x9
    mov     x9, #(1 << 25)          // EC 0: unknown reason; IL
    msr     esr_el2, x9
    mrs     x9, spsr_el3
    msr     spsr_el2, x9
    mov     sp, x10                 // nothing else is kept in SP_EL3
    mov     x10, #0x600             // from AArch32
    tbnz    x9, #4, 1f
    mov     x10, #0x200             // from EL2 itself
    and     x9, x9, #0xc
    cmp     x9, #8
    b.eq    1f
    mov     x10, #0x400
1:  mrs     x9, vbar_el2
    add     x9, x9, x10
    msr     elr_el3, x9
    mov     x9, #{el2h}
    msr     spsr_el3, x9
    mov     x10, sp
    mrs     x9, tpidr_el3
    eret
"#,
    scr = const SCR,
    closed = const SCR_CLOSED,
    mdcr = const MDCR,
    el2h = const EL2H_MASKED,
    write = const WRITE,
);
