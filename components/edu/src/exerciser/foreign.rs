//! Memory of others: the driver's, the kernel's, the machine's registers, and nobody's.

use sluice_abi::Iova;
use sluice_abi::smmu::event;
use sluice_canary::ShownDamage;
use sluice_edu::{Direction, registers};
use sluice_rt::{Env, check};

use super::driver::ATTACK_BYTES;
use super::error::Trouble;
use super::scene::Scene;

/// Attacks that the root task names the targets of: the argument, the attack's check, its control's.
const MACHINE: [(&str, [&str; 2]); 3] = [
    ("kernel_canary", ["kernel-memory-blocked", "kernel-memory-control"]),
    ("smmu_base", ["smmu-registers-blocked", "smmu-registers-control"]),
    ("gic_base", ["gic-registers-blocked", "gic-registers-control"]),
];

/// A page that is mapped in no space, within the device's width and far from all that is.
const NOWHERE: Iova = Iova(0x7f_ffff_e000);

/// The canary page of the component that keeps the vault.
pub(super) fn drivers_frame(scene: &mut Scene<'_>) -> Result<(), Trouble> {
    let target = Iova(scene.vault.whereabouts()?.0);
    scene.attack_then_control(["driver-frame-write-blocked", "driver-frame-control"], target)?;
    read_attack(scene, target)?;
    let damage = scene.vault.check()?;
    check!("driver-canary-intact", damage.is_none(), "{} at {:#x}", ShownDamage(damage), target.0);
    Ok(())
}

/// What the device's buffer holds after a read that was stopped must be none of what is at the target; the target's
/// content being unknown here, the buffer is compared with what the failed read of nowhere leaves.
fn read_attack(scene: &mut Scene<'_>, target: Iova) -> Result<(), Trouble> {
    scene.driver.must_block("driver-frame-read-blocked", event::F_TRANSLATION, Direction::FromMemory, target)?;
    let stolen = unload(scene)?;
    scene.load_weapon()?;
    scene.driver.attempt(Direction::FromMemory, NOWHERE, ATTACK_BYTES)?;
    let nothing = unload(scene)?;
    check!("driver-frame-not-read", stolen == nothing, "the device's buffer has nothing of {:#x}", target.0);
    scene.load_weapon()
}

/// The start of the device's buffer, by way of the exerciser's own.
fn unload(scene: &Scene<'_>) -> Result<[u8; ATTACK_BYTES], Trouble> {
    let offset = registers::BUFFER_BYTES;
    scene.driver.transfer(Direction::ToMemory, scene.buffer.iova.offset(offset as u64), ATTACK_BYTES)?;
    let mut bytes = [0; ATTACK_BYTES];
    scene.buffer.memory.read(offset, &mut bytes);
    Ok(bytes)
}

/// Kernel memory and the registers that only the kernel has.
pub(super) fn machine(scene: &mut Scene<'_>, env: &Env) -> Result<(), Trouble> {
    for (argument, names) in MACHINE {
        match address(env, argument) {
            Some(target) => scene.attack_then_control(names, target)?,
            None => {
                check!(names[0], false, "no address in the argument `{argument}`");
            }
        }
    }
    Ok(())
}

/// An address at which nothing is.
pub(super) fn nothing(scene: &mut Scene<'_>) -> Result<(), Trouble> {
    scene.driver.must_block("unmapped-iova-blocked", event::F_TRANSLATION, Direction::ToMemory, NOWHERE)?;
    Ok(())
}

/// An argument that is an address, as the root task writes them.
pub(super) fn address(env: &Env, argument: &str) -> Option<Iova> {
    let digits = env.arg(argument)?.strip_prefix("0x")?;
    u64::from_str_radix(digits, 16).ok().map(Iova)
}
