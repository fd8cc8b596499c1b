//! A device and its I/O address space, for what is shown with memory of the component's own.

use sluice_dma::{DeviceSpace, Object};
use sluice_edu::{Direction, Pattern, Stage};
use sluice_rt::{Env, Tables};

use super::driver::{ATTACK_BYTES, Driver};
use super::error::Trouble;

pub(super) struct Lab<'a> {
    pub(super) driver: Driver,
    pub(super) space: DeviceSpace<'a>,
}

impl<'a> Lab<'a> {
    /// The device that the spec calls `name`.
    pub(super) fn of(env: &'a Env, name: &str, identity: &str) -> Result<Self, Trouble> {
        let device = env.device(name)?;
        let stage = if env.arg("stage") == Some("1") { Stage::One } else { Stage::Two };
        let mut driver = Driver::of(&device, identity)?;
        driver.stage = stage;
        Ok(Self { driver, space: DeviceSpace::of(env, &device, tables(env)?)? })
    }
}

/// Where translation tables come from.
pub(super) fn tables(env: &Env) -> Result<Tables<'_>, Trouble> {
    Ok(Tables::new(env.untyped("tables")?.cap, env.slots()))
}

/// An object of `pages` pages, page `n` of them filled with pattern `first + n`.
pub(super) fn object(env: &Env, pages: usize, first: u8) -> Result<Object, Trouble> {
    let object = Object::make(env, env.untyped("memory")?.cap, pages, &tables(env)?)?;
    let mut bytes = [0; PAGE];
    for page in 0..pages {
        Pattern(first + page as u8).fill(&mut bytes);
        object.memory().write(page * PAGE, &bytes);
    }
    Ok(object)
}

/// Bytes of a page, which are also those of the device's buffer.
pub(super) const PAGE: usize = sluice_edu::registers::BUFFER_BYTES;

/// Whether [`ATTACK_BYTES`] bytes at `offset` of `object` are those of `pattern`'s start.
pub(super) fn starts_with(object: &Object, offset: usize, pattern: Pattern) -> bool {
    pattern.mismatch(&object.memory().to_vec(offset, ATTACK_BYTES)).is_none()
}

/// Has the device take [`ATTACK_BYTES`] bytes of the object's page 0 into its buffer, by way of a mapping that is gone
/// afterwards.
pub(super) fn load(lab: &mut Lab<'_>, object: &Object) -> Result<(), Trouble> {
    let mapping = lab.space.show(&[object.whole()], sluice_dma::Access::Read)?;
    lab.driver.transfer(Direction::FromMemory, mapping.iova(), ATTACK_BYTES)?;
    Ok(lab.space.hide(mapping)?)
}
