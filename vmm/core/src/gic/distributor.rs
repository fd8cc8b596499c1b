//! The distributor's registers (IHI 0069, 12.9).
//!
//! With affinity routing, what concerns INTIDs below 32 is zero here: it is in the redistributors.

use super::registers::{self, CTLR, IIDR, IROUTER, IROUTER_END, TYPER};
use super::{FIRST_SHARED, Gic, SHARED, SHARED_BANKS};
use crate::mmio::{Place, Width};

/// GICD_CTLR: one security state (DS) and affinity routing (ARE), both fixed. RWP is zero: writes have taken
/// effect when the guest goes on.
const CTLR_FIXED: u32 = 1 << 6 | 1 << 4;
/// GICD_CTLR.EnableGrp0 and EnableGrp1.
const CTLR_GROUPS: u32 = 3;

/// GICD_TYPER: ITLinesNumber; IDbits, one less than ten; No1N, interrupts go to one processor. No LPIs, no
/// messages, no extended ranges, Aff3 is zero, and SGIs reach Aff0 0 to 15.
const TYPER_VALUE: u32 = SHARED_BANKS as u32 | 9 << 19 | 1 << 25;

/// GICD_IIDR: Arm's, of no known product. Drivers know the flaws of some by this number, of the one with zero
/// here too.
const IIDR_VALUE: u32 = 0x43b;

/// GICD_IROUTER: Aff2, Aff1, Aff0. Aff3 is zero, and so is Interrupt_Routing_Mode.
const ROUTE: u64 = 0xff_ffff;

impl Gic {
    /// Reads the distributor. Whose access it is makes no difference.
    #[must_use]
    pub fn read_distributor(&self, place: Place) -> u64 {
        if let Some((bank, register)) = registers::of_a_bank(place) {
            return bank
                .checked_sub(1)
                .and_then(|bank| self.shared.get(bank))
                .map_or(0, |bank| bank.read(register))
                .into();
        }
        if let Some((index, shift)) = route(place) {
            return self.routes[index] >> shift & place.width.mask();
        }
        match (place.width, place.offset) {
            (Width::Word, CTLR) => (CTLR_FIXED | self.groups).into(),
            (Width::Word, TYPER) => TYPER_VALUE.into(),
            (Width::Word, IIDR) => IIDR_VALUE.into(),
            // TYPER2 and STATUSR are of features that are not there.
            (Width::Word, offset) if place.is_aligned() => registers::identity(offset).into(),
            (Width::Byte | Width::Half | Width::Word | Width::Double, _) => 0,
        }
    }

    /// Writes the distributor.
    pub fn write_distributor(&mut self, place: Place, value: u64) {
        if let Some((bank, register)) = registers::of_a_bank(place) {
            if let Some(bank) = bank.checked_sub(1).and_then(|bank| self.shared.get_mut(bank)) {
                bank.write(register, value as u32);
            }
        } else if let Some((index, shift)) = route(place) {
            let written = place.width.mask() << shift;
            self.routes[index] = (self.routes[index] & !written | value << shift & written) & ROUTE;
        } else if place == (Place { offset: CTLR, width: Width::Word }) {
            self.groups = value as u32 & CTLR_GROUPS;
        }
    }
}

/// The index in `routes` of the IROUTER that an access is to, and the shift of what it moves.
fn route(place: Place) -> Option<(usize, u32)> {
    let Place { offset, width } = place;
    if !place.is_aligned() || !matches!(width, Width::Word | Width::Double) {
        return None;
    }
    let offset = offset.checked_sub(IROUTER).filter(|offset| *offset < IROUTER_END - IROUTER)?;
    let index = (offset as usize / 8).checked_sub(FIRST_SHARED as usize).filter(|index| *index < SHARED)?;
    Some((index, 8 * (offset % 8) as u32))
}
