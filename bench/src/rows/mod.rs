//! The rows, in the order of the table.

mod calls;
mod events;
mod faults;
mod guests;
mod interrupts;
mod memory;
mod signals;
mod smmu;

use sluice_abi::{PAGE_SIZE, Syscall};

use crate::counter::{self, nothing, syscall};
use crate::helper;
use crate::machine::Machine;
use crate::samples::{RUNS, Samples, WARM_UP};
use crate::space;

/// Samples to take of each row, those that do not count included.
const ALL: usize = RUNS + WARM_UP;

/// Measures every row.
pub(crate) fn all(machine: &mut Machine) {
    let overhead = overhead();
    helper::settle();
    null_call(overhead);
    calls::short(machine, overhead);
    calls::long(machine, overhead);
    calls::sends(machine, overhead);
    calls::round_trips(machine);
    signals::to_lower(machine, overhead);
    signals::same_thread(machine);
    signals::yields(machine, overhead);
    faults::round_trip(machine, overhead);
    let window = space::free_window(machine);
    memory::mappings(machine, window);
    memory::retypes(machine);
    memory::slots(machine);
    interrupts::to_higher(machine, window.offset(PAGE_SIZE), overhead);
    guests::exits(machine);
    let bound = smmu::Bound::new(machine, window.offset(2 * PAGE_SIZE));
    smmu::bindings(&bound);
    smmu::mappings(machine, &bound);
    events::delivery(machine, &bound);
    events::storm(machine, &bound);
}

/// Instructions counted around no system call.
fn overhead() -> u64 {
    (0..ALL).map(|_| nothing(Syscall::Yield, 0, 0, 0)).map(|timed| timed.after - timed.before).min().unwrap_or(0)
}

/// What two adjacent reads of the counter differ by.
fn read_overhead() -> u64 {
    (0..ALL).map(|_| counter::now().wrapping_sub(counter::now()).wrapping_neg()).min().unwrap_or(0)
}

fn null_call(overhead: u64) {
    let mut samples = Samples::new("null", overhead);
    for _ in 0..ALL {
        let timed = syscall(Syscall::BenchmarkNull, 0, 0, 0);
        samples.add(timed.after - timed.before);
    }
    samples.print();
}

/// Samples of `operate`, whole.
fn around(name: &'static str, mut operate: impl FnMut(usize), mut undo: impl FnMut(usize)) {
    let mut samples = Samples::new(name, read_overhead());
    for index in 0..ALL {
        let before = counter::now();
        operate(index);
        let after = counter::now();
        samples.add(after - before);
        undo(index);
    }
    samples.print();
}

/// As [`around`], with how many commands the kernel gives to the SMMU for it: counted apart from instructions, and where an
/// interrupt broke the operation off, not.
fn around_commands(name: &'static str, wanted: usize, mut operate: impl FnMut(), mut undo: impl FnMut()) {
    let mut samples = Samples::fewer(name, wanted, read_overhead());
    for _ in 0..WARM_UP + wanted {
        let before = counter::now();
        operate();
        let after = counter::now();
        samples.add(after - before);
        undo();
    }
    let mut fewest = [u64::MAX; 2];
    for _ in 0..WARM_UP {
        let before = counter::commands();
        operate();
        let after = counter::commands();
        fewest = fewest.min([after[0] - before[0], after[1] - before[1]]);
        undo();
    }
    samples.print_with(format_args!(" commands={} syncs={}", fewest[0], fewest[1]));
}
