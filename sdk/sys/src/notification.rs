//! Notifications: a word of signals.

use sluice_abi::Syscall;

use crate::capability;
use crate::trap::trap;

capability! {
    /// The capability to a notification.
    Notification
}

impl Notification {
    /// Sets the badge's bits.
    pub fn signal(self) {
        trap(Syscall::Send, [self.0.0, 0, 0, 0, 0, 0]);
    }

    /// Waits for bits, and takes them all.
    #[must_use]
    pub fn wait(self) -> u64 {
        let [bits, ..] = trap(Syscall::Recv, [self.0.0, 0, 0, 0, 0, 0]);
        bits
    }

    /// Takes the bits that are set, 0 when none are.
    #[must_use]
    pub fn poll(self) -> u64 {
        let [bits, ..] = trap(Syscall::NbRecv, [self.0.0, 0, 0, 0, 0, 0]);
        bits
    }
}
