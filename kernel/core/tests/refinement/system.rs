//! Both machines side by side.

use sluice_abi::{Error, PhysAddr};
use sluice_abstract::{Cap, Invocation, Refusal, Slot, State, invariant, step, trespasses};
use sluice_core::object::Tcb;
use sluice_core::{Handle, Kernel};

use crate::abstraction::abstraction;
use crate::boot;
use crate::call::{Caller, call};
use crate::machine::Machine;
use crate::watch::{STREAMS, Watch, dma};

/// How much was looked at.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Effort {
    /// Invocations carried out by both.
    pub(crate) accepted: u64,
    /// Invocations refused by both.
    pub(crate) refused: u64,
    /// Looks at what devices and CPU reach, one after each store, register write and TLB invalidation.
    pub(crate) looks: u64,
}

/// The kernel, and its state as the abstract machine sees it.
pub(crate) struct System {
    pub(crate) kernel: Kernel<Machine>,
    pub(crate) state: State,
    pub(crate) root: Handle<Tcb>,
    pub(crate) node: PhysAddr,
    pub(crate) effort: Effort,
    /// Whether [`done`](Self::done) looks.
    pub(crate) looking: bool,
}

impl System {
    pub(crate) fn boot() -> Self {
        let kernel = boot::kernel();
        let state = abstraction(&kernel);
        let root = kernel.current().expect("a root thread");
        let node = *state.nameable(root.at()).first().expect("a root CNode");
        assert_eq!(invariant::broken(&state), None, "after boot");
        Self { kernel, state, root, node, effort: Effort::default(), looking: true }
    }

    /// The slot of the root CNode with the largest Untyped, of ordinary memory or of a device.
    pub(crate) fn untyped(&self, of_device: bool) -> Slot {
        let size = |held: &sluice_abstract::Held| {
            let Cap::Untyped { bits, device, .. } = held.cap else { return None };
            (device == of_device).then_some(bits)
        };
        let largest = self.state.slots.iter().filter_map(|(slot, held)| Some((size(held)?, *slot))).max();
        largest.expect("an Untyped").1
    }

    /// An invocation that was looked at before and succeeded, without looking again.
    pub(crate) fn repeat(&mut self, invocation: &Invocation) {
        let thread = self.kernel.current().expect("a running thread");
        let message = Caller { state: &self.state, thread }.message(invocation).expect("a message, as before");
        let after = step(&self.state, thread.at(), invocation).expect("possible, as before");
        assert_eq!(call(&mut self.kernel, &message), None, "{invocation:?} was possible before");
        self.state = after;
    }

    /// Lets the next thread of the same priority run.
    pub(crate) fn pass_on(&mut self) -> Handle<Tcb> {
        let thread = self.kernel.current().expect("a running thread");
        let context = &self.kernel.tcb(thread).context;
        context.x[7].set(sluice_abi::Syscall::Yield.word());
        context.pc.set(0x40_0104);
        self.kernel.enter_syscall();
        self.kernel.current().expect("a running thread")
    }

    /// The current thread's invocation, by both machines. None when there is no message for it.
    ///
    /// # Panics
    /// When they disagree, when an invariant does not hold, or when somebody reaches too much on the way.
    pub(crate) fn invoke(&mut self, invocation: &Invocation) -> Option<Result<(), Error>> {
        let thread = self.kernel.current().expect("a running thread");
        let message = Caller { state: &self.state, thread }.message(invocation)?;
        let expected = match step(&self.state, thread.at(), invocation) {
            Ok(after) => Ok(after),
            Err(Refusal::Error(error)) => Err(error),
            Err(Refusal::OutOfReach(slot)) => panic!("{invocation:?}: {slot:?} has a pointer but is out of reach"),
        };
        let goal = expected.as_ref().unwrap_or(&self.state);
        *self.kernel.hal.watch.borrow_mut() = Some(Watch::between(&self.state, goal));
        let writes = self.kernel.hal.writes.get();
        let answer = call(&mut self.kernel, &message);
        let watch = self.kernel.hal.watch.take().expect("the watch set above");
        watch.look(&self.kernel.hal.model, &self.kernel.hal.tlb);
        self.effort.looks += watch.looks();
        assert_eq!(answer, expected.as_ref().err().copied(), "{invocation:?} in {message:?}");
        let now = abstraction(&self.kernel);
        assert_same(invocation, goal, &now);
        match expected {
            Ok(after) => {
                self.effort.accepted += 1;
                assert_eq!(invariant::broken(&after), None, "after {invocation:?}");
                let trespasses = trespasses(&self.state, thread.at(), &after);
                assert!(trespasses.is_empty(), "{invocation:?} changes {trespasses:?}");
                self.state = after;
                self.assert_hardware_is_exact(invocation);
                Some(Ok(()))
            }
            Err(error) => {
                self.effort.refused += 1;
                assert_eq!(self.kernel.hal.writes.get(), writes, "{invocation:?}, refused, wrote");
                Some(Err(error))
            }
        }
    }

    /// What must succeed.
    #[track_caller]
    pub(crate) fn done(&mut self, invocation: &Invocation) {
        if !self.looking {
            return self.repeat(invocation);
        }
        assert_eq!(self.invoke(invocation), Some(Ok(())), "{invocation:?}");
    }

    /// Devices reach exactly what the state says; the CPU has nothing cached that it does not say.
    fn assert_hardware_is_exact(&self, invocation: &Invocation) {
        let machine = &self.kernel.hal;
        for sid in STREAMS {
            let allowed = self.state.dma_reach(sluice_abi::smmu::StreamId { smmu: 0, sid });
            assert_eq!(dma(&machine.model, sid), allowed, "reach of stream {sid} after {invocation:?}");
        }
        for (root, reached) in machine.tlb.reach() {
            let space = self.state.spaces.values().find(|space| space.root == root);
            let allowed = space.map(sluice_abstract::Space::reach).unwrap_or_default();
            assert!(reached.is_subset(&allowed), "the CPU's TLB after {invocation:?}: {reached:x?}");
        }
    }
}

#[track_caller]
fn assert_same(invocation: &Invocation, expected: &State, found: &State) {
    for slot in expected.slots.keys().chain(found.slots.keys()) {
        assert_eq!(expected.slots.get(slot), found.slots.get(slot), "{slot:?} after {invocation:?}");
    }
    assert_eq!(expected.objects, found.objects, "objects after {invocation:?}");
    assert_eq!(expected.spaces, found.spaces, "spaces after {invocation:?}");
    assert_eq!(expected, found, "after {invocation:?}");
}

impl Effort {
    pub(crate) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.looks += other.looks;
    }
}

impl std::fmt::Display for Effort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} steps, {} refusals, {} looks at the hardware", self.accepted, self.refused, self.looks)
    }
}

/// Prints a line that shows even when the test passes.
pub(crate) fn report(line: &str) {
    use std::io::Write;
    // Nobody reads it: nothing to do about that.
    let _ = writeln!(std::io::stdout(), "scope: {line}");
}
