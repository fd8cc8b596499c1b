//! Memory whose addresses take more than 32 bits, by DMA from I/O addresses that take fewer.

use sluice_abi::smmu::event;
use sluice_edu::{Direction, Pattern};
use sluice_rt::{Env, RtError, check};

use super::error::Trouble;
use super::frames::OwnPage;
use super::lab::{self, Lab, PAGE};

/// First address that 32 bits do not hold.
const ABOVE: u64 = 1 << 32;
const SENT: Pattern = Pattern(3);

/// A page to the device and back, and once more when it is hidden from the device.
pub(super) fn show(env: &Env) -> Result<(), Trouble> {
    let mut lab = Lab::of(env, "edu", "device-identity")?;
    let page = OwnPage::make(env, env.untyped("memory")?.cap, &lab::tables(env)?)?;
    let at = page.frame().get_address().map_err(RtError::refused("find a frame"))?;
    check!("memory-is-above", at.0 >= ABOVE, "a page at {at:#x}", at = at.0);

    let iova = page.show(&mut lab.space)?;
    let mut sent = [0; PAGE];
    SENT.fill(&mut sent);
    page.memory.write(0, &sent);
    let silent = lab.driver.transfer(Direction::FromMemory, iova, PAGE)?;
    check!("dma-to-device", silent, "{PAGE} bytes from iova {:#x}", iova.0);
    page.memory.fill64(0);
    let silent = lab.driver.transfer(Direction::ToMemory, iova, PAGE)?;
    let arrived = SENT.mismatch(&page.memory.to_vec(0, PAGE)).is_none();
    check!("dma-from-device", silent && arrived, "{PAGE} bytes to iova {:#x}", iova.0);

    page.hide(&mut lab.space, iova)?;
    page.memory.fill64(0);
    lab.driver.must_block("hidden-page-blocked", event::F_TRANSLATION, Direction::ToMemory, iova)?;
    let untouched = page.memory.to_vec(0, PAGE).iter().all(|byte| *byte == 0);
    check!("hidden-page-intact", untouched, "{PAGE} bytes");
    Ok(())
}
