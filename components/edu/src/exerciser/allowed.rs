//! What the device may do.

use sluice_edu::{Direction, Pattern, first_difference, registers};
use sluice_rt::check;

use super::error::Trouble;
use super::scene::Scene;

const SENT: Pattern = Pattern(1);
const BEFORE: Pattern = Pattern(2);

/// A page to the device and back to another place.
pub(super) fn both_ways(scene: &mut Scene<'_>) -> Result<(), Trouble> {
    let count = registers::BUFFER_BYTES;
    let (memory, iova) = (scene.buffer.memory, scene.buffer.iova);
    let mut page = [0; registers::BUFFER_BYTES];
    SENT.fill(&mut page);
    memory.write(0, &page);
    let mut other = [0; registers::BUFFER_BYTES];
    BEFORE.fill(&mut other);
    memory.write(count, &other);

    let silent = scene.driver.transfer(Direction::FromMemory, iova, count)?;
    check!("dma-to-device", silent, "{count} bytes from iova {:#x}", iova.0);

    let back = iova.offset(count as u64);
    let silent = scene.driver.transfer(Direction::ToMemory, back, count)?;
    let arrived = memory.to_vec(count, count);
    match first_difference(&arrived, &page) {
        None => check!("dma-from-device", silent, "{count} bytes to iova {:#x}", back.0),
        Some(at) => check!("dma-from-device", false, "byte {at} is {:#04x}, not {:#04x}", arrived[at], page[at]),
    };
    scene.load_weapon()
}
