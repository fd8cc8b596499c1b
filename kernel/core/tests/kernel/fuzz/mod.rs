//! Random system calls of three threads that share everything they have, while interrupts come.
//!
//! After every call the bystander is as it was; every so many, all invariants hold. What is refused has changed nothing,
//! and is refused as the generated reference says. `SLUICE_FUZZ_SEED` and `SLUICE_FUZZ_LIVES` choose other calls, and more.

mod judge;
mod world;

use std::collections::BTreeMap;

use sluice_abi::cap::CapTag;
use sluice_abi::{MessageInfo, Syscall, ipc_buffer};
use sluice_core::cap::Cap;
use sluice_core::object::{Fault, ThreadState};
use sluice_fuzz::{Call, Generator, Random, START, THREADS};

use self::judge::Seen;
use self::world::World;
use crate::invariants;
use crate::snapshot::Snapshot;
use crate::user::*;

/// Calls before a fuzzer gets a new CSpace.
const CALLS_OF_A_LIFE: u64 = 1000;
/// Calls after which its threads get back what they have lost.
const HEAL_AFTER: u64 = 40;
const LIVES: u64 = 32;
/// Labels that so few lives may fail to have accepted once.
const RARE: usize = 3;
const MANY_LIVES: u64 = 400;
const SEED: u64 = 0x51u64 << 32;

/// A fuzzer at work.
struct Life<'a> {
    world: World,
    generator: Generator,
    /// Chances that are not the generator's: interrupts, which thread starts over.
    chance: Random,
    /// What each thread asked for last.
    asked: BTreeMap<u64, Call>,
    seen: &'a mut Seen,
}

impl<'a> Life<'a> {
    fn new(seed: u64, seen: &'a mut Seen) -> Self {
        Self {
            world: World::new(),
            generator: Generator::new(seed, &START),
            chance: Random::new(!seed),
            asked: BTreeMap::new(),
            seen,
        }
    }

    fn run(&mut self) {
        let mut made = 0;
        while made < CALLS_OF_A_LIFE {
            let Some(thread) = self.world.system.kernel.current() else {
                let index = self.chance.below(self.world.threads.len() as u64) as usize;
                self.world.restart(index);
                continue;
            };
            if thread == self.world.system.root {
                // Somebody faulted: it starts over and makes another call.
                self.world.wait();
                continue;
            }
            if !self.world.is_fuzzer(thread) {
                // A thread that the fuzzer made: there is nothing for it to execute.
                self.world.assert_is_no_bystander(thread);
                self.world.system.kernel.enter_fault(Fault::Vm { address: 0, syndrome: 0, instruction: true });
                continue;
            }
            made += 1;
            if made % HEAL_AFTER == 0 {
                for index in 0..THREADS {
                    self.world.restart(index);
                }
                self.asked.clear();
                continue;
            }
            self.step(made);
        }
        invariants::check(&self.world.system.kernel);
        self.world.assert_bystander_is_untouched();
    }

    /// One system call of the running thread: the one it was interrupted in, or a new one.
    fn step(&mut self, number: u64) {
        let system = &self.world.system;
        let thread = system.current();
        let starts_over = system.kernel.tcb(thread).context.pc.get() == AFTER_SVC - 4;
        if !starts_over || !self.asked.contains_key(&thread.at().0) {
            let call = self.generator.call();
            self.ask(&call);
            self.asked.insert(thread.at().0, call);
        }
        let invoked = self.asked.get(&thread.at().0).and_then(|call| self.world.named(thread, call.pointer));
        let machine = self.world.system.machine();
        machine.quiet();
        if self.chance.percent(20) {
            machine.interrupt_after(self.chance.below(4));
        }
        self.world.system.kernel.tcb(thread).context.pc.set(AFTER_SVC);
        let before = self.chance.percent(4).then(|| Snapshot::apart_from_message_of(&self.world.system.kernel, thread));
        self.world.system.kernel.enter_syscall();
        let system = &self.world.system;
        let returned = system.kernel.current() == Some(thread)
            && system.kernel.tcb(thread).context.pc.get() == AFTER_SVC
            && system.kernel.tcb(thread).state.get() == ThreadState::Running;
        if returned && let Some(call) = self.asked.remove(&thread.at().0) {
            self.judge(&call, invoked, before);
        } else if self.chance.percent(50) {
            self.world.system.kernel.enter_interrupt(TIMER);
        }
        self.world.assert_bystander_is_untouched();
        if number.is_multiple_of(50) {
            invariants::check(&self.world.system.kernel);
        }
    }

    /// Puts a call into registers and buffer of the running thread.
    fn ask(&self, call: &Call) {
        let system = &self.world.system;
        let thread = system.current();
        let context = &system.kernel.tcb(thread).context;
        context.x[0].set(call.pointer);
        context.x[1].set(call.info.word());
        context.x[7].set(call.number);
        for (register, word) in context.x[2..].iter().zip(&call.words[..MessageInfo::REGISTERS]) {
            register.set(*word);
        }
        let Some(buffer) = system.buffer(thread).filter(|at| is_free_of_objects(system, at.0)) else { return };
        let store = |offset, word| system.machine().memory.store(buffer.offset(offset), word);
        for (index, word) in call.words.iter().enumerate().skip(MessageInfo::REGISTERS) {
            store(ipc_buffer::message(index), *word);
        }
        for (index, cap) in call.caps.iter().enumerate() {
            store(ipc_buffer::cap_or_badge(index), *cap);
        }
        store(ipc_buffer::RECEIVE_CNODE, call.receive[0]);
        store(ipc_buffer::RECEIVE_INDEX, call.receive[1]);
        store(ipc_buffer::RECEIVE_DEPTH, call.receive[2]);
    }

    /// What the running thread was answered.
    fn judge(&mut self, call: &Call, invoked: Option<Cap>, before: Option<Snapshot>) {
        let system = &self.world.system;
        let thread = system.current();
        let context = &system.kernel.tcb(thread).context;
        let answer = MessageInfo::from_word(context.x[1].get());
        let is_message = matches!(
            invoked,
            None | Some(
                Cap::Endpoint(_)
                    | Cap::Notification(_)
                    | Cap::Reply(_)
                    | Cap::SgiSignal(_)
                    | Cap::Null
                    | Cap::Zombie(_)
            )
        );
        if call.number == Syscall::Call.word() && !is_message {
            let object = invoked.map_or(CapTag::Null, |cap| cap.tag());
            self.seen.note(object, call.info.label(), answer.label(), context.x[2].get());
            if let Some(before) = before.filter(|_| answer.label() != 0) {
                before.assert_unchanged(&Snapshot::apart_from_message_of(&system.kernel, thread));
            }
        }
        self.generator.learn(call, context.x[0].get(), context.x[1].get());
    }
}

fn is_free_of_objects(system: &System, at: u64) -> bool {
    system.machine().objects.overlapping(sluice_abi::PhysAddr(at), 1 << ipc_buffer::SIZE_BITS).is_none()
}

fn parameter(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Lives of the seeds from the usual or the chosen one on.
fn live(usual: u64) -> (Seen, u64) {
    let (seed, lives) = (parameter("SLUICE_FUZZ_SEED", SEED), parameter("SLUICE_FUZZ_LIVES", usual));
    let mut seen = Seen::default();
    for life in seed..seed + lives {
        // Shown when this life fails.
        eprintln!("SLUICE_FUZZ_SEED={life} SLUICE_FUZZ_LIVES=1");
        Life::new(life, &mut seen).run();
    }
    let (accepted, refused) = seen.counts();
    println!(
        "scope: fuzzing: {} calls, {accepted} labels accepted, {refused} refusals of the reference met",
        lives * CALLS_OF_A_LIFE
    );
    (seen, lives)
}

#[test]
fn random_system_calls_leave_a_sound_kernel() {
    let (seen, lives) = live(LIVES);
    if lives >= LIVES {
        let missing = seen.never_accepted();
        assert!(missing.len() <= RARE, "{missing:?}");
    }
}

#[test]
#[ignore = "takes minutes"]
fn every_refusal_of_the_reference_is_met() {
    let (seen, lives) = live(MANY_LIVES);
    if lives >= MANY_LIVES {
        assert!(seen.never_accepted().is_empty(), "{:?}", seen.never_accepted());
        let gaps = seen.never_refused();
        assert!(gaps.is_empty(), "{gaps:#?}");
    }
}
