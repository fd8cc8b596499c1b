//! Both machines side by side.

use std::collections::BTreeSet;

use sluice_abi::smmu::ContextId;
use sluice_abi::{MessageInfo, PhysAddr, Register, ipc_buffer};
use sluice_abstract::{Cap, Happening, Invocation, Slot, State, invariant, trespasses};
use sluice_core::object::Tcb;
use sluice_core::{Handle, Kernel};
use sluice_smmu_model::Identity;

use crate::abstraction::abstraction;
use crate::boot::{self, CONTEXT_COUNT};
use crate::input::{Act, Input, buffer_word, forget, forget_abstractly};
use crate::machine::Machine;
use crate::message::Caller;
use crate::watch::{STREAMS, Watch, allowed, dma};

/// How much was looked at.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Effort {
    /// Acts that changed something, in both machines.
    pub(crate) accepted: u64,
    /// Acts that changed nothing but what the thread was told.
    pub(crate) refused: u64,
    /// Looks at what devices and CPU reach, one after each store, register write and TLB invalidation.
    pub(crate) looks: u64,
}

/// What came of an act.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    /// Label of what the thread was told, 0 for no error.
    pub(crate) label: u64,
    /// What it was told beside that.
    pub(crate) words: Vec<u64>,
    /// Whether the state is another one.
    pub(crate) changed: bool,
}

/// The kernel, and its state as the abstract machine sees it.
pub(crate) struct System {
    /// What its SMMU is.
    pub(crate) identity: Identity,
    pub(crate) kernel: Kernel<Machine>,
    pub(crate) state: State,
    pub(crate) root: Handle<Tcb>,
    pub(crate) node: PhysAddr,
    pub(crate) effort: Effort,
    /// Everything done to the kernel so far.
    pub(crate) inputs: Vec<Input>,
    /// Whether [`done`](Self::done) looks.
    pub(crate) looking: bool,
}

impl System {
    pub(crate) fn boot(identity: Identity) -> Self {
        Self::with(boot::kernel(identity), identity)
    }

    /// A system of a kernel on a machine with this SMMU.
    pub(crate) fn with(kernel: Kernel<Machine>, identity: Identity) -> Self {
        forget(&kernel);
        let state = abstraction(&kernel);
        let root = kernel.current().expect("a root thread");
        let node = *state.nameable(root.at()).first().expect("a root CNode");
        assert_eq!(invariant::broken(&state), None, "after boot");
        Self { identity, kernel, state, root, node, effort: Effort::default(), inputs: vec![], looking: true }
    }

    /// A system with this SMMU to which all this was done, and what the abstract machine made of it, without looking.
    pub(crate) fn after(identity: Identity, inputs: &[Input], state: &State) -> Self {
        let mut kernel = boot::kernel(identity);
        forget(&kernel);
        let root = kernel.current().expect("a root thread");
        for input in inputs {
            input.put(&mut kernel);
            forget(&kernel);
        }
        let Some(Cap::CNode { base: node, .. }) =
            state.cap(Slot::Thread { thread: root.at(), which: sluice_abstract::ThreadSlot::CSpace })
        else {
            panic!("the root thread has lost its CSpace")
        };
        let (state, inputs) = (state.clone(), inputs.to_vec());
        Self { identity, kernel, state, root, node, effort: Effort::default(), inputs, looking: true }
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

    /// What is done when this is tried; nothing when the running thread cannot, or nothing can come.
    pub(crate) fn input(&self, act: &Act) -> Option<Input> {
        let running = self.state.running;
        Some(match act {
            Act::Invoke(invocation) => Input::Say(Caller { state: &self.state, thread: running? }.message(invocation)?),
            Act::Say(say) => running.map(|_| Input::Say(say.clone()))?,
            Act::Fault(fault) => running.map(|_| Input::Fault(*fault))?,
            Act::Interrupt(intid) => {
                let active = self.state.interrupts.in_service.contains(intid);
                let comes = self.state.is_enabled(*intid) && !active && !self.state.is_masked(*intid);
                comes.then_some(Input::Interrupt(*intid))?
            }
            Act::Guest(deed) => {
                self.state.thread(running?)?.vcpu?;
                Input::Guest(*deed)
            }
            Act::Rejecting { invocation, command } => {
                let say = Caller { state: &self.state, thread: running? }.message(invocation)?;
                Input::Rejecting { say, command: *command }
            }
            Act::Write { at, value } => Input::Write { at: *at, value: *value },
            Act::GiveUp => Input::GiveUp,
            Act::Access { stream, iova, write } => Input::Access { sid: stream.sid, iova: *iova, write: *write },
            Act::Tick => Input::Tick,
        })
    }

    /// Does this to both machines.
    ///
    /// # Panics
    /// When they disagree, when an invariant does not hold, or when somebody reaches too much on the way.
    pub(crate) fn act(&mut self, act: &Act) -> Option<Outcome> {
        let input = self.input(act)?;
        let actor = self.state.running;
        let mut before = self.state.clone();
        let event = input.event(&mut before);
        let mut expected = before.after_event(&event);
        input.add_rejection(&mut expected.state, &self.kernel);
        let watch = Watch::between(&before, &expected.state, &self.kernel.hal.model);
        // Whatever can be cached is, before anything changes.
        watch.look(&self.kernel.hal.model, &self.kernel.hal.tlb);
        *self.kernel.hal.watch.borrow_mut() = Some(watch);
        let writes = self.kernel.hal.writes.get();
        input.put(&mut self.kernel);
        let watch = self.kernel.hal.watch.take().expect("the watch set above");
        watch.look(&self.kernel.hal.model, &self.kernel.hal.tlb);
        self.effort.looks += watch.looks();

        let runs = self.kernel.current().map(Handle::at);
        let may_run = expected.state.may_run(input.turn());
        let allowed = runs.map_or(may_run.is_empty(), |runs| may_run.contains(&runs));
        assert!(allowed, "{runs:?} runs after {act:?}, and not one of {may_run:?}");
        expected.state.run(runs);
        assert_same(act, &expected.state, &abstraction(&self.kernel));
        self.assert_delivered(act, &expected);
        let outcome = Self::outcome(actor, &expected);

        let acts = matches!(input, Input::Say(_) | Input::Rejecting { .. } | Input::Fault(_) | Input::Guest(_));
        let actor = actor.filter(|_| acts);
        let trespasses = actor.map_or_else(Vec::new, |actor| trespasses(&self.state, actor, &expected.state));
        assert!(trespasses.is_empty(), "{act:?} changes {trespasses:?}");
        forget(&self.kernel);
        let mut after = expected.state;
        forget_abstractly(&mut after);
        let changed = after != self.state;
        if changed {
            self.effort.accepted += 1;
            assert_eq!(invariant::broken(&after), None, "after {act:?}");
            self.state = after;
            self.inputs.push(input);
            self.assert_hardware_is_exact(act);
        } else {
            // What somebody wrote is nowhere in the state, and there all the same.
            self.inputs.extend(matches!(input, Input::Write { .. }).then_some(input));
            self.effort.refused += 1;
            if outcome.label != 0 {
                assert_eq!(self.kernel.hal.writes.get(), writes, "{act:?}, refused, wrote");
            }
        }
        Some(Outcome { changed, ..outcome })
    }

    pub(crate) fn outcome(actor: Option<PhysAddr>, expected: &Happening) -> Outcome {
        let told = actor.and_then(|actor| Some((expected.state.thread(actor)?, expected.words.get(&actor)?)));
        let Some((thread, words)) = told else { return Outcome { label: 0, words: vec![], changed: false } };
        let label = MessageInfo::from_word(thread.registers.get(Register::X(1))).label();
        Outcome { label, words: words.clone(), changed: false }
    }

    /// What there was no room for in registers is in the buffers of those who were told.
    pub(crate) fn assert_delivered(&self, act: &Act, expected: &Happening) {
        for (thread, words) in &expected.words {
            for (index, word) in words.iter().enumerate().skip(MessageInfo::REGISTERS) {
                let found = buffer_word(&self.kernel, *thread, ipc_buffer::message(index));
                assert_eq!(found, *word, "word {index} that {thread} was told after {act:?}");
            }
        }
        for ((thread, index), badge) in &expected.badges {
            let found = buffer_word(&self.kernel, *thread, ipc_buffer::cap_or_badge(*index));
            assert_eq!(found, *badge, "badge {index} that {thread} was told after {act:?}");
        }
    }

    /// What must succeed.
    #[track_caller]
    pub(crate) fn done(&mut self, invocation: &Invocation) {
        self.happens(&invocation.clone().into());
    }

    /// What must happen, and without an error.
    #[track_caller]
    pub(crate) fn happens(&mut self, act: &Act) {
        if self.looking {
            let outcome = self.act(act);
            assert_eq!(outcome.map(|outcome| outcome.label), Some(0), "{act:?}");
            return;
        }
        let input = self.input(act).unwrap_or_else(|| panic!("{act:?} is not possible"));
        let event = input.event(&mut self.state);
        let mut after = self.state.after_event(&event);
        input.add_rejection(&mut after.state, &self.kernel);
        assert_eq!(Self::outcome(self.state.running, &after).label, 0, "{act:?}");
        input.put(&mut self.kernel);
        after.state.run(self.kernel.current().map(Handle::at));
        forget(&self.kernel);
        forget_abstractly(&mut after.state);
        self.state = after.state;
        self.inputs.push(input);
    }

    /// Devices reach exactly what the state says; the CPU has nothing cached that it does not say.
    fn assert_hardware_is_exact(&self, act: &Act) {
        let machine = &self.kernel.hal;
        for sid in STREAMS {
            let allowed = allowed(&self.state, &machine.model, sid);
            assert_eq!(dma(&machine.model, sid), allowed, "reach of stream {sid} after {act:?}");
        }
        self.assert_no_table_is_remembered(act);
        for (root, reached) in machine.tlb.reach() {
            let space = self.state.spaces.values().find(|space| space.root == root);
            let allowed = space.map(sluice_abstract::Space::reach).unwrap_or_default();
            assert!(reached.is_subset(&allowed), "the CPU's TLB after {act:?}: {reached:x?}");
        }
    }

    /// What the SMMU remembers of tables are tables in use: one that went could be given other contents, which would be
    /// walked. While it is down it walks nothing, and forgets everything before it comes up.
    fn assert_no_table_is_remembered(&self, act: &Act) {
        if self.state.smmus.values().any(|smmu| !smmu.up) {
            return;
        }
        for cb in 0..CONTEXT_COUNT as u16 {
            let space = self.state.space_of(ContextId { smmu: 0, cb });
            let used: BTreeSet<_> = space.into_iter().flat_map(|space| space.tables.values().copied()).collect();
            let remembered = self.kernel.hal.model.remembered_tables(cb);
            assert!(remembered.is_subset(&used), "context {cb} remembers {remembered:x?} after {act:?}");
            let nested = self.state.stage1.contains_key(&ContextId { smmu: 0, cb });
            let nests = self.state.smmus[&0].can.nests();
            let stale = nests && !nested && self.kernel.hal.model.remembers_stage1(cb);
            assert!(!stale, "context {cb} remembers a stage 1 after {act:?}");
        }
    }
}

#[track_caller]
pub(crate) fn assert_same(act: &Act, expected: &State, found: &State) {
    for slot in expected.slots.keys().chain(found.slots.keys()) {
        assert_eq!(expected.slots.get(slot), found.slots.get(slot), "{slot:?} after {act:?}");
    }
    for at in expected.objects.keys().chain(found.objects.keys()) {
        assert_eq!(expected.objects.get(at), found.objects.get(at), "the object at {at} after {act:?}");
    }
    assert_eq!(expected.spaces, found.spaces, "spaces after {act:?}");
    assert_eq!(expected, found, "after {act:?}");
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
