//! Time, from the counter that the kernel lets every component read (DDI 0487, D12.1 the generic timer).

/// Ticks of the counter.
#[must_use]
pub fn ticks() -> u64 {
    #[cfg(target_os = "none")]
    {
        let ticks: u64;
        // SAFETY: reads a counter; the barrier keeps it from being read ahead of what it is to time.
        unsafe { core::arch::asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nostack, preserves_flags)) };
        ticks
    }
    #[cfg(not(target_os = "none"))]
    panic!("the counter exists on the target only")
}

/// Ticks a second.
#[must_use]
pub fn ticks_per_second() -> u64 {
    #[cfg(target_os = "none")]
    {
        let frequency: u64;
        // SAFETY: reads a register that never changes.
        unsafe { core::arch::asm!("mrs {}, cntfrq_el0", out(reg) frequency, options(nomem, nostack, preserves_flags)) };
        frequency
    }
    #[cfg(not(target_os = "none"))]
    panic!("the counter exists on the target only")
}

/// A moment in the future.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadline {
    at: u64,
}

impl Deadline {
    /// `milliseconds` from now.
    #[must_use]
    pub fn in_milliseconds(milliseconds: u64) -> Self {
        Self { at: ticks().saturating_add(ticks_per_second().saturating_mul(milliseconds) / 1000) }
    }

    /// Whether it has passed.
    #[must_use]
    pub fn passed(self) -> bool {
        ticks() >= self.at
    }
}
