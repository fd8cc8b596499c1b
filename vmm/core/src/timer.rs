//! The virtual timer of a processor that does not run (DDI 0487, D12.2): the kernel has switched it off until the processor
//! runs again, so the VMM looks after it.

/// Registers of a virtual timer, as the kernel keeps them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VirtualTimer {
    /// CNTV_CTL_EL0.
    pub control: u64,
    /// CNTV_CVAL_EL0.
    pub compare: u64,
    /// CNTVOFF_EL2.
    pub offset: u64,
}

/// CNTV_CTL_EL0.
const ENABLE: u64 = 1;
const MASKED: u64 = 1 << 1;

impl VirtualTimer {
    const fn can_fire(self) -> bool {
        self.control & (ENABLE | MASKED) == ENABLE
    }

    /// Whether its interrupt is asserted when the physical counter is at `now`.
    #[must_use]
    pub const fn line(self, now: u64) -> bool {
        self.can_fire() && now.wrapping_sub(self.offset) >= self.compare
    }

    /// How many ticks after `now`, of the physical counter, its interrupt is asserted: none if it never is, and at most
    /// until the counter wraps.
    #[must_use]
    pub const fn remaining(self, now: u64) -> Option<u64> {
        if !self.can_fire() {
            return None;
        }
        // A virtual count that wraps to zero before it is there has no event: it would be centuries.
        Some(self.compare.saturating_sub(now.wrapping_sub(self.offset)))
    }
}
