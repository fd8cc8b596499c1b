//! What must hold between two system calls, looked at by a debug kernel itself.
//!
//! After each entry it looks at what is near: the thread that runs, its slots and the queues it heads. Every
//! [`CALLS_BETWEEN_WALKS`] system calls, and on request (`DebugSnapshot`), it walks everything that can be reached from the
//! root task's CNode and from the kernel's own tables. What does not hold ends the kernel with its name. Release builds do
//! none of this.
//!
//! The walk needs no memory of its own: a capability stands in one list, each slot points back at the one before, and so
//! every list is visited once, from its first slot.

mod objects;
mod spaces;
mod threads;

use crate::Kernel;
use crate::cap::Cap;
use crate::hal::Hal;
use crate::store::SlotRef;

/// System calls from one walk to the next.
#[cfg(debug_assertions)]
const CALLS_BETWEEN_WALKS: u64 = 1000;

/// The name of what does not hold.
pub(crate) type Broken = &'static str;
pub(crate) type Checked = Result<(), Broken>;

/// # Errors
/// `name`, when `holds` is false.
pub(crate) const fn ensure(holds: bool, name: Broken) -> Checked {
    if holds { Ok(()) } else { Err(name) }
}

/// What the checks remember from call to call; nothing in a release build.
#[derive(Default)]
pub(crate) struct Watch {
    #[cfg(debug_assertions)]
    calls: u64,
    #[cfg(debug_assertions)]
    root: Option<(SlotRef, u64)>,
}

impl Watch {
    /// The walk starts at these slots from now on.
    #[cfg_attr(not(debug_assertions), expect(unused_variables, clippy::unused_self, reason = "nothing is remembered"))]
    pub(crate) const fn set_root(&mut self, first: SlotRef, count: u64) {
        #[cfg(debug_assertions)]
        {
            self.root = Some((first, count));
        }
    }

    /// Where the walk starts; nowhere in a release build.
    #[cfg_attr(not(debug_assertions), expect(clippy::unused_self, reason = "nothing is remembered"))]
    pub(crate) const fn root(&self) -> Option<(SlotRef, u64)> {
        #[cfg(debug_assertions)]
        return self.root;
        #[cfg(not(debug_assertions))]
        None
    }

    /// These slots are gone.
    #[cfg_attr(not(debug_assertions), expect(unused_variables, clippy::unused_self, reason = "nothing is remembered"))]
    pub(crate) fn forget(&mut self, first: SlotRef) {
        #[cfg(debug_assertions)]
        {
            self.root = self.root.filter(|(root, _)| *root != first);
        }
    }
}

impl<H: Hal> Kernel<H> {
    /// The end of an entry by a system call, after which another thread may run.
    #[inline]
    pub(crate) fn check_after_call(&mut self) {
        #[cfg(debug_assertions)]
        {
            self.watch.calls += 1;
            if self.watch.calls.is_multiple_of(CALLS_BETWEEN_WALKS) {
                return self.insist(self.everything_holds());
            }
        }
        self.check_nearby();
    }

    /// The end of any other entry.
    #[inline]
    pub(crate) fn check_nearby(&self) {
        if cfg!(debug_assertions) {
            self.insist(self.current_is_sound());
        }
    }

    /// Looks at everything now.
    pub(crate) fn check_everything(&self) {
        if cfg!(debug_assertions) {
            self.insist(self.everything_holds());
        }
    }

    /// Looks at slots whose place in their list has just changed.
    #[inline]
    pub(crate) fn check_places(&self, slots: &[SlotRef]) {
        if cfg!(debug_assertions) {
            self.insist(slots.iter().try_for_each(|slot| self.is_well_linked(*slot)));
        }
    }

    /// Ends the kernel when something does not hold.
    pub(crate) fn insist(&self, checked: Checked) {
        if let Err(name) = checked {
            crate::debug::broken_invariant(self, name);
            self.hal.halt("an invariant of the kernel does not hold");
        }
    }

    fn is_well_linked(&self, slot: SlotRef) -> Checked {
        let links = self.slot(slot).links();
        if self.slot(slot).is_empty() {
            return ensure(links.prev.is_none() && links.next.is_none(), "empty-slots-are-unlinked");
        }
        let before = links.prev.is_none_or(|prev| self.slot(prev).links().next == Some(slot));
        let after = links.next.is_none_or(|next| self.slot(next).links().prev == Some(slot));
        ensure(before && after, "neighbours-point-at-each-other")
    }

    fn everything_holds(&self) -> Checked {
        self.current_is_sound()?;
        self.ready_queues_are_sound()?;
        self.spaces_are_sound()?;
        #[cfg(debug_assertions)]
        if let Some((first, count)) = self.watch.root {
            for slot in (0..count).map(|index| first.nth(index)) {
                if self.slot(slot).is_empty() {
                    self.is_well_linked(slot)?;
                } else if self.slot(slot).links().prev.is_none() {
                    self.list_is_sound(slot)?;
                }
            }
        }
        Ok(())
    }

    /// A whole list, from its first slot.
    #[cfg_attr(not(debug_assertions), expect(dead_code, reason = "only debug builds know where lists begin"))]
    fn list_is_sound(&self, first: SlotRef) -> Checked {
        let mut next = Some(first);
        while let Some(slot) = next {
            ensure(!self.slot(slot).is_empty(), "lists-hold-no-empty-slots")?;
            self.is_well_linked(slot)?;
            self.object_is_sound(slot, self.cap(slot))?;
            next = self.slot(slot).links().next;
        }
        Ok(())
    }

    fn holds_reply_to(&self, slot: SlotRef, caller: crate::store::Handle<crate::object::Tcb>, master: bool) -> bool {
        matches!(self.cap(slot), Cap::Reply(reply) if reply.caller == caller && reply.master == master)
    }
}
