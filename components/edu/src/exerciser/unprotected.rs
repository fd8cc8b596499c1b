//! The control experiment: without an SMMU the same attack on kernel memory goes through.

use sluice_abi::Iova;
use sluice_edu::{Direction, registers};
use sluice_rt::{Env, RtError, Tables, check};

use super::driver::ATTACK_BYTES;
use super::engine::Engine;
use super::error::Trouble;
use super::foreign::address;
use super::frames::OwnPage;
use super::scene::WEAPON;

const CHECK: &str = "kernel-canary-overwritten";

/// Writes the weapon over the kernel's canary, and reads it back by DMA. Every address is physical here.
pub(super) fn attack(env: &Env) -> Result<(), Trouble> {
    let Some(canary) = address(env, "kernel_canary") else {
        check!(CHECK, false, "no address in the argument `kernel_canary`");
        return Ok(());
    };
    let engine = Engine::new(env.device("edu")?.registers(0)?, "device-identity");
    let tables = Tables::new(env.untyped("tables")?.cap, env.slots());
    let page = OwnPage::make(env, env.untyped("victim")?.cap, &tables)?;
    let own = Iova(page.frame().get_address().map_err(RtError::refused("find a frame"))?.0);

    let mut weapon = [0; ATTACK_BYTES];
    WEAPON.fill(&mut weapon);
    page.memory.write(0, &weapon);
    engine.transfer(Direction::FromMemory, own, ATTACK_BYTES)?;
    engine.transfer(Direction::ToMemory, canary, ATTACK_BYTES)?;

    // Zeros in the device's buffer, so that what comes back is what the kernel's memory holds.
    page.memory.fill64(0);
    engine.transfer(Direction::FromMemory, own, registers::BUFFER_BYTES)?;
    engine.transfer(Direction::FromMemory, canary, ATTACK_BYTES)?;
    engine.transfer(Direction::ToMemory, own, ATTACK_BYTES)?;
    let found = page.memory.to_vec(0, ATTACK_BYTES);
    let through = WEAPON.mismatch(&found).is_none();
    check!(CHECK, through, "{ATTACK_BYTES} bytes at physical address {:#x}", canary.0);
    Ok(())
}
