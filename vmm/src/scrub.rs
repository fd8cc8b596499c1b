//! The guest's memory between two lives: nothing of the last is left, and nobody of the last writes any more.

use sluice_rt::time::Deadline;
use sluice_sys::yield_now;

use crate::ram::Ram;

/// What the memory is filled with while it is watched: a write of zeroes would not be seen in zeroes.
const CANARY: u64 = 0x5ca1_ab1e_0ddb_a115;

/// Clears the memory.
pub(crate) fn scrub(ram: Ram) {
    ram.0.fill64(0);
}

/// Fills the memory, waits so many milliseconds, and counts the words that are others then. The memory is to be scrubbed
/// afterwards.
pub(crate) fn watch(ram: Ram, milliseconds: u64) -> usize {
    ram.0.fill64(CANARY);
    let end = Deadline::in_milliseconds(milliseconds);
    while !end.passed() {
        yield_now();
    }
    count_other(ram, CANARY)
}

/// Words that are not `value`.
pub(crate) fn count_other(ram: Ram, value: u64) -> usize {
    (0..ram.0.len() & !7).step_by(8).filter(|offset| ram.0.read64(*offset) != value).count()
}
