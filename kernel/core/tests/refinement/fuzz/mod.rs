//! Random system calls of three threads that share everything they have, in both machines: what is accepted, every word that
//! arrives, and the state after each must be the same.
//!
//! The calls are those of `tests/fuzz`, hence as odd as anybody's. Nobody looks at the hardware here between stores; that
//! is for the small worlds. `SLUICE_FUZZ_SEED` and `SLUICE_FUZZ_LIVES` choose other calls, and more.

mod world;

use std::collections::BTreeMap;

use sluice_abi::cap::CapTag;
use sluice_abi::{MessageInfo, PhysAddr, Register, Syscall};
use sluice_abstract::{Cap, Deed, Doing, Fault, ReceivePath, State, invariant, trespasses};
use sluice_core::Handle;
use sluice_fuzz::{Call, Generator, Random, START, THREADS};

use self::world::{INTERRUPT, World};
use crate::abstraction::{abstraction, buffer_at};
use crate::boot::{MAINTENANCE, VIRTUAL_TIMER};
use crate::input::{Act, Input, Say, forget, forget_abstractly};
use crate::system::{assert_same, report};

/// Calls before a fuzzer gets a new CSpace.
const CALLS_OF_A_LIFE: u64 = 1000;
/// Calls after which its threads get back what they have lost.
const HEAL_AFTER: u64 = 40;
/// Steps after which all invariants, and what the step changed, are looked at.
const LOOK_AFTER: u64 = 16;
const LIVES: u64 = 8;
const MANY_LIVES: u64 = 400;
const SEED: u64 = 0x52 << 32;

/// What came of many calls.
#[derive(Default, Debug)]
struct Sum {
    calls: u64,
    steps: u64,
    /// Calls of kernel objects, by label and the label of the answer.
    answers: BTreeMap<(u64, u64), u64>,
}

/// A fuzzer at work.
struct Life<'a> {
    world: World,
    generator: Generator,
    /// Chances that are not the generator's: interrupts, what guests do.
    chance: Random,
    sum: &'a mut Sum,
}

impl<'a> Life<'a> {
    fn new(seed: u64, sum: &'a mut Sum) -> Self {
        let (generator, chance) = (Generator::new(seed, &START), Random::new(!seed));
        Self { world: World::new(), generator, chance, sum }
    }

    fn run(&mut self) {
        let (mut made, last) = (0, self.sum.steps + 20 * CALLS_OF_A_LIFE);
        while made < CALLS_OF_A_LIFE {
            assert!(self.sum.steps < last, "the fuzzer's threads do not come to run");
            let state = &self.world.system.state;
            match state.running {
                None => self.heal(),
                Some(root) if root == self.world.system.root.at() => self.does(&self.world.waiting()),
                Some(thread) if self.world.threads.contains(&thread) => {
                    made += 1;
                    if made.is_multiple_of(HEAL_AFTER) {
                        self.heal();
                    } else {
                        self.call();
                    }
                    self.something_comes();
                }
                // A thread that the fuzzer made: there is nothing for it to execute.
                Some(_) => self.does(&Act::Fault(Fault::Page { address: 0, syndrome: 0, instruction: true })),
            }
        }
    }

    /// The root thread gives all threads back what they may have lost.
    fn heal(&mut self) {
        for act in self.world.wake() {
            self.does(&act);
        }
        assert_eq!(self.world.system.state.running, Some(self.world.system.root.at()), "the root thread is woken");
        for index in 0..THREADS {
            for invocation in self.world.healing(index) {
                self.does(&Act::Invoke(invocation));
            }
        }
    }

    /// An interrupt, or something that a guest does.
    fn something_comes(&mut self) {
        if self.world.system.state.running == Some(self.world.system.root.at()) {
            return;
        }
        let act = match self.chance.below(40) {
            0 => Act::Tick,
            1 => Act::Interrupt(INTERRUPT),
            2 => Act::Interrupt(VIRTUAL_TIMER),
            3 => Act::Interrupt(MAINTENANCE),
            4 | 5 => Act::Guest(Deed::Takes(self.chance.below(2) as u8)),
            6 | 7 => Act::Guest(Deed::Ends(self.chance.below(2) as u8)),
            8 => Act::Guest(Deed::Enters(0x3c5)),
            9 => Act::Fault(Fault::Guest(self.chance.word() >> 32)),
            _ => return,
        };
        self.does(&act);
    }

    fn call(&mut self) {
        let call = self.generator.call();
        let thread = self.world.system.state.running.expect("a thread");
        let slot = self.world.system.state.lookup(thread, call.pointer).ok();
        let invoked = slot.and_then(|slot| self.world.system.state.cap(slot));
        if call.number == Syscall::DebugCapIdentify.word() {
            // A look, by which a thread learns what it has; nothing the abstract machine would know of.
            let tag = invoked.map_or(CapTag::Null, tag);
            return self.generator.learn(&call, tag as u64, 0);
        }
        self.sum.calls += 1;
        let say = Say {
            number: call.number,
            cptr: call.pointer,
            label: call.info.label(),
            words: call.words.to_vec(),
            caps: call.caps.to_vec(),
            receive: ReceivePath { root: call.receive[0], index: call.receive[1], depth: call.receive[2] },
            announced: Some(call.info),
        };
        self.step(&Act::Say(say), Some(&call));
    }

    fn does(&mut self, act: &Act) {
        self.step(act, None);
    }

    /// Does this to both machines.
    fn step(&mut self, act: &Act, call: Option<&Call>) {
        let system = &mut self.world.system;
        let Some(input) = system.input(act) else { return };
        self.sum.steps += 1;
        let actor = system.state.running;
        let mut before = system.state.clone();
        let event = input.event(&mut before);
        let mut expected = before.after_event(&event);
        input.put(&mut system.kernel);
        let runs = system.kernel.current().map(Handle::at);
        let may_run = expected.state.may_run(input.turn());
        let allowed = runs.map_or(may_run.is_empty(), |runs| may_run.contains(&runs));
        assert!(allowed, "{runs:?} runs after {act:x?}, and not one of {may_run:?}");
        expected.state.run(runs);
        let found = abstraction(&system.kernel);
        let buffer = |thread| buffer_at(&system.kernel, Handle::new(thread));
        take_buffers(&before, &mut expected.state, &found, buffer);
        assert_same(act, &expected.state, &found);
        system.assert_delivered(act, &expected);
        if let (Some(call), Some(actor)) = (call, actor)
            && let Some(thread) = expected.state.thread(actor).filter(|thread| thread.doing == Doing::Running)
        {
            let [x0, x1] = [0, 1].map(|number| thread.registers.get(Register::X(number)));
            self.generator.learn(call, x0, x1);
            if call.number == Syscall::Call.word() && expected.words.contains_key(&actor) {
                let answer = (call.info.label(), MessageInfo::from_word(x1).label());
                *self.sum.answers.entry(answer).or_default() += 1;
            }
        }
        if self.sum.steps.is_multiple_of(LOOK_AFTER) {
            let actor = actor.filter(|_| matches!(input, Input::Say(_) | Input::Fault(_) | Input::Guest(_)));
            let trespasses = actor.map_or_else(Vec::new, |actor| trespasses(&before, actor, &expected.state));
            assert!(trespasses.is_empty(), "{act:x?} of {actor:?} changes {trespasses:?}");
            assert_eq!(invariant::broken(&expected.state), None, "after {act:x?}");
        }
        forget(&system.kernel);
        forget_abstractly(&mut expected.state);
        system.state = expected.state;
    }
}

/// What a thread that waits has in its buffer is what somebody put there last, once it waits or where others use the same buffer:
/// the abstract machine knows no memory.
fn take_buffers(before: &State, expected: &mut State, found: &State, buffer: impl Fn(PhysAddr) -> Option<PhysAddr>) {
    let threads: Vec<PhysAddr> = expected.objects.keys().copied().filter(|at| expected.thread(*at).is_some()).collect();
    let mut users: BTreeMap<PhysAddr, Vec<PhysAddr>> = BTreeMap::new();
    for thread in threads.iter().copied().filter(|at| found.thread(*at).is_some()) {
        if let Some(at) = buffer(thread) {
            users.entry(at).or_default().push(thread);
        }
    }
    let shares = |thread: &PhysAddr| users.values().any(|users| users.len() > 1 && users.contains(thread));
    let waited = |thread: &PhysAddr| before.thread(*thread).is_some_and(|thread| !thread.is_runnable());
    for thread in threads.into_iter().filter(|thread| shares(thread) || waited(thread)) {
        let (Some(to), Some(from)) = (expected.thread_mut(thread), found.thread(thread)) else { continue };
        match (&mut to.doing, &from.doing) {
            (Doing::Sending(to), Doing::Sending(from)) => to.buffer = from.buffer.clone(),
            (Doing::Receiving { into: to, .. }, Doing::Receiving { into: from, .. })
            | (Doing::AwaitingReply { into: to }, Doing::AwaitingReply { into: from }) => *to = *from,
            _ => {}
        }
    }
}

fn tag(cap: Cap) -> CapTag {
    match cap {
        Cap::Untyped { .. } => CapTag::Untyped,
        Cap::Endpoint { .. } => CapTag::Endpoint,
        Cap::Notification { .. } => CapTag::Notification,
        Cap::Reply { .. } => CapTag::Reply,
        Cap::CNode { .. } => CapTag::CNode,
        Cap::Thread(_) => CapTag::Thread,
        Cap::Frame { .. } => CapTag::Frame,
        Cap::PageTable { .. } => CapTag::PageTable,
        Cap::VSpace { .. } => CapTag::VSpace,
        Cap::AsidControl => CapTag::AsidControl,
        Cap::AsidPool { .. } => CapTag::AsidPool,
        Cap::SidControl => CapTag::SidControl,
        Cap::Sid(_) => CapTag::Sid,
        Cap::CbControl => CapTag::CbControl,
        Cap::Cb(_) => CapTag::Cb,
        Cap::StreamTable { .. } => CapTag::StreamTable,
        Cap::IrqControl => CapTag::IrqControl,
        Cap::IrqHandler(_) => CapTag::IrqHandler,
        Cap::Domain => CapTag::Domain,
        Cap::Vcpu(_) => CapTag::Vcpu,
        Cap::SgiSignal { .. } => CapTag::SgiSignal,
        Cap::Dying { .. } => CapTag::Zombie,
    }
}

fn parameter(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Lives of the seeds from the usual or the chosen one on.
fn live(usual: u64) {
    let (seed, lives) = (parameter("SLUICE_FUZZ_SEED", SEED), parameter("SLUICE_FUZZ_LIVES", usual));
    let mut sum = Sum::default();
    for life in seed..seed + lives {
        // Shown when this life fails.
        eprintln!("SLUICE_FUZZ_SEED={life} SLUICE_FUZZ_LIVES=1");
        Life::new(life, &mut sum).run();
    }
    let accepted = sum.answers.keys().filter(|(_, answer)| *answer == 0).count();
    let refused = sum.answers.len() - accepted;
    report(&format!(
        "fuzzing against the abstract machine: {} calls in {} steps, {accepted} labels accepted, {refused} refusals of a kind",
        sum.calls, sum.steps
    ));
    if lives >= LIVES {
        assert!(accepted > 40 && refused > 150, "the calls are too tame: {sum:?}");
    }
}

#[test]
fn random_system_calls_agree_with_the_abstract_machine() {
    live(LIVES);
}

#[test]
#[ignore = "takes minutes"]
fn many_random_system_calls_agree_with_the_abstract_machine() {
    live(MANY_LIVES);
}
