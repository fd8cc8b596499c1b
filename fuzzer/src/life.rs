//! A life: threads with a CSpace of their own make calls until it ends.

use sluice_abi::fault::{FaultLabel, UNKNOWN_SYSCALL_WORDS};
use sluice_abi::{Label, MessageInfo, ObjectType, Syscall, ipc_buffer};
use sluice_fuzz::{Call, Generator, Random, START, THREADS};
use sluice_sys::{Event, Message, Received, Untyped};

use crate::confined::{Confined, SLOTS};
use crate::idle::Watch;
use crate::machine::{Machine, store};
use crate::report::Counts;
use crate::stub::{DONE, Stub};

/// Calls of one life.
pub(crate) const CALLS_OF_A_LIFE: u64 = 1000;
/// Calls after which its threads get back what they have lost.
const HEAL_AFTER: u64 = 40;
/// A life in which its threads were stuck so often is over: one that runs for ever takes all time.
const MOST_STUCK: u64 = 60;
/// log2 of the memory of a life.
const MEMORY_BITS: u32 = 20;

/// What lives have in common.
pub(crate) struct Life {
    memory: u64,
    watch: Watch,
    first: u64,
    stub: Stub,
    /// Where the root task has each thread's buffer.
    windows: [u64; THREADS],
}

impl Life {
    pub(crate) fn new(machine: &mut Machine) -> Self {
        let watch = Watch::start(machine);
        let memory = machine.make(ObjectType::Untyped, MEMORY_BITS);
        let windows = core::array::from_fn(|_| machine.page_address());
        Self { memory, watch, first: machine.slots(SLOTS), stub: Stub::find(machine), windows }
    }

    /// One life of so many calls.
    pub(crate) fn live(&self, seed: u64, calls: u64) -> Counts {
        let confined = Confined::new(Untyped::from(self.memory), self.first, &self.stub, &self.windows);
        let mut turn = Turn {
            life: self,
            generator: Generator::new(seed, &START),
            chance: Random::new(!seed),
            asked: [None; THREADS],
            confined,
            counts: Counts::default(),
        };
        (0..THREADS).for_each(|index| turn.ask(index));
        while turn.counts.made < calls && turn.counts.blocked < MOST_STUCK {
            turn.wait();
        }
        let mut counts = turn.counts;
        counts.recovered = turn.confined.end(self.memory, self.first);
        counts
    }
}

/// A life under way.
struct Turn<'a> {
    life: &'a Life,
    generator: Generator,
    /// Chances that are not the generator's.
    chance: Random,
    /// What each thread asked for last.
    asked: [Option<Call>; THREADS],
    confined: Confined,
    counts: Counts,
}

impl Turn<'_> {
    /// Waits until a thread is done with its call, and gives it another.
    fn wait(&mut self) {
        let event = sluice_sys::recv(sluice_abi::CPtr(self.confined.endpoint));
        self.life.watch.progress();
        match event {
            Event::Signal(_) => {
                self.counts.blocked += 1;
                let index = self.chance.below(THREADS as u64) as usize;
                self.confined.heal(index);
                self.ask(index);
            }
            Event::Message(message) => {
                let known = (message.badge() as usize).checked_sub(1).filter(|index| *index < THREADS);
                let index = known.unwrap_or(0);
                if is_end_of_call(&message) {
                    self.learn(index, &message);
                } else {
                    self.counts.faulted += 1;
                    if message.label() != FaultLabel::Cap as u64 {
                        self.confined.heal(index);
                    }
                }
                self.ask(index);
            }
        }
    }

    /// Takes over what a call gave: the message holds the registers after it.
    fn learn(&mut self, index: usize, message: &Received) {
        self.counts.returned += 1;
        let Some(call) = self.asked[index].take() else { return };
        let (x0, x1) = (message.word(0), message.word(1));
        let known = Label::from_word(call.info.label()).is_some() && call.number == Syscall::Call.word();
        let accepted = known && x0 == 0 && MessageInfo::from_word(x1).label() == 0;
        self.counts.accepted += u64::from(accepted);
        self.generator.learn(&call, x0, x1);
    }

    /// Has a thread make the next call.
    fn ask(&mut self, index: usize) {
        let call = self.generator.call();
        self.counts.made += 1;
        if self.counts.made.is_multiple_of(HEAL_AFTER) {
            (0..THREADS).for_each(|index| self.confined.heal(index));
            (0..THREADS).filter(|other| *other != index).for_each(|other| self.launch(other, &call));
        }
        self.launch(index, &call);
        self.asked[index] = Some(call);
    }

    fn launch(&self, index: usize, call: &Call) {
        let buffer = self.life.windows[index];
        for (number, word) in call.words.iter().enumerate().skip(MessageInfo::REGISTERS) {
            store(buffer + ipc_buffer::message(number), *word);
        }
        for (number, cap) in call.caps.iter().enumerate() {
            store(buffer + ipc_buffer::cap_or_badge(number), *cap);
        }
        for (offset, word) in [ipc_buffer::RECEIVE_CNODE, ipc_buffer::RECEIVE_INDEX, ipc_buffer::RECEIVE_DEPTH]
            .into_iter()
            .zip(call.receive)
        {
            store(buffer + offset, word);
        }
        let [w0, w1, w2, w3] = [call.words[0], call.words[1], call.words[2], call.words[3]];
        // Resume, eleven registers: pc, sp, spsr, x0..x7.
        let registers = [self.life.stub.entry, 0, 0, call.pointer, call.info.word(), w0, w1, w2, w3, 0, call.number];
        let mut words = [0; 13];
        (words[0], words[1]) = (1, registers.len() as u64);
        words[2..].copy_from_slice(&registers);
        let tcb = sluice_abi::CPtr(self.confined.threads[index]);
        let message = Message::new(Label::TcbWriteRegisters as u64, words);
        let answer = sluice_sys::Endpoint(tcb).call(&message);
        assert!(answer.label() == 0, "a thread cannot be started: error {}", answer.label());
    }
}

/// Whether the message is the fault that ends a call.
fn is_end_of_call(message: &Received) -> bool {
    message.label() == FaultLabel::UnknownSyscall as u64
        && message.words().len() == UNKNOWN_SYSCALL_WORDS
        && message.word(UNKNOWN_SYSCALL_WORDS - 1) == DONE
}
