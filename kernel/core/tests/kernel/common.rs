//! The common cases of system calls against the general path: two kernels in the same state, one of which never looks for
//! a common case, take the same system calls and stay the same to the last word.

use std::cell::Cell;

use proptest::prelude::*;
use sluice_abi::bootinfo::slot::{INIT_CNODE, INIT_TCB, INIT_VSPACE};
use sluice_abi::{Label, MessageInfo, ObjectType, Syscall};
use sluice_core::Store;
use sluice_core::cap::Cap;
use sluice_core::object::{Fault, TcbSlot, ThreadState};

use crate::invariants;
use crate::snapshot::Snapshot;
use crate::user::*;

/// Priorities of the threads; the root thread has the highest while it sets them up.
const PRIORITIES: [u64; 5] = [100, 100, 101, 99, 100];

/// What threads use: slots of the root CNode.
struct Scene {
    system: System,
    threads: Vec<Thread>,
    /// Endpoints with different rights and badges, a notification, and what cannot be called.
    pointers: Vec<u64>,
    /// A free slot for `SaveCaller`.
    saved: u64,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    /// A system call of the current thread.
    Call {
        call: Syscall,
        pointer: usize,
        label: u64,
        caps: u64,
        length: u64,
        unwrapped: u64,
    },
    /// What a server or client would do next, in the state the current thread is in.
    Converse {
        label: u64,
        length: u64,
    },
    /// The current thread signals a notification that may be bound.
    Signal,
    /// The current thread faults.
    Fault,
    /// A tick.
    Tick,
    /// The current thread changes another one.
    Manage {
        label: Label,
        thread: usize,
        priority: u64,
    },
    /// The current thread sets aside or throws away the reply capability it holds.
    SaveCaller,
    DeleteSaved,
}

impl Scene {
    fn new() -> Self {
        let mut system = System::boot();
        let endpoints = [0, 1].map(|_| system.make(ObjectType::Endpoint, 0));
        let notification = system.make(ObjectType::Notification, 0);
        let mut pointers = endpoints.to_vec();
        for rights in [1, 2, 3, 5, 9, 7] {
            pointers.push(system.minted(endpoints[0], rights, 0x10 + rights));
        }
        pointers.extend([notification, INIT_CNODE, 1 << 20]);
        let handler = pointers[0];
        let mut threads = Vec::new();
        for (index, priority) in PRIORITIES.into_iter().enumerate() {
            let thread = system.thread(priority);
            if index % 2 == 0 {
                let words = [handler, 0, 0];
                system.done(thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, INIT_VSPACE], &words);
            }
            threads.push(thread);
        }
        // One thread without a VSpace of its own: its ASID has no tag yet when it runs first.
        system.done(threads[2].cptr, Label::TcbBindNotification, &[notification], &[]);
        for thread in &threads {
            system.resume(*thread);
        }
        let saved = system.free_slot();
        system.set_priority(INIT_TCB, 1);
        Self { system, threads, pointers, saved }
    }

    /// Does `op` as the current thread, and says whether it was a common case. `general` never asks.
    fn step(&mut self, op: Op, general: bool) -> bool {
        // The root thread, which runs when nobody else does, keeps the others going.
        match if self.system.current() == self.system.root { self.resumption(op) } else { op } {
            Op::Call { call, pointer, label, caps, length, unwrapped } => {
                let pointer = self.pointers[pointer % self.pointers.len()];
                let info = MessageInfo::new(label, unwrapped, caps, length).word();
                self.enter(call, pointer, info, &[], general)
            }
            Op::Converse { label, length } => {
                let thread = self.system.current();
                let holds_reply = self.system.cap_at(thread.slot(TcbSlot::Caller as u64)) != Cap::Null;
                let Cap::Endpoint(endpoint) = self.system.cap(self.pointers[0]) else { panic!("no endpoint") };
                let first = self.system.machine().get(endpoint.object).queue.head();
                let waits =
                    first.is_some_and(|first| matches!(self.system.state(first), ThreadState::BlockedOnReceive { .. }));
                let call = match (holds_reply, waits) {
                    (true, _) => Syscall::ReplyRecv,
                    (false, true) => Syscall::Call,
                    (false, false) => Syscall::Recv,
                };
                let info = MessageInfo::new(label, 0, 0, length).word();
                self.enter(call, self.pointers[0], info, &[], general)
            }
            Op::Signal => self.enter(Syscall::Send, self.pointers[8], 0, &[], general),
            Op::Fault => {
                self.system.kernel.enter_fault(Fault::User { number: 7, code: 0 });
                false
            }
            Op::Tick => {
                self.system.kernel.enter_interrupt(TIMER);
                false
            }
            Op::Manage { label, thread, priority } => {
                let thread = self.threads[thread % self.threads.len()].cptr;
                let info = MessageInfo::new(label as u64, 0, 0, 0).word();
                if label == Label::TcbSetPriority {
                    // The authority travels as a capability, which the buffer names.
                    self.invoke_with_cap(thread, label, INIT_TCB, &[priority], general)
                } else {
                    self.enter(Syscall::Call, thread, info, &[], general)
                }
            }
            Op::SaveCaller => self.on_slot(Label::CNodeSaveCaller, general),
            Op::DeleteSaved => self.on_slot(Label::CNodeDelete, general),
        }
    }

    /// Resumes a thread that `op` chooses.
    fn resumption(&self, op: Op) -> Op {
        let thread = match op {
            Op::Call { pointer, length, .. } => pointer + length as usize,
            Op::Converse { length, .. } => length as usize,
            Op::Manage { thread, .. } => thread,
            Op::Signal | Op::Fault | Op::Tick | Op::SaveCaller | Op::DeleteSaved => 2,
        };
        Op::Manage { label: Label::TcbResume, thread, priority: 0 }
    }

    fn on_slot(&mut self, label: Label, general: bool) -> bool {
        let info = MessageInfo::new(label as u64, 0, 0, 2).word();
        self.enter(Syscall::Call, INIT_CNODE, info, &[self.saved, DEPTH], general)
    }

    fn invoke_with_cap(&mut self, object: u64, label: Label, cap: u64, words: &[u64], general: bool) -> bool {
        let thread = self.system.current();
        let buffer = self.system.buffer(thread).expect("every thread has a buffer");
        let at = buffer.offset(sluice_abi::ipc_buffer::cap_or_badge(0));
        self.system.machine().memory.store(at, cap);
        let info = MessageInfo::new(label as u64, 0, 1, words.len() as u64).word();
        self.enter(Syscall::Call, object, info, words, general)
    }

    fn enter(&mut self, call: Syscall, cptr: u64, info: u64, words: &[u64], general: bool) -> bool {
        let thread = self.system.current();
        let context = &self.system.kernel.tcb(thread).context;
        context.x[0].set(cptr);
        context.x[1].set(info);
        for (register, word) in context.x[2..6].iter().zip(words) {
            register.set(*word);
        }
        context.x[7].set(call.word());
        context.pc.set(AFTER_SVC);
        let common = !general && self.system.kernel.enter_common_syscall();
        if !common {
            self.system.kernel.enter_any_syscall();
        }
        common
    }
}

fn op() -> impl Strategy<Value = Op> {
    let call = prop_oneof![
        8 => Just(Syscall::Call),
        8 => Just(Syscall::ReplyRecv),
        4 => Just(Syscall::Recv),
        1 => Just(Syscall::Send),
        1 => Just(Syscall::NbSend),
        1 => Just(Syscall::NbRecv),
        1 => Just(Syscall::Reply),
        1 => Just(Syscall::Yield),
    ];
    let pointer = prop_oneof![8 => Just(0usize), 1 => Just(1usize), 3 => 2..8usize, 1 => 8..11usize];
    let length = prop_oneof![10 => 0..5u64, 1 => 5..12u64, 1 => Just(127)];
    let caps = prop_oneof![12 => Just(0u64), 1 => 1..4u64];
    let label = prop_oneof![Just(Label::TcbSuspend), Just(Label::TcbResume), Just(Label::TcbSetPriority)];
    prop_oneof![
        32 => (call, pointer, 0..1u64 << 52, caps, length, 0..8u64).prop_map(|(call, pointer, label, caps, length, unwrapped)| {
            Op::Call { call, pointer, label, caps, length, unwrapped }
        }),
        48 => (0..1u64 << 52, 0..5u64).prop_map(|(label, length)| Op::Converse { label, length }),
        1 => Just(Op::Signal),
        1 => Just(Op::Fault),
        1 => Just(Op::Tick),
        2 => (label, 0..5usize, 98..102u64).prop_map(|(label, thread, priority)| Op::Manage { label, thread, priority }),
        1 => Just(Op::SaveCaller),
        1 => Just(Op::DeleteSaved),
    ]
}

#[test]
fn common_cases_end_as_the_general_path_does() {
    let (common, steps) = (Cell::new(0u32), Cell::new(0u32));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(32));
    let outcome = runner.run(&prop::collection::vec(op(), 20..100), |ops| {
        let (mut left, mut right) = (Scene::new(), Scene::new());
        for op in ops {
            let was_common = left.step(op, false);
            right.step(op, true);
            common.set(common.get() + u32::from(was_common));
            steps.set(steps.get() + 1);
            invariants::check(&left.system.kernel);
            Snapshot::of(&right.system.kernel).assert_unchanged(&Snapshot::of(&left.system.kernel));
        }
        Ok(())
    });
    println!("scope: common cases: {} of {} steps were common", common.get(), steps.get());
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(common.get() > 100, "only {} of {} steps were common cases", common.get(), steps.get());
    assert!(steps.get() - common.get() > 100, "too few steps were not");
}

/// Both kinds of common case, with each short length; one word more is not one.
#[test]
fn short_messages_between_waiting_threads_are_common() {
    for length in 0..=5 {
        let mut scene = Scene::new();
        let call = |call| Op::Call { call, pointer: 0, label: 0x77, caps: 0, length, unwrapped: 7 };
        // The thread with the highest priority waits; the next calls it, and is answered: nobody ready is above it.
        let server = scene.system.current();
        assert!(!scene.step(call(Syscall::Recv), false));
        let client = scene.system.current();
        assert_eq!(scene.step(call(Syscall::Call), false), length <= 4, "a call of {length} words");
        assert_eq!(scene.system.current(), server);
        assert_eq!(scene.step(call(Syscall::ReplyRecv), false), length <= 4, "an answer of {length} words");
        assert_eq!(scene.system.current(), client);
    }
}

/// A fault whose delivery was cancelled is told instead of what would be a common call or answer.
#[test]
fn a_fault_to_be_told_is_no_common_case() {
    let call = |call| Op::Call { call, pointer: 0, label: 0x77, caps: 0, length: 1, unwrapped: 0 };
    for (client_faulted, server_faulted) in [(false, false), (true, false), (false, true)] {
        let mut scene = Scene::new();
        let server = scene.system.current();
        scene.step(call(Syscall::Recv), false);
        let client = scene.system.current();
        let fault = |scene: &Scene, thread, there: bool| {
            scene.system.kernel.tcb(thread).fault.set(there.then_some(Fault::User { number: 7, code: 0 }));
        };
        fault(&scene, client, client_faulted);
        assert_eq!(scene.step(call(Syscall::Call), false), !client_faulted);
        assert_eq!(scene.system.current(), server);
        assert_eq!(
            MessageInfo::from_word(scene.system.kernel.tcb(server).context.x[1].get()).label() == 3,
            client_faulted
        );
        fault(&scene, server, server_faulted);
        assert_eq!(scene.step(call(Syscall::ReplyRecv), false), !client_faulted && !server_faulted);
        let answered = MessageInfo::from_word(scene.system.kernel.tcb(client).context.x[1].get()).label();
        assert_eq!(answered == 3, server_faulted);
    }
}
