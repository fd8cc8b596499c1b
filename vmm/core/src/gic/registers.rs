//! Where registers are (IHI 0069, 12.8 and 12.10).

use super::bank::Register;
use crate::mmio::{Place, Width};

/// GICD_CTLR, and GICR_CTLR.
pub(super) const CTLR: u64 = 0x0;
/// GICD_TYPER.
pub(super) const TYPER: u64 = 0x4;
/// GICD_IIDR.
pub(super) const IIDR: u64 = 0x8;
/// GICR_TYPER, 64 bits.
pub(super) const GICR_TYPER: u64 = 0x8;
/// GICR_WAKER.
pub(super) const WAKER: u64 = 0x14;
/// GICD_IROUTER<0>; the first that exists is that of INTID 32.
pub(super) const IROUTER: u64 = 0x6000;
/// One past the last GICD_IROUTER.
pub(super) const IROUTER_END: u64 = 0x8000;

/// Runs of a register for 32 interrupts each, 32 registers long.
const BIT_EACH: [(u64, Register); 7] = [
    (0x080, Register::Group),
    (0x100, Register::Enable),
    (0x180, Register::Disable),
    (0x200, Register::SetPending),
    (0x280, Register::ClearPending),
    (0x300, Register::Activate),
    (0x380, Register::Deactivate),
];
const BIT_EACH_BYTES: u64 = 0x80;
const IPRIORITYR: u64 = 0x400;
const IPRIORITYR_END: u64 = 0x800;
const ICFGR: u64 = 0xc00;
const ICFGR_END: u64 = 0xd00;

/// The register of a bank that an access of a distributor is to, or one of a redistributor's SGI frame, and the number of
/// the bank: that of its first INTID by 32.
///
/// Registers of banks that are not here are those that are always zero with one security state: IGRPMODR and NSACR.
pub(super) fn of_a_bank(place: Place) -> Option<(usize, Register)> {
    let Place { offset, width } = place;
    if !place.is_aligned() || !matches!(width, Width::Byte | Width::Word) {
        return None;
    }
    if (IPRIORITYR..IPRIORITYR_END).contains(&offset) {
        let intid = (offset - IPRIORITYR) as usize;
        let (first, count) = ((intid % 32) as u8, width.bytes() as u8);
        return Some((intid / 32, Register::Priority { first, count }));
    }
    if width != Width::Word {
        return None;
    }
    if (ICFGR..ICFGR_END).contains(&offset) {
        let index = (offset - ICFGR) as usize / 4;
        return Some((index / 2, Register::Trigger { upper: !index.is_multiple_of(2) }));
    }
    let (first, register) = BIT_EACH.into_iter().find(|(first, _)| offset.wrapping_sub(*first) < BIT_EACH_BYTES)?;
    Some(((offset - first) as usize / 4, register))
}

/// First of the identification registers.
const IDENTIFICATION: u64 = 0xffd0;

/// PIDR4 to PIDR7, PIDR0 to PIDR3, CIDR0 to CIDR3, of which the architecture fixes the upper half of PIDR2: version 3. The
/// others are those of controllers that Arm made.
const IDENTITY: [u32; 12] = [0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1];

/// What an identification register holds, of either kind of frame.
pub(super) fn identity(offset: u64) -> u32 {
    let index = offset.wrapping_sub(IDENTIFICATION) / 4;
    usize::try_from(index).ok().and_then(|index| IDENTITY.get(index)).copied().unwrap_or(0)
}
