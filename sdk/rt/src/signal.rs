//! Signals of the component's one notification.
//!
//! Taking one source's bits takes those of all; what nobody waited for is kept here until somebody does.

use core::sync::atomic::{AtomicU64, Ordering};

use sluice_manifest::slot;
use sluice_sys::Notification;

static PENDING: AtomicU64 = AtomicU64::new(0);

/// Keeps bits that arrived while something else was waited for.
pub fn keep(bits: u64) {
    PENDING.fetch_or(bits, Ordering::Relaxed);
}

/// A source of signals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal {
    bits: u64,
}

impl Signal {
    pub(crate) const fn new(bits: u64) -> Self {
        Self { bits }
    }

    /// The badge bits of the source.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.bits
    }

    /// Either of two sources, not to be told apart.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self { bits: self.bits | other.bits }
    }

    /// Waits until the source has signalled since this was last asked.
    pub fn wait(self) {
        while !self.take_kept() {
            keep(own().wait());
        }
    }

    /// Whether the source has signalled since this was last asked.
    #[must_use]
    pub fn poll(self) -> bool {
        keep(own().poll());
        self.take_kept()
    }

    fn take_kept(self) -> bool {
        PENDING.fetch_and(!self.bits, Ordering::Relaxed) & self.bits != 0
    }
}

fn own() -> Notification {
    Notification::from(slot::NOTIFICATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_takes_its_own_bits_only() {
        let (one, other) = (Signal::new(0b0100), Signal::new(0b1000));
        keep(0b1100);
        assert!(one.take_kept());
        assert!(!one.take_kept());
        assert!(other.take_kept());
    }
}
