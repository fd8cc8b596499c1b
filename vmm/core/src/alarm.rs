//! When a VMM has itself woken: one alarm for all processors of a guest that wait.

use crate::layout::MAX_PROCESSORS;
use crate::processor::Processor;
use crate::timer::VirtualTimer;

/// No moment.
const NEVER: u64 = u64::MAX;

/// What to do with a processor that waits, in ticks of the physical counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// It goes on at once: its timer has fired.
    Not,
    /// Nothing more is to be done: an alarm comes early enough, or its timer never fires.
    Quietly,
    /// The alarm has to come at this moment, in place of any later one.
    Until(u64),
}

/// The one alarm, and whom it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alarm {
    /// When it comes.
    set: u64,
    /// When the timer of each processor that waits fires.
    due: [u64; MAX_PROCESSORS],
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

impl Alarm {
    /// None is set, and nobody waits.
    #[must_use]
    pub const fn new() -> Self {
        Self { set: NEVER, due: [NEVER; MAX_PROCESSORS] }
    }

    /// A processor with this timer waits.
    pub fn wait(&mut self, processor: Processor, timer: VirtualTimer, now: u64) -> Wait {
        let due = match timer.remaining(now) {
            Some(0) => return Wait::Not,
            Some(ticks) => now.saturating_add(ticks),
            None => NEVER,
        };
        self.due[processor.index()] = due;
        // One that comes too early is no harm: it is set again then.
        if due >= self.set {
            return Wait::Quietly;
        }
        self.set = due;
        Wait::Until(due)
    }

    /// A processor goes on, or is no more.
    pub const fn wakes(&mut self, processor: Processor) {
        self.due[processor.index()] = NEVER;
    }

    /// Whether the timer of a processor that waits has fired by now.
    #[must_use]
    pub const fn is_due(&self, processor: Processor, now: u64) -> bool {
        let due = self.due[processor.index()];
        due != NEVER && due <= now
    }

    /// The alarm came, and whoever was due goes on: the moment of the next one, if there is to be one.
    pub fn came(&mut self, now: u64) -> Option<u64> {
        self.set = self.due.iter().copied().filter(|due| *due > now).min().unwrap_or(NEVER);
        (self.set != NEVER).then_some(self.set)
    }
}
