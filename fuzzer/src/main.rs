//! A root task that has confined threads make random system calls on a running kernel, and looks whether anything outside
//! their reach notices.
//!
//! The calls are those of `sluice-fuzz`, from a seed that is printed: `fuzz.seed=` and `fuzz.calls=` on the kernel's
//! command line choose others. A *life* is a thousand calls of three threads that share a CSpace, a VSpace, Untyped, an
//! interrupt, streams and contexts; then all of it is revoked and made anew. The root task puts each call into a thread's registers and
//! buffer, lets it go on, and hears of it by the fault that follows the call; another thread tells when all are
//! stuck.
//!
//! It needs a debug kernel: for its lines, for its end, and because that one looks at its invariants as it goes. A kernel
//! that stops or hangs ends the run; what is left to check here is that registers, memory and capabilities of others are
//! as they were, and that all memory can be had back.
#![no_std]
#![no_main]

mod bystander;
mod confined;
mod idle;
mod life;
mod machine;
mod report;
mod start;
mod stub;

use bystander::Bystanders;
use life::{CALLS_OF_A_LIFE, Life};
use machine::Machine;
use report::{Report, say};

/// The whole run.
fn run(mut machine: Machine) -> ! {
    let plan = machine.plan();
    let mut bystanders = Bystanders::new(&mut machine);
    let life = Life::new(&mut machine);
    let mut report = Report::new(plan);
    while report.calls() < plan.calls {
        let seed = plan.seed + report.lives();
        say(format_args!("life {} with fuzz.seed={seed:#x} fuzz.calls={CALLS_OF_A_LIFE}", report.lives()));
        let counts = life.live(seed, CALLS_OF_A_LIFE.min(plan.calls - report.calls()));
        report.add(&counts, bystanders.look(&machine));
    }
    report.conclude()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    say(format_args!("PANIC: {info}"));
    sluice_sys::debug_halt()
}
