//! What tests ask of a VMM, by arguments of its own; a system that says none of them gets none of it.

use alloc::string::String;

use sluice_rt::{Env, println, record};

use crate::error::Error;
use crate::guest::Guest;
use crate::ram::Ram;
use crate::scrub;
use crate::targets::Targets;
use sluice_vmm::layout::RAM_BASE;
use sluice_vmm::marker::Marker;

/// The arguments:
///
/// - `reboots`: so many restarts are the guest's; the one after is its end.
/// - `watch`: milliseconds for which the memory of a guest that has ended is watched for late writes.
/// - `crash`: the VMM panics after at most so many exits, at an exit that differs from life to life.
/// - `crash_from`: so many exits before those do not count: the guest has begun by then.
/// - `crash_after`: nor do those before the guest has printed these words.
/// - `crashes`: in so many of its first lives. With this, the guest's command line says `sluice.life=dies` in these, `restarts`
///   in others that are not to be the last, and `last`.
/// - `targets`: the guest is told where memory of others is, and the VMM looks whether it stayed as it was. The value names an
///   Untyped, of which the VMM makes a page to aim at.
/// - `lends`: names an Untyped, of which the VMM makes a page behind its guest's memory for another guest to aim at.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) targets: Targets,
    reboots: Option<u64>,
    watch: Option<u64>,
    exits_left: Option<u64>,
    /// Whether there are lives that end early.
    mortal: bool,
    restarts: u64,
    late: usize,
}

/// The value of an argument that is a number.
fn number(env: &Env, name: &str) -> Result<Option<u64>, String> {
    let Some(text) = env.arg(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| alloc::format!("the argument `{name}` is no number: {text}"))
}

impl Trial {
    pub(crate) fn new(env: &Env, guest: &Guest<'_>) -> Result<Self, Error> {
        let crashes = number(env, "crashes")?.unwrap_or(0);
        let crash = number(env, "crash")?.filter(|most| *most > 0 && u64::from(env.life()) < crashes);
        // The fractions of the golden ratio's multiples visit a range evenly (Knuth, TAOCP 3, 6.4): a short life is followed by longer
        // ones, in which others get on.
        let fraction = u128::from((u64::from(env.life()) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let from = number(env, "crash_from")?.unwrap_or(0);
        let exits_left = crash.map(|most| 1 + from.saturating_add(((fraction * u128::from(most)) >> 64) as u64));
        let (reboots, watch) = (number(env, "reboots")?, number(env, "watch")?);
        if let Some(untyped) = env.arg("lends") {
            let end = RAM_BASE + env.region(&env.guest()?.ram)?.len() as u64;
            guest.lend(untyped, end)?;
        }
        let targets = Targets::of(env, guest)?;
        Ok(Self { targets, reboots, watch, exits_left, mortal: crashes > 0, restarts: 0, late: 0 })
    }

    /// What the guest is told, for its command line.
    pub(crate) fn words(&self) -> String {
        let restarts = self.reboots.is_some_and(|reboots| self.restarts < reboots);
        let life = match (self.mortal, self.exits_left, restarts) {
            (false, ..) => "",
            (true, Some(_), _) => " sluice.life=dies",
            (true, None, true) => " sluice.life=restarts",
            (true, None, false) => " sluice.life=last",
        };
        self.targets.words() + life
    }

    /// Says what a VMM finds that follows one that died: memory that the root task has scrubbed.
    pub(crate) fn begin(&mut self, env: &Env, ram: Ram) {
        if let Some(milliseconds) = self.watch.filter(|_| env.life() > 0) {
            let left = scrub::count_other(ram, 0);
            self.late += left + scrub::watch(ram, milliseconds);
            scrub::scrub(ram);
            self.complain();
        }
    }

    /// Watches the memory of a guest that has ended.
    pub(crate) fn between(&mut self, ram: Ram) {
        if let Some(milliseconds) = self.watch {
            self.late += scrub::watch(ram, milliseconds);
            self.complain();
        }
    }

    /// Whether nobody has been seen to write into the guest's memory between its lives.
    pub(crate) const fn is_clean(&self) -> bool {
        self.late == 0
    }

    /// Whether the guest may start once more.
    pub(crate) fn may_restart(&mut self) -> bool {
        let may = self.reboots.is_none_or(|reboots| self.restarts < reboots);
        self.restarts += u64::from(may);
        may
    }

    /// The words behind which exits count.
    pub(crate) fn marker(env: &Env) -> Marker {
        Marker::new(env.arg("crash_after").unwrap_or_default())
    }

    /// Another exit: the moment to die may have come, when the guest `has_said` the words that are waited for.
    pub(crate) fn exit(&mut self, has_said: bool) {
        if let Some(left) = self.exits_left.as_mut().filter(|_| has_said) {
            *left -= 1;
            assert!(*left > 0, "this was to happen");
        }
    }

    /// Records the outcome, at the end of the last life.
    pub(crate) fn conclude(&self) {
        if let Some(reboots) = self.reboots {
            let restarts = self.restarts;
            record("restarts", restarts == reboots, format_args!("the guest has started again {restarts} times"));
        }
        if self.watch.is_some() {
            record("memory-left-alone", self.late == 0, format_args!("{} words were written late", self.late));
        }
        self.targets.conclude();
    }

    /// At once: a VMM that dies next says nothing later.
    fn complain(&self) {
        if self.late > 0 {
            println!("{} words of the guest's memory were not scrubbed, or written late", self.late);
        }
    }
}
