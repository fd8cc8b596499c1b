//! A device that nothing confines, and how that ends: its holder takes the stream out of bypass.

use sluice_abi::Iova;
use sluice_abi::smmu::event;
use sluice_edu::{Direction, Pattern};
use sluice_rt::{Env, RtError, check};

use super::driver::ATTACK_BYTES;
use super::error::Trouble;
use super::frames::OwnPage;
use super::lab::{self, Lab};

/// What the device fetches while it may.
const SENT: Pattern = Pattern(1);
/// What memory holds while the device must neither read nor write it.
const KEPT: Pattern = Pattern(2);

/// A transfer each way at a physical address that is mapped nowhere for the device; none after the bypass has ended, and
/// with a context only where it is mapped.
pub(super) fn show(env: &Env) -> Result<(), Trouble> {
    let mut lab = Lab::of(env, "edu", "device-identity")?;
    let cb = env.device("edu")?.manage()?.cb;
    let page = OwnPage::make(env, env.untyped("memory")?.cap, &lab::tables(env)?)?;
    let physical = Iova(page.frame().get_address().map_err(RtError::refused("find a frame"))?.0);
    let put = |pattern: Pattern| {
        let mut bytes = [0; ATTACK_BYTES];
        pattern.fill(&mut bytes);
        page.memory.write(0, &bytes);
    };
    let holds = |pattern: Pattern| pattern.mismatch(&page.memory.to_vec(0, ATTACK_BYTES)).is_none();

    put(SENT);
    lab.driver.engine.transfer(Direction::FromMemory, physical, ATTACK_BYTES)?;
    page.memory.fill64(0);
    lab.driver.engine.transfer(Direction::ToMemory, physical, ATTACK_BYTES)?;
    check!("bypass-there-and-back", holds(SENT), "{ATTACK_BYTES} bytes at physical {:#x}", physical.0);

    lab.driver.sid.unbind_cb().map_err(RtError::refused("end a bypass"))?;
    put(KEPT);
    lab.driver.engine.transfer(Direction::ToMemory, physical, ATTACK_BYTES)?;
    check!("abort-write-blocked", holds(KEPT), "{ATTACK_BYTES} bytes at physical {:#x}", physical.0);
    // Again: had the write arrived, the read would fetch what the device has anyway.
    put(KEPT);
    lab.driver.engine.transfer(Direction::FromMemory, physical, ATTACK_BYTES)?;

    lab.driver.sid.bind_cb(cb).map_err(RtError::refused("bind a stream"))?;
    let iova = page.show(&mut lab.space)?;
    let silent = lab.driver.transfer(Direction::ToMemory, iova, ATTACK_BYTES)?;
    check!("abort-read-blocked", silent && !holds(KEPT), "the device has nothing of what it was to read then");
    lab.driver.must_block("bound-write-blocked", event::F_TRANSLATION, Direction::ToMemory, physical)?;
    lab.driver.must_block("bound-read-blocked", event::F_TRANSLATION, Direction::FromMemory, physical)?;

    put(SENT);
    let fetched = lab.driver.transfer(Direction::FromMemory, iova, ATTACK_BYTES)?;
    page.memory.fill64(0);
    let stored = lab.driver.transfer(Direction::ToMemory, iova, ATTACK_BYTES)?;
    check!("bound-there-and-back", fetched && stored && holds(SENT), "{ATTACK_BYTES} bytes at {:#x}", iova.0);
    page.hide(&mut lab.space, iova)
}
