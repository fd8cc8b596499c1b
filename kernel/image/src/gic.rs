//! GICv3 (IHI 0069): distributor, this core's redistributor, and the CPU interface.

use core::arch::asm;

use sluice_abi::PhysAddr;

use crate::{cpu, phys};

/// Distributor registers (12.8).
mod distributor {
    pub(super) const CTLR: u64 = 0x0;
    pub(super) const TYPER: u64 = 0x4;
    pub(super) const IGROUPR: u64 = 0x80;
    pub(super) const ISENABLER: u64 = 0x100;
    pub(super) const ICENABLER: u64 = 0x180;
    pub(super) const ICPENDR: u64 = 0x280;
    pub(super) const ICACTIVER: u64 = 0x380;
    pub(super) const IPRIORITYR: u64 = 0x400;
    pub(super) const ICFGR: u64 = 0xc00;
    pub(super) const IROUTER: u64 = 0x6000;
    /// Register writes pending.
    pub(super) const RWP: u32 = 1 << 31;
    /// Affinity routing and group 1, in the one-security-state and in the non-secure view (12.9.4).
    pub(super) const ENABLE: u32 = 1 << 4 | 1 << 1;
}

/// Redistributor registers (12.10, 12.11).
mod redistributor {
    pub(super) const WAKER: u64 = 0x14;
    pub(super) const TYPER: u64 = 0x8;
    pub(super) const SGI_FRAME: u64 = 0x1_0000;
    pub(super) const SLEEP: u32 = 1 << 1;
    pub(super) const CHILDREN_ASLEEP: u32 = 1 << 2;
    pub(super) const LAST: u32 = 1 << 4;
    pub(super) const VLPIS: u32 = 1 << 1;
}

const PRIORITY: u32 = 0xa0a0_a0a0;
const SPURIOUS: u32 = 1020;
const POLLS: u32 = 1 << 20;

/// The controller as the kernel drives it.
pub(crate) struct Gic {
    distributor: PhysAddr,
    sgi_frame: PhysAddr,
    count: u32,
}

/// Why the controller cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GicError {
    /// No redistributor has this core's affinity.
    NoRedistributor,
    /// A register does not settle.
    Timeout(&'static str),
}

impl core::fmt::Display for GicError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoRedistributor => write!(f, "GIC: no redistributor for this core"),
            Self::Timeout(register) => write!(f, "GIC: {register} does not settle"),
        }
    }
}

fn poll(register: PhysAddr, mask: u32, name: &'static str) -> Result<(), GicError> {
    (0..POLLS).find(|_| phys::read32(register) & mask == 0).map(|_| ()).ok_or(GicError::Timeout(name))
}

impl Gic {
    /// Sets the controller up: everything in group 1, disabled, routed to this core.
    pub(crate) fn start(
        distributor: PhysAddr,
        redistributors: impl Iterator<Item = (PhysAddr, u64)>,
        stride: Option<u64>,
    ) -> Result<Self, GicError> {
        use self::distributor as d;
        let count = Self::count_of(distributor);
        let sgi_frame = Self::redistributor(redistributors, stride)?.offset(redistributor::SGI_FRAME);
        let gic = Self { distributor, sgi_frame, count };
        phys::write32(distributor.offset(d::CTLR), 0);
        poll(distributor.offset(d::CTLR), d::RWP, "GICD_CTLR")?;
        // The last group of the largest controller is a partial one.
        for group in 1..u64::from(count).div_ceil(32) {
            forget(distributor.offset(4 * group));
        }
        for word in 8..u64::from(count) / 4 {
            phys::write32(distributor.offset(d::IPRIORITYR + 4 * word), PRIORITY);
        }
        phys::write32(distributor.offset(d::CTLR), d::ENABLE);
        poll(distributor.offset(d::CTLR), d::RWP, "GICD_CTLR")?;
        for intid in 32..u64::from(count) {
            phys::store(distributor.offset(d::IROUTER + 8 * intid), cpu::affinity());
        }
        let rd_base = PhysAddr(sgi_frame.0 - redistributor::SGI_FRAME);
        let waker = rd_base.offset(redistributor::WAKER);
        phys::write32(waker, phys::read32(waker) & !redistributor::SLEEP);
        poll(waker, redistributor::CHILDREN_ASLEEP, "GICR_WAKER")?;
        forget(sgi_frame);
        for word in 0..8 {
            phys::write32(sgi_frame.offset(d::IPRIORITYR + 4 * word), PRIORITY);
        }
        enable_cpu_interface();
        Ok(gic)
    }

    /// INTIDs that the controller at `distributor` has.
    pub(crate) fn count_of(distributor: PhysAddr) -> u32 {
        let count = ((phys::read32(distributor.offset(self::distributor::TYPER)) & 0x1f) + 1) * 32;
        count.min(SPURIOUS)
    }

    /// First frame of this core's redistributor.
    pub(crate) fn redistributor(
        mut regions: impl Iterator<Item = (PhysAddr, u64)>,
        stride: Option<u64>,
    ) -> Result<PhysAddr, GicError> {
        let found = regions.find_map(|(base, size)| find_redistributor(base, size, stride));
        found.ok_or(GicError::NoRedistributor)
    }

    /// INTIDs the controller has.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// Registers of an interrupt: the redistributor's for the private ones.
    const fn frame(&self, intid: u32) -> PhysAddr {
        if intid < 32 { self.sgi_frame } else { self.distributor }
    }

    /// Enables or disables an interrupt.
    pub(crate) fn set_enabled(&self, intid: u32, enabled: bool) {
        let register = if enabled { distributor::ISENABLER } else { distributor::ICENABLER };
        let at = self.frame(intid).offset(register + 4 * u64::from(intid / 32));
        phys::write32(at, 1 << (intid % 32));
    }

    /// Sets how an interrupt triggers; SGIs are fixed.
    pub(crate) fn set_edge(&self, intid: u32, edge: bool) {
        if intid < 16 {
            return;
        }
        let at = self.frame(intid).offset(distributor::ICFGR + 4 * u64::from(intid / 16));
        let bit = 2 << (2 * (intid % 16));
        let old = phys::read32(at);
        phys::write32(at, if edge { old | bit } else { old & !bit });
    }

    /// Takes the pending interrupt of highest priority; it stays active until [`Gic::deactivate`].
    pub(crate) fn take(&self) -> Option<u32> {
        let intid: u64;
        // SAFETY: reading ICC_IAR1_EL1 acknowledges an interrupt, which the caller then handles.
        unsafe { asm!("mrs {}, icc_iar1_el1", "dsb sy", out(reg) intid, options(nostack)) };
        let intid = intid as u32 & 0xff_ffff;
        if intid >= SPURIOUS {
            return None;
        }
        // Priority drop: with EOImode 1 the interrupt stays active (IHI 0069, 4.1.1).
        // SAFETY: ends the priority of the interrupt just taken.
        unsafe { asm!("msr icc_eoir1_el1, {}", "isb", in(reg) u64::from(intid), options(nostack)) };
        Some(intid)
    }

    /// Lets an interrupt come again.
    pub(crate) fn deactivate(&self, intid: u32) {
        // SAFETY: deactivating an interrupt that is not active has no effect.
        unsafe { asm!("msr icc_dir_el1, {}", "isb", in(reg) u64::from(intid), options(nostack)) };
    }
}

/// Puts 32 interrupts into group 1, disabled, and forgets what firmware left of them: one left active would never come.
/// `registers` is the frame, moved on by four bytes for each 32 interrupts.
fn forget(registers: PhysAddr) {
    for register in [distributor::ICENABLER, distributor::ICPENDR, distributor::ICACTIVER, distributor::IGROUPR] {
        phys::write32(registers.offset(register), u32::MAX);
    }
}

/// The first frame of this core's redistributor, if it is in the region.
fn find_redistributor(region: PhysAddr, size: u64, stride: Option<u64>) -> Option<PhysAddr> {
    let affinity = cpu::affinity();
    let affinity = (affinity >> 8 & 0xff00_0000 | affinity & 0xff_ffff) as u32;
    let mut base = region;
    while base.0 + 0x2_0000 <= region.0 + size {
        let low = phys::read32(base.offset(redistributor::TYPER));
        if phys::read32(base.offset(redistributor::TYPER + 4)) == affinity {
            return Some(base);
        }
        if low & redistributor::LAST != 0 {
            return None;
        }
        let frames = if low & redistributor::VLPIS != 0 { 0x4_0000 } else { 0x2_0000 };
        base = base.offset(stride.unwrap_or(frames));
    }
    None
}

fn enable_cpu_interface() {
    // SAFETY: system registers of the GIC's CPU interface at EL2; the order is that of IHI 0069, 4.1 and 12.1.
    unsafe {
        asm!(
            "msr icc_sre_el2, {sre}",
            "isb",
            "msr icc_pmr_el1, {pmr}",
            "msr icc_bpr1_el1, xzr",
            "msr icc_ctlr_el1, {eoimode}",
            "msr icc_igrpen1_el1, {enable}",
            "isb",
            sre = in(reg) 0xf_u64,
            pmr = in(reg) 0xff_u64,
            eoimode = in(reg) 2_u64,
            enable = in(reg) 1_u64,
            options(nostack)
        );
    }
}
