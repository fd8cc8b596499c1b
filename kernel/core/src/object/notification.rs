//! Notification: a word of signals, and who waits for it.

use core::cell::Cell;

use sluice_abi::PhysAddr;

use super::{Queue, Tcb};
use crate::store::{Handle, Object};

/// Whether signals are pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotificationState {
    /// No signal, nobody waits.
    Idle,
    /// Threads wait.
    Waiting,
    /// Signalled, with these badges.
    Active(u64),
}

/// A notification, 32 bytes.
pub struct Notification {
    /// Threads that wait.
    pub queue: Queue,
    badge: Cell<u64>,
    // Address of the bound thread (16-byte aligned) | BOUND | ACTIVE.
    bound: Cell<u64>,
}

const BOUND: u64 = 1;
const ACTIVE: u64 = 2;

impl Notification {
    /// The state.
    #[must_use]
    pub fn state(&self) -> NotificationState {
        if self.queue.head().is_some() {
            NotificationState::Waiting
        } else if self.bound.get() & ACTIVE != 0 {
            NotificationState::Active(self.badge.get())
        } else {
            NotificationState::Idle
        }
    }

    /// Makes it active with `badge`.
    pub fn activate(&self, badge: u64) {
        self.badge.set(badge);
        self.bound.set(self.bound.get() | ACTIVE);
    }

    /// Makes it idle.
    pub fn consume(&self) {
        self.badge.set(0);
        self.bound.set(self.bound.get() & !ACTIVE);
    }

    /// The thread that also receives its signals when it waits on an endpoint.
    #[must_use]
    pub fn bound_thread(&self) -> Option<Handle<Tcb>> {
        let word = self.bound.get();
        (word & BOUND != 0).then(|| Handle::new(PhysAddr(word & !(BOUND | ACTIVE))))
    }

    /// Binds a thread, or none.
    pub fn bind(&self, thread: Option<Handle<Tcb>>) {
        let active = self.bound.get() & ACTIVE;
        self.bound.set(active | thread.map_or(0, |thread| thread.at().0 | BOUND));
    }
}

impl Object for Notification {
    const SLOTS: u64 = 0;
    const BODY: u64 = 0;

    fn new() -> Self {
        Self { queue: Queue::new(), badge: Cell::new(0), bound: Cell::new(0) }
    }
}

const _: () = assert!(size_of::<Notification>() <= 1 << sluice_abi::ObjectType::Notification.size_bits(0));
