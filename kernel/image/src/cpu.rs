//! System registers, barriers, TLB and cache maintenance of the one core the kernel runs on.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{CNTFRQ_EL0, ID_AA64MMFR0_EL1, MPIDR_EL1, Readable, VTCR_EL2, VTTBR_EL2, Writeable};
use sluice_abi::{PhysAddr, VirtAddr};
use sluice_core::CacheOp;

use crate::phys;

static EMPTY_ROOT: AtomicU64 = AtomicU64::new(0);

/// PARange of 44 bits (DDI 0487, D24.2.75).
const PA_RANGE_44: u64 = 4;

/// MDSCR_EL1.TDCC: accesses of EL0 to the debug communication channel trap.
const MDSCR_TDCC: u64 = 1 << 12;

/// Whether the core has the 44-bit physical addresses that four-level stage-2 tables need.
pub(crate) fn has_44_bits() -> bool {
    ID_AA64MMFR0_EL1.read(ID_AA64MMFR0_EL1::PARange) >= PA_RANGE_44
}

/// Sets EL2 up for threads under stage 2; the kernel chooses between native threads and guests.
pub(crate) fn configure() {
    // Four levels, 44-bit input (T0SZ 20, starting at level 0), write-back inner-shareable walks.
    VTCR_EL2.write(
        VTCR_EL2::RES1.val(1)
            + VTCR_EL2::PS::PA_44B_16TB
            + VTCR_EL2::TG0::Granule4KB
            + VTCR_EL2::SH0::Inner
            + VTCR_EL2::ORGN0::NormalWBRAWA
            + VTCR_EL2::IRGN0::NormalWBRAWA
            + VTCR_EL2::SL0::Granule4KBLevel0
            + VTCR_EL2::T0SZ.val(20),
    );
    crate::fpu::open(false);
    // SAFETY: the debug channel traps (TDCC), and no breakpoint, watchpoint or step is enabled. The reset value is unknown.
    unsafe { asm!("msr mdscr_el1, {}", in(reg) MDSCR_TDCC, options(nostack, nomem)) };
    crate::monitors::configure();
    crate::guest::configure();
    synchronise();
    // SAFETY: no thread runs yet. What earlier software left under the tags that threads will use must not translate.
    unsafe { asm!("tlbi alle1is", "dsb ish", "isb", options(nostack)) };
}

/// Affinity of this core, as the GIC's routing registers want it.
pub(crate) fn affinity() -> u64 {
    MPIDR_EL1.get() & 0xff_00ff_ffff
}

/// DSB SY and ISB.
pub(crate) fn synchronise() {
    barrier::dsb(barrier::SY);
    barrier::isb(barrier::SY);
}

/// Uses `root` for EL0 from the next exception return, which synchronises the context.
pub(crate) fn set_stage2(root: PhysAddr, vmid: u8) {
    VTTBR_EL2.set(u64::from(vmid) << 48 | root.0);
}

/// Says which table is empty: a page of zeroes.
pub(crate) fn set_empty_root(root: PhysAddr) {
    EMPTY_ROOT.store(root.0, Ordering::Relaxed);
}

/// Runs `act` with `vmid` as the current tag: TLB maintenance by IPA and by VMID applies to it.
///
/// The root is the empty one meanwhile: a speculative walk under this tag must not find another VSpace's pages.
fn with_vmid(vmid: u8, act: impl FnOnce()) {
    let saved = VTTBR_EL2.get();
    VTTBR_EL2.set(u64::from(vmid) << 48 | EMPTY_ROOT.load(Ordering::Relaxed));
    barrier::isb(barrier::SY);
    act();
    VTTBR_EL2.set(saved);
    barrier::isb(barrier::SY);
}

/// Removes all translations tagged `vmid` (DDI 0487, D8.16).
pub(crate) fn invalidate_vmid(vmid: u8) {
    barrier::dsb(barrier::ISHST);
    with_vmid(vmid, || {
        // SAFETY: invalidating TLB entries only makes the core walk tables again.
        unsafe { asm!("tlbi vmalls12e1is", "dsb ish", "isb", options(nostack)) }
    });
}

/// Removes the translations of one page tagged `vmid`, including those combined with stage 1.
pub(crate) fn invalidate_page(vmid: u8, vaddr: VirtAddr) {
    barrier::dsb(barrier::ISHST);
    with_vmid(vmid, || {
        // SAFETY: as above. Combined entries are not found by IPA (D8.16.3), hence the second invalidation.
        unsafe {
            asm!("tlbi ipas2e1is, {}", "dsb ish", "tlbi vmalle1is", "dsb ish", "isb", in(reg) vaddr.0 >> 12, options(nostack))
        }
    });
}

/// Bytes of the smallest data cache line (CTR_EL0.DminLine).
fn line_bytes() -> u64 {
    let ctr: u64;
    // SAFETY: CTR_EL0 is readable at EL2 and has no side effect.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack)) };
    4 << (ctr >> 16 & 0xf)
}

/// Bytes that one DC ZVA zeroes; 0 where the instruction is not to be used (DCZID_EL0).
fn zeroed_block() -> u64 {
    let features: u64;
    // SAFETY: DCZID_EL0 is readable at EL2 and has no side effect.
    unsafe { asm!("mrs {}, dczid_el0", out(reg) features, options(nomem, nostack)) };
    if features & 1 << 4 == 0 { 4 << (features & 0xf) } else { 0 }
}

/// Zeroes ordinary memory that no object and no reference lies in, down to the point of coherency.
pub(crate) fn clear(at: PhysAddr, bytes: u64) {
    let block = zeroed_block();
    if block == 0 || !(at.0 | bytes).is_multiple_of(block) {
        phys::clear(at, bytes);
    } else {
        let mut address = at.0;
        while address < at.0 + bytes {
            // SAFETY: the block is aligned and lies in the range, which is mapped as Normal memory; the capability state
            // has no object there.
            unsafe { asm!("dc zva, {}", in(reg) phys::pointer::<u8>(PhysAddr(address)), options(nostack)) };
            address += block;
        }
    }
    maintain(CacheOp::Clean, at, bytes);
}

/// Cache maintenance over mapped RAM.
pub(crate) fn maintain(operation: CacheOp, at: PhysAddr, bytes: u64) {
    let line = line_bytes();
    let mut address = at.0 & !(line - 1);
    while address < at.0 + bytes {
        let pointer = phys::pointer::<u8>(PhysAddr(address));
        match operation {
            // SAFETY: the line is mapped RAM; cleaning does not change what the core reads.
            CacheOp::Clean => unsafe { asm!("dc cvac, {}", in(reg) pointer, options(nostack)) },
            // SAFETY: as above; discarding follows writing back.
            CacheOp::CleanInvalidate => unsafe { asm!("dc civac, {}", in(reg) pointer, options(nostack)) },
            // SAFETY: as above.
            CacheOp::Unify => unsafe { asm!("dc cvau, {}", in(reg) pointer, options(nostack)) },
        }
        address += line;
    }
    barrier::dsb(barrier::SY);
    if operation == CacheOp::Unify {
        // SAFETY: discards instructions, which are fetched again. The whole cache, because user addresses differ from
        // the window's.
        unsafe { asm!("ic ialluis", "dsb ish", "isb", options(nostack)) }
    }
}

/// Counts of the system counter in a second (CNTFRQ_EL0); 0 where nobody has said.
pub(crate) fn counter_frequency() -> u64 {
    CNTFRQ_EL0.get()
}

/// Sets how many counts from now the EL2 physical timer fires.
pub(crate) fn set_hyp_timer(counts: u64) {
    // SAFETY: the timer belongs to the kernel.
    unsafe { asm!("msr cnthp_tval_el2, {}", in(reg) counts, options(nostack, nomem)) }
}

/// Whether a physical interrupt is pending (ISR_EL1.I).
pub(crate) fn interrupt_pending() -> bool {
    let status: u64;
    // SAFETY: ISR_EL1 is read-only.
    unsafe { asm!("mrs {}, isr_el1", out(reg) status, options(nomem, nostack)) };
    status & 1 << 7 != 0
}

/// Waits for an interrupt; they stay masked, so the caller finds it pending.
pub(crate) fn wait() {
    aarch64_cpu::asm::wfi();
}

/// Never comes back.
pub(crate) fn sleep_forever() -> ! {
    loop {
        aarch64_cpu::asm::wfe();
    }
}
