//! The schedule of the scheduling domains.
//!
//! There is one domain, and its time never ends: what the schedule says is kept and checked as the interface has it, and
//! whoever is scheduled is scheduled by priority.

use sluice_abi::{DOMAIN_SCHEDULE_LENGTH, MAX_DOMAIN_TICKS};

use crate::Kernel;
use crate::hal::Hal;
use crate::object::Tcb;
use crate::store::Handle;

/// One stretch of the schedule; without ticks it is the schedule's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DomainSlice {
    pub(crate) domain: u8,
    pub(crate) ticks: u64,
}

impl DomainSlice {
    const END: Self = Self { domain: 0, ticks: 0 };
}

/// The schedule.
pub(crate) struct DomainSchedule {
    // The last is always an end.
    slices: [DomainSlice; DOMAIN_SCHEDULE_LENGTH],
    start: usize,
}

impl DomainSchedule {
    pub(crate) const fn new() -> Self {
        let mut slices = [DomainSlice::END; DOMAIN_SCHEDULE_LENGTH];
        slices[0] = DomainSlice { domain: 0, ticks: MAX_DOMAIN_TICKS };
        Self { slices, start: 0 }
    }

    /// Where the schedule starts.
    pub(crate) const fn start(&self) -> usize {
        self.start
    }

    /// Whether the schedule ends at `index`.
    pub(crate) fn ends_at(&self, index: usize) -> bool {
        self.slices[index] == DomainSlice::END
    }
}

impl<H: Hal> Kernel<H> {
    /// Replaces a slice other than the last.
    pub(crate) fn configure_domain_slice(&mut self, index: usize, slice: DomainSlice) {
        self.domains.slices[index] = slice;
    }

    /// Starts the schedule over, from `index` now and after its end.
    pub(crate) fn start_domain_schedule(&mut self, index: usize) {
        self.domains.start = index;
        self.reschedule();
    }

    /// Puts a thread into a domain: to the front of its queue there.
    pub(crate) fn set_domain(&mut self, thread: Handle<Tcb>, domain: u8) {
        self.dequeue(thread);
        self.tcb(thread).domain.set(domain);
        if self.tcb(thread).state.get().is_runnable() {
            if self.current == Some(thread) {
                self.reschedule();
            } else {
                self.enqueue(thread);
            }
        }
    }
}
