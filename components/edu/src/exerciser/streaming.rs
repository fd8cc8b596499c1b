//! Mappings for one transfer each: gone when they are taken back, or within a window.

use sluice_abi::smmu::event;
use sluice_dma::{Access, Invalidation, Mapping, Object, Streaming, Window};
use sluice_edu::{Direction, Pattern};
use sluice_rt::{Env, check, println, time};

use super::driver::{ATTACK_BYTES, Driver};
use super::error::Trouble;
use super::lab::{self, Lab, PAGE, starts_with};

const SENT: u8 = 1;
/// Long in time, so that what ends it here is the number of pages.
const WINDOW_SECONDS: u64 = 60;
const WINDOW_PAGES: usize = 32;
/// Mappings of one page, to see how long and how large the window becomes.
const ROUNDS: usize = 256;

type Pool<'a> = Streaming<sluice_dma::Managed<'a>>;

/// A strict pool, then a deferred one in the same space of addresses.
pub(super) fn show(env: &Env) -> Result<(), Trouble> {
    let mut lab = Lab::of(env, "edu", "device-identity")?;
    let object = lab::object(env, 2, SENT)?;
    lab::load(&mut lab, &object)?;
    let Lab { driver, space } = lab;

    let mut strict = Streaming::new(space, Invalidation::Strict);
    let at = used_and_returned(&driver, &mut strict, &object, "strict-control")?;
    driver.must_block("strict-blocked", event::F_TRANSLATION, Direction::ToMemory, at)?;
    let strict_ticks = rounds(&mut strict, &object)?;
    check!("strict-has-no-window", strict.exposure().pages == 0, "after {ROUNDS} mappings");

    let window = Window { pages: WINDOW_PAGES, ticks: time::ticks_per_second() * WINDOW_SECONDS };
    let mut deferred = Streaming::new(strict.finish()?, Invalidation::Deferred(window));
    let at = used_and_returned(&driver, &mut deferred, &object, "deferred-control")?;
    let cleared = clear(&object);
    driver.transfer(Direction::ToMemory, at, ATTACK_BYTES)?;
    let still = cleared && starts_with(&object, PAGE, Pattern(SENT));
    check!("deferred-window-is-real", still, "the device still writes iova {:#x}", at.0);
    deferred.flush()?;
    driver.must_block("deferred-flushed-blocked", event::F_TRANSLATION, Direction::ToMemory, at)?;

    let deferred_ticks = rounds(&mut deferred, &object)?;
    deferred.flush()?;
    let seen = deferred.exposure();
    let within = seen.pages == WINDOW_PAGES && seen.blocks > 1 && seen.singles == 0;
    let micros = seen.ticks * 1_000_000 / time::ticks_per_second();
    check!("deferred-window", within, "{} pages at most, {micros} us, {} blocks", seen.pages, seen.blocks);
    println!("{ROUNDS} mappings take {strict_ticks} ticks strict, {deferred_ticks} deferred");
    Ok(())
}

/// Has the device write to page 1 of the object by way of a mapping that is returned then. Says where it was.
fn used_and_returned(
    driver: &Driver,
    pool: &mut Pool<'_>,
    object: &Object,
    control: &str,
) -> Result<sluice_abi::Iova, Trouble> {
    let cleared = clear(object);
    let mapping = map(pool, object)?;
    let at = mapping.iova();
    let silent = driver.transfer(Direction::ToMemory, at, ATTACK_BYTES)?;
    let arrived = cleared && starts_with(object, PAGE, Pattern(SENT));
    check!(control, silent && arrived, "{ATTACK_BYTES} bytes to iova {:#x}", at.0);
    pool.unmap(mapping)?;
    Ok(at)
}

fn map(pool: &mut Pool<'_>, object: &Object) -> Result<Mapping, Trouble> {
    let page = object.extent(1, 1).ok_or(Trouble::NoExtent)?;
    Ok(pool.map(&[page], Access::ReadWrite)?)
}

/// Clears page 1; whether it shows nothing of what is sent.
fn clear(object: &Object) -> bool {
    object.memory().write(PAGE, &[0; PAGE]);
    !starts_with(object, PAGE, Pattern(SENT))
}

/// Maps and unmaps without using it. Says how long that took.
fn rounds(pool: &mut Pool<'_>, object: &Object) -> Result<u64, Trouble> {
    let start = time::ticks();
    for _ in 0..ROUNDS {
        let mapping = map(pool, object)?;
        pool.unmap(mapping)?;
    }
    Ok(time::ticks() - start)
}
