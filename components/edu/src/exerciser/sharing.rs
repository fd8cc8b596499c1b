//! One object in the spaces of two devices at once: what one writes the other reads, and no byte is copied between.

use sluice_abi::smmu::event;
use sluice_dma::Access;
use sluice_edu::{Direction, Pattern};
use sluice_rt::{Env, check};

use super::error::Trouble;
use super::lab::{self, Lab, PAGE, starts_with};

const SENT: u8 = 1;
const PRIVATE: u8 = 10;

/// The first device writes to an object that the second may read.
pub(super) fn show(env: &Env) -> Result<(), Trouble> {
    let mut one = Lab::of(env, "one", "one-identity")?;
    let mut other = Lab::of(env, "other", "other-identity")?;
    let shared = lab::object(env, 2, SENT)?;
    let private = lab::object(env, 1, PRIVATE)?;
    let of_one = one.space.show(&[shared.whole()], Access::ReadWrite)?;
    let of_other = other.space.show(&[shared.whole()], Access::Read)?;
    let own = other.space.show(&[private.whole()], Access::ReadWrite)?;

    // From page 0 through the first device's buffer to page 1, from there through the second's to its own page.
    let second = of_one.iova().offset(PAGE as u64);
    let mut silent = one.driver.transfer(Direction::FromMemory, of_one.iova(), PAGE)?;
    silent &= one.driver.transfer(Direction::ToMemory, second, PAGE)?;
    check!("sharing-one-writes", silent && starts_with(&shared, PAGE, Pattern(SENT)), "{PAGE} bytes");
    let mut silent = other.driver.transfer(Direction::FromMemory, of_other.iova().offset(PAGE as u64), PAGE)?;
    silent &= other.driver.transfer(Direction::ToMemory, own.iova(), PAGE)?;
    let arrived = Pattern(SENT).mismatch(&private.memory().to_vec(0, PAGE)).is_none();
    check!("sharing-other-reads", silent && arrived, "{PAGE} bytes, the same frames in both spaces");

    // Page 0 has not been read by the second device: its translation is in no cache.
    let at = of_other.iova();
    other.driver.must_block("sharing-other-write-blocked", event::F_PERMISSION, Direction::ToMemory, at)?;

    let at = of_one.iova();
    one.space.hide(of_one)?;
    one.driver.must_block("sharing-taken-from-one-blocked", event::F_TRANSLATION, Direction::ToMemory, at)?;
    let silent = other.driver.transfer(Direction::FromMemory, of_other.iova(), PAGE)?;
    check!("sharing-other-goes-on", silent, "{PAGE} bytes from iova {:#x}", of_other.iova().0);
    other.space.hide(of_other)?;
    Ok(other.space.hide(own)?)
}
