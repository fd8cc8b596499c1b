//! A device whose memory is a range of its own, far larger than registers are, and above 4 GiB.

use sluice_rt::{Env, check};

use super::error::Trouble;

/// The BAR of the device that is memory (ivshmem: PCI device of shared memory between machines, BAR 2).
const MEMORY: u8 = 2;

/// Every place of the memory holds what was written there, from its first word to its last.
pub(super) fn show(env: &Env) -> Result<(), Trouble> {
    let device = env.device("memory")?;
    let memory = device.registers(MEMORY)?;
    let size = memory.len();
    let wanted = env.arg("size").and_then(|size| size.parse::<usize>().ok()).unwrap_or(0) << 20;
    check!("aperture-whole", size == wanted, "{size:#x} bytes");
    // Words at the ends, and one off each power of two, so that no two addresses are one.
    let bits = (3..usize::BITS).map(|bit| 1usize << bit).take_while(|at| *at < size);
    let places = || core::iter::once(0).chain(bits.clone()).chain([size - 8]);
    places().for_each(|at| memory.write64(at, word(at)));
    let wrong = places().filter(|at| memory.read64(*at) != word(*at)).count();
    check!("aperture-content", wrong == 0, "{wrong} of {} words are not what was written", places().count());
    Ok(())
}

/// What is written at an offset.
const fn word(at: usize) -> u64 {
    (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5a5a_a5a5
}
