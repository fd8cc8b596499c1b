//! A page that another guest is to aim its device at.

use core::convert::Infallible;

use sluice_bare::console::print;
use sluice_bare::machine::{load32, sleep};
use sluice_bare::place::RAM;

/// Looks whether the page behind `memory` bytes is there, and holds what the keeper of canaries has put there (`sluice-canary`, its
/// page 1): that what is aimed at is this guest's.
pub(crate) fn look(memory: u64) -> Result<Infallible, &'static str> {
    let page = RAM + memory;
    let holds = |word: u64| u64::from(load32(page + 8 * word)) | u64::from(load32(page + 8 * word + 4)) << 32;
    let wanted = |word: u64| (512 + word + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x00ca_7a12_00ca_7a12;
    if (0..512).any(|word| holds(word) != wanted(word)) {
        return Err("the page that was lent is not as it was");
    }
    print("CHECK pass lent-page: this guest has it behind its memory\nRESULT 1 passed, 0 failed\n");
    loop {
        sleep();
    }
}
