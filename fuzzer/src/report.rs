//! Lines on the console, and the checks at the end.

use core::fmt::{self, Write};

use sluice_fuzz::Plan;

use crate::bystander::Sight;

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(sluice_sys::debug_put_char);
        Ok(())
    }
}

fn line(sender: &str, text: fmt::Arguments<'_>) {
    // The console cannot fail, so neither does formatting to it.
    let _: fmt::Result = writeln!(Console, "{sender:<8}| {text}");
}

/// Prints a line.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    line("fuzzer", text);
}

/// What came of calls.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) made: u64,
    /// Came back, invocations of kernel objects among them with success.
    pub(crate) returned: u64,
    pub(crate) accepted: u64,
    /// Stopped their thread with a fault.
    pub(crate) faulted: u64,
    /// Left every thread stuck.
    pub(crate) blocked: u64,
    /// The memory of the life was had back, all of it.
    pub(crate) recovered: bool,
}

/// What was seen so far.
pub(crate) struct Report {
    plan: Plan,
    lives: u64,
    recovered: u64,
    counts: Counts,
    sight: Sight,
}

impl Report {
    pub(crate) const fn new(plan: Plan) -> Self {
        let counts = Counts { made: 0, returned: 0, accepted: 0, faulted: 0, blocked: 0, recovered: true };
        Self { plan, lives: 0, recovered: 0, counts, sight: Sight::NOTHING }
    }

    pub(crate) const fn calls(&self) -> u64 {
        self.counts.made
    }

    pub(crate) const fn lives(&self) -> u64 {
        self.lives
    }

    pub(crate) fn add(&mut self, counts: &Counts, sight: Sight) {
        self.lives += 1;
        self.recovered += u64::from(counts.recovered);
        self.counts.made += counts.made;
        self.counts.returned += counts.returned;
        self.counts.accepted += counts.accepted;
        self.counts.faulted += counts.faulted;
        self.counts.blocked += counts.blocked;
        self.sight.add(&sight);
    }

    /// Prints the checks and ends the machine.
    pub(crate) fn conclude(&self) -> ! {
        let Self { plan, lives, counts, sight, .. } = self;
        let (mut passed, mut failed) = (0u64, 0u64);
        let mut check = |name: &str, good: bool, detail: fmt::Arguments<'_>| {
            *(if good { &mut passed } else { &mut failed }) += 1;
            let outcome = if good { "pass" } else { "FAIL" };
            say(format_args!("CHECK {outcome} {name}: {detail}"));
        };
        check(
            "calls-are-made",
            counts.made >= plan.calls && counts.accepted > counts.made / 20 && counts.faulted > 0 && counts.blocked > 0,
            format_args!(
                "{} calls from seed {:#x}: {} returned, {} invocations accepted, {} faulted, {} times all were stuck",
                counts.made, plan.seed, counts.returned, counts.accepted, counts.faulted, counts.blocked
            ),
        );
        check(
            "memory-is-had-back",
            self.recovered == *lives,
            format_args!("after {} of {lives} lives", self.recovered),
        );
        check(
            "registers-of-others-are-kept",
            sight.looks == *lives && sight.registers == 0,
            format_args!("{} looks at a stopped thread, {} changes", sight.looks, sight.registers),
        );
        check(
            "others-run-undisturbed",
            sight.rounds == sight.looks && sight.disturbed == 0,
            format_args!("{} rounds of a running thread, {} disturbed", sight.rounds, sight.disturbed),
        );
        check(
            "memory-of-others-is-kept",
            sight.words > 0 && sight.changed == 0,
            format_args!("{} words looked at, {} changes", sight.words, sight.changed),
        );
        check(
            "capabilities-of-others-are-kept",
            sight.slots > 0 && sight.exchanged == 0,
            format_args!("{} slots looked at, {} changes", sight.slots, sight.exchanged),
        );
        line("root", format_args!("RESULT {passed} passed, {failed} failed"));
        sluice_sys::debug_halt()
    }
}
