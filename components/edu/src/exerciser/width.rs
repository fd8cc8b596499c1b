//! A device that emits fewer address bits than memory has, and reaches it all the same.

use sluice_abi::smmu::event;
use sluice_abi::{FrameSize, Iova};
use sluice_dma::{Access, DmaError};
use sluice_edu::{Direction, Expected, Pattern, Shown};
use sluice_rt::{Env, RtError, check};

use super::driver::ATTACK_BYTES;
use super::error::Trouble;
use super::frames;
use super::lab::{self, Lab, PAGE, starts_with};

const SENT: u8 = 1;

/// Memory above the device's highest address, at an address within its reach.
pub(super) fn show(env: &Env) -> Result<(), Trouble> {
    let mut lab = Lab::of(env, "edu", "device-identity")?;
    let limit = 1u64 << env.device("edu")?.address_bits();
    let object = lab::object(env, 2, SENT)?;
    let mapping = lab.space.show(&[object.whole()], Access::ReadWrite)?;
    let end = mapping.iova().0 + mapping.bytes();
    let page = frames::make_frame(env, env.untyped("memory")?.cap)?;
    let physical = frames::frame(page).get_address().map_err(RtError::refused("find a frame"))?;
    let memory_is_higher = physical.0 >= limit;
    check!(
        "width-memory-is-higher",
        memory_is_higher,
        "frames lie at {:#x}, the device ends at {limit:#x}",
        physical.0
    );

    let mut silent = lab.driver.transfer(Direction::FromMemory, mapping.iova(), PAGE)?;
    silent &= lab.driver.transfer(Direction::ToMemory, mapping.iova().offset(PAGE as u64), PAGE)?;
    let arrived = starts_with(&object, PAGE, Pattern(SENT));
    check!("width-reaches", silent && arrived && end <= limit, "{PAGE} bytes each way below {end:#x}");

    let beyond = lab.space.map_at(frames::frame(page), FrameSize::Small, Iova(limit), Access::Read);
    check!("width-beyond-refused", matches!(beyond, Err(DmaError::Range(_))), "iova {limit:#x}");

    // The limit is the device's, not only the allocator's: a higher address loses its upper bits on the way.
    let mut zeroes = [0; PAGE];
    object.memory().write(PAGE, &zeroes);
    let clamped = Iova(limit + mapping.iova().0 + PAGE as u64);
    lab.driver.transfer(Direction::ToMemory, clamped, PAGE)?;
    object.memory().read(PAGE, &mut zeroes);
    check!(
        "width-is-real",
        Pattern(SENT).mismatch(&zeroes).is_none(),
        "iova {:#x} came out without its top",
        clamped.0
    );

    // So it goes where nobody told it to go. Where nothing is mapped, it does not arrive.
    let astray = Iova(end);
    let record = lab.driver.attempt(Direction::ToMemory, Iova(limit + astray.0), ATTACK_BYTES)?;
    let (event, stream, direction) = (event::F_TRANSLATION, lab.driver.stream, Direction::ToMemory);
    let stage = lab.driver.stage;
    let expected = Expected { event, stream, iova: astray, direction, stage };
    let blocked = record.is_some_and(|record| expected.matches(&record));
    check!("width-astray-blocked", blocked, "told {:#x}: {}", limit + astray.0, Shown(record));
    Ok(lab.space.hide(mapping)?)
}
