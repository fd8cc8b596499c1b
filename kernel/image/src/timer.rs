//! The tick: the EL2 physical timer (DDI 0487, D11.2).

use aarch64_cpu::registers::{CNTFRQ_EL0, CNTHP_CTL_EL2, Readable, Writeable};
use sluice_abi::TIMER_TICK_US;

/// Counts between two ticks.
#[derive(Clone, Copy)]
pub(crate) struct Timer {
    counts: u64,
}

impl Timer {
    /// The tick of the interface, in counts of this machine's counter.
    pub(crate) fn new() -> Self {
        Self { counts: CNTFRQ_EL0.get() * TIMER_TICK_US / 1_000_000 }
    }

    /// Starts the next tick.
    pub(crate) fn rearm(self) {
        crate::cpu::set_hyp_timer(self.counts);
        CNTHP_CTL_EL2.write(CNTHP_CTL_EL2::ENABLE::SET);
    }
}
