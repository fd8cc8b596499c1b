//! Pages from all over an object in one row of addresses: the device crosses from one to the next in one transfer.

use sluice_abi::smmu::event;
use sluice_dma::{Access, Extent};
use sluice_edu::{Direction, Pattern};
use sluice_rt::{Env, check};

use super::error::Trouble;
use super::lab::{self, Lab, PAGE};

const FIRST: u8 = 1;
const PAGES: usize = 8;
/// First page and number of pages, in the order in which the device sees them.
const ORDER: [(usize, usize); 4] = [(5, 1), (1, 2), (7, 1), (0, 1)];
/// A page that the device does not see.
const LEFT_OUT: usize = 4;

/// A read and a write that start in the middle of a page.
pub(super) fn show(env: &Env) -> Result<(), Trouble> {
    let mut lab = Lab::of(env, "edu", "device-identity")?;
    let object = lab::object(env, PAGES, FIRST)?;
    let memory = object.memory();
    let mut extents = [object.whole(); ORDER.len()];
    for (extent, (first, pages)) in extents.iter_mut().zip(ORDER) {
        *extent = object.extent(first, pages).ok_or(Trouble::NoExtent)?;
    }
    let row: &[Extent<'_>] = &extents;
    let mapping = lab.space.show(row, Access::ReadWrite)?;
    let half = PAGE / 2;

    // The second half of page 5, the first of page 1: to the device, and back over the halves of pages 7 and 0.
    let expected = [memory.to_vec(5 * PAGE + half, half), memory.to_vec(PAGE, half)];
    let silent = lab.driver.transfer(Direction::FromMemory, mapping.iova().offset(half as u64), PAGE)?;
    check!("gather-read", silent, "{PAGE} bytes across two pages that lie apart");
    let at = mapping.iova().offset((3 * PAGE + half) as u64);
    let silent = lab.driver.transfer(Direction::ToMemory, at, PAGE)?;
    let found = [memory.to_vec(7 * PAGE + half, half), memory.to_vec(0, half)];
    check!("gather-write", silent && found == expected, "{PAGE} bytes in the right halves of two pages");

    let end = mapping.iova().offset(mapping.bytes());
    lab.driver.must_block("gather-end-blocked", event::F_TRANSLATION, Direction::ToMemory, end)?;
    lab.driver.must_block("gather-end-read-blocked", event::F_TRANSLATION, Direction::FromMemory, end)?;
    let left_out = memory.to_vec(LEFT_OUT * PAGE, PAGE);
    let intact = Pattern(FIRST + LEFT_OUT as u8).mismatch(&left_out).is_none();
    check!("gather-left-out-intact", intact, "page {LEFT_OUT} is not in the row");
    Ok(lab.space.hide(mapping)?)
}
