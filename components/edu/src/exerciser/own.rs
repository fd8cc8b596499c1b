//! The exerciser's own memory once the device must not reach it (any more).

use sluice_abi::smmu::event;
use sluice_abi::{FrameSize, Iova};
use sluice_canary::ShownDamage;
use sluice_edu::{Direction, Pattern, Shown, registers};
use sluice_manifest::slot;
use sluice_rt::{Memory, RtError, check};
use sluice_sys::CNode;

use super::driver::ATTACK_BYTES;
use super::error::Trouble;
use super::frames::{self, OwnPage};
use super::scene::{Scene, WEAPON};

/// What memory holds before it is attacked.
const KEPT: Pattern = Pattern(5);

fn keep(memory: Memory) {
    let mut bytes = [0; ATTACK_BYTES];
    KEPT.fill(&mut bytes);
    memory.write(0, &bytes);
}

fn is_kept(memory: Memory) -> bool {
    KEPT.mismatch(&memory.to_vec(0, ATTACK_BYTES)).is_none()
}

/// Checks that the device writes the weapon to a page it may write.
fn control(scene: &Scene<'_>, name: &str, memory: Memory, iova: Iova) -> Result<(), Trouble> {
    keep(memory);
    let silent = scene.driver.transfer(Direction::ToMemory, iova, ATTACK_BYTES)?;
    let arrived = WEAPON.mismatch(&memory.to_vec(0, ATTACK_BYTES)).is_none();
    check!(name, silent && arrived, "{ATTACK_BYTES} bytes to iova {:#x}", iova.0);
    Ok(())
}

/// A write to a page mapped for reading, before and after the device has read it.
pub(super) fn read_only_page(scene: &mut Scene<'_>) -> Result<(), Trouble> {
    let (memory, iova) = (scene.read_only.memory, scene.read_only.iova);
    keep(memory);
    scene.driver.must_block("read-only-write-blocked", event::F_PERMISSION, Direction::ToMemory, iova)?;
    check!("read-only-intact", is_kept(memory), "{ATTACK_BYTES} bytes at iova {:#x}", iova.0);

    let silent = scene.driver.transfer(Direction::FromMemory, iova, ATTACK_BYTES)?;
    let elsewhere = registers::BUFFER_BYTES;
    scene.driver.transfer(Direction::ToMemory, scene.buffer.iova.offset(elsewhere as u64), ATTACK_BYTES)?;
    let read = scene.buffer.memory.to_vec(elsewhere, ATTACK_BYTES);
    check!("read-only-control", silent && KEPT.mismatch(&read).is_none(), "{ATTACK_BYTES} bytes read");

    // The translation is cached by that read now; whether a record comes then is the SMMU's choice.
    scene.load_weapon()?;
    let record = scene.driver.attempt(Direction::ToMemory, iova, ATTACK_BYTES)?;
    check!("read-only-cached-write-blocked", is_kept(memory), "memory is unchanged; {}", Shown(record));
    Ok(())
}

/// A page that the device reached a moment ago.
pub(super) fn unmapped_page(scene: &mut Scene<'_>) -> Result<(), Trouble> {
    let iova = scene.ordinary.show(&mut scene.space)?;
    let memory = scene.ordinary.memory;
    control(scene, "unmapped-page-control", memory, iova)?;
    scene.ordinary.hide(&mut scene.space, iova)?;
    keep(memory);
    scene.driver.must_block("unmapped-page-blocked", event::F_TRANSLATION, Direction::ToMemory, iova)?;
    check!("unmapped-page-intact", is_kept(memory), "{ATTACK_BYTES} bytes");
    Ok(())
}

/// A page whose Untyped is revoked and becomes a page of another component.
pub(super) fn revoked_page(scene: &mut Scene<'_>) -> Result<(), Trouble> {
    let untyped = scene.victim.cap;
    let page = OwnPage::make(scene.env, untyped, &scene.tables)?;
    let iova = page.show(&mut scene.space)?;
    control(scene, "revoked-page-control", page.memory, iova)?;
    let was_at = page.frame().get_address().map_err(RtError::refused("find a frame"))?;

    let revoked = CNode::from(slot::CNODE).slot(untyped.cptr().0).revoke();
    revoked.map_err(RtError::refused("revoke an Untyped"))?;
    scene.space.forget(FrameSize::Small, iova)?;
    let reborn = frames::make_frame(scene.env, untyped)?;
    let is_at = frames::frame(reborn).get_address().map_err(RtError::refused("find a frame"))?;
    check!("revoked-page-same-memory", is_at == was_at, "{:#x} again", is_at.0);
    let number = scene.vault.adopt(frames::frame(reborn))?;

    scene.driver.must_block("revoked-page-blocked", event::F_TRANSLATION, Direction::ToMemory, iova)?;
    let damage = scene.vault.check()?;
    check!("revoked-canary-intact", damage.is_none(), "{} in page {number} at {:#x}", ShownDamage(damage), is_at.0);
    Ok(scene.vault.release()?)
}

/// The device after the capability to its stream is gone. It aborts in silence: no capability is left to ask with.
pub(super) fn deleted_stream(scene: &mut Scene<'_>) -> Result<(), Trouble> {
    let (memory, iova) = (scene.buffer.memory, scene.buffer.iova);
    // The weapon was loaded from here, so the page is given other bytes first.
    control(scene, "deleted-sid-control", memory, iova)?;
    let deleted = CNode::from(slot::CNODE).slot(scene.driver.sid.cptr().0).delete();
    deleted.map_err(RtError::refused("delete a stream's capability"))?;
    keep(memory);
    scene.driver.engine.transfer(Direction::ToMemory, iova, ATTACK_BYTES)?;
    check!("deleted-sid-blocked", is_kept(memory), "memory at iova {:#x} is unchanged", iova.0);

    // Abort, not bypass: untranslated, the page's physical address would reach it.
    let page = &scene.ordinary;
    let address = page.frame().get_address().map_err(RtError::refused("find a frame"))?;
    page.memory.fill64(0);
    scene.driver.engine.transfer(Direction::ToMemory, Iova(address.0), ATTACK_BYTES)?;
    let untouched = page.memory.to_vec(0, ATTACK_BYTES).iter().all(|byte| *byte == 0);
    check!("deleted-sid-not-bypassed", untouched, "a page at physical {:#x} is unchanged", address.0);
    Ok(())
}
