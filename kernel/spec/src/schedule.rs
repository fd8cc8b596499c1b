//! Who runs.
//!
//! Of threads of the same priority this says less than the kernel does: who runs goes on unless it stops, gives its turn
//! away or has used it up; then one of the others runs.

use alloc::collections::BTreeSet;

use sluice_abi::{PhysAddr, Register};

use crate::{Cap, Doing, Slot, State, ThreadSlot};

/// What became of the turn of the thread that ran.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// It is not over.
    Kept,
    /// It may be over, by the clock.
    Open,
    /// The thread gave it away.
    Given,
}

impl State {
    fn highest(&self) -> BTreeSet<PhysAddr> {
        let runnable = |at: &&PhysAddr| self.thread(**at).is_some_and(crate::Thread::is_runnable);
        let priority = |at: &PhysAddr| self.thread(*at).map(|thread| thread.priority);
        let highest = self.objects.keys().filter(runnable).filter_map(priority).max();
        self.objects.keys().filter(runnable).filter(|at| priority(at) == highest).copied().collect()
    }

    /// Who may run now; nobody when nobody can.
    #[must_use]
    pub fn may_run(&self, turn: Turn) -> BTreeSet<PhysAddr> {
        let highest = self.highest();
        match (self.running.filter(|running| highest.contains(running)), turn) {
            (Some(running), Turn::Kept) => BTreeSet::from([running]),
            (Some(running), Turn::Given) if highest.len() > 1 => {
                highest.into_iter().filter(|other| *other != running).collect()
            }
            _ => highest,
        }
    }

    /// Lets a thread run, in its address space; one that starts over goes back to the instruction that led it into the
    /// kernel.
    pub fn run(&mut self, thread: Option<PhysAddr>) {
        self.running = thread;
        if let Some(Cap::VSpace { root, asid: Some(asid) }) =
            thread.and_then(|thread| self.cap(Slot::Thread { thread, which: ThreadSlot::VSpace }))
            && let Some(space) = self.spaces.get_mut(&asid).filter(|space| space.root == root && !space.for_devices)
        {
            space.walked = true;
        }
        if let Some(thread) = thread.and_then(|thread| self.thread_mut(thread))
            && thread.doing == Doing::StartingOver
        {
            thread.next = thread.registers.get(Register::Pc);
            thread.doing = Doing::Running;
        }
    }
}
