//! The root task on the kernel.

mod call;
mod console;
mod guest;
mod machine;
mod memory;
mod panic;
mod puppet;
mod snapshot;
mod start;
mod topics;
mod world;

use sluice_conformance_task::Check;

use call::{number, suspend_self, trap};
use console::{line, line_of_check};
use world::World;

/// The registers as the kernel left them at the root thread's first instruction.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// `x0`: address of the boot information.
    pub(crate) info: u64,
    /// `x1`..`x30`, all bits of all of them.
    pub(crate) others: u64,
    pub(crate) sp: u64,
    pub(crate) tpidr: u64,
    pub(crate) tpidrro: u64,
    pub(crate) nzcv: u64,
}

/// Everything after the entry's few unsafe lines.
fn run(entry: &Entry) -> ! {
    // SAFETY: `_start` left `x0` as the kernel set it, and nobody else makes a world.
    let mut world = unsafe { World::new(entry) };
    if let Err(stop) = console::open(&mut world) {
        // Without a console there is nobody to tell; a debug kernel prints the fault's address.
        panic!("no console: {stop}");
    }
    if let Err(stop) = topics::debug::find_build(&mut world) {
        panic!("cannot tell debug kernel from release kernel: {stop}");
    }
    let (mut passed, mut failed, mut observations) = (0u32, 0u32, 0u64);
    for topic in topics::ALL {
        for check in topic.checks {
            if check.needs_debug && !world.debug {
                continue;
            }
            world.check = Check::new();
            if let Err(stop) = (check.run)(&mut world) {
                world.check.broken(stop);
            }
            world.reset();
            let verdict = world.check.verdict();
            if verdict.passed {
                passed += 1;
            } else {
                failed += 1;
            }
            observations += u64::from(verdict.observations);
            line_of_check(topic.name, check.name, &verdict);
        }
    }
    let build = if world.debug { "debug" } else { "release" };
    line(format_args!("root    | {observations} observations on a {build} kernel"));
    line(format_args!("root    | RESULT {passed} passed, {failed} failed"));
    if world.debug {
        trap(number::DEBUG_HALT, [0; 6]);
    }
    suspend_self()
}
