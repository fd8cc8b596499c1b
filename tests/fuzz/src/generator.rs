//! The sequence of calls.

use sluice_abi::cap::CapTag;
use sluice_abi::invocation::{Invocation, Meaning};
use sluice_abi::{Label, MessageInfo, Syscall};

use crate::belief::{Belief, INNER, SLOTS, index, pointer};
use crate::call::{Call, WORDS};
use crate::choose::Chooser;
use crate::random::Random;
use crate::start::{FAULT_HANDLER, Gift};

/// Calls that no fuzzer makes: they print, end the machine, or look at all of it.
const AVOIDED: &[Syscall] = &[
    Syscall::DebugPutChar,
    Syscall::DebugDumpScheduler,
    Syscall::DebugHalt,
    Syscall::DebugSnapshot,
    Syscall::DebugCensus,
];

/// How much more often than others some invocations are made: what builds up before what takes down.
const WEIGHTS: &[(Label, u64)] = &[
    (Label::UntypedRetype, 14),
    (Label::CNodeCopy, 8),
    (Label::CNodeMint, 8),
    (Label::CNodeMove, 6),
    (Label::CNodeDelete, 6),
    (Label::PageMap, 12),
    (Label::PageCleanData, 4),
    (Label::PageInvalidateData, 4),
    (Label::PageCleanInvalidateData, 4),
    (Label::PageUnifyInstruction, 4),
    (Label::PageTableMap, 6),
    (Label::AsidPoolAssign, 4),
    (Label::AsidControlMakePool, 6),
    (Label::CNodeRevoke, 2),
    (Label::CNodeRotate, 3),
    (Label::TcbConfigure, 4),
    (Label::TcbSetSpace, 1),
    (Label::TcbSuspend, 1),
];
const USUAL_WEIGHT: u64 = 2;

/// Makes calls.
#[derive(Clone, Debug)]
pub struct Generator {
    random: Random,
    belief: Belief,
}

impl Generator {
    /// The calls of `seed` in a CSpace that starts with these gifts in these slots.
    #[must_use]
    pub fn new(seed: u64, start: &[(usize, Gift)]) -> Self {
        Self { random: Random::new(seed), belief: Belief::new(start) }
    }

    /// What the generator takes its CSpace for.
    #[must_use]
    pub const fn belief(&self) -> &Belief {
        &self.belief
    }

    /// Takes over what came of a call: `x0` and `x1` when it returned.
    pub fn learn(&mut self, call: &Call, x0: u64, x1: u64) {
        self.belief.learn(call, x0, x1);
    }

    /// The next call.
    pub fn call(&mut self) -> Call {
        let call = match self.random.below(100) {
            0..70 => self.invocation(),
            70..92 => self.message(),
            92..97 => self.probe(),
            _ => self.anything(),
        };
        let avoided = AVOIDED.iter().any(|avoided| avoided.word() == call.number);
        if avoided { Call { number: Syscall::Yield.word(), ..call } } else { call }
    }

    fn invocation(&mut self) -> Call {
        let shape = self.shape();
        let mut chooser = Chooser::new(&mut self.random, &self.belief);
        let mut call = empty(Syscall::Call);
        call.pointer = chooser.capability(shape.object);
        for (cap, given) in call.caps.iter_mut().zip(shape.caps) {
            *cap = chooser.capability(given.kind);
        }
        // Slots of the fuzzer's own CSpace are named through its root CNode.
        if shape.object == CapTag::CNode && chooser.random.percent(85) {
            call.pointer = pointer(INNER);
        }
        for (cap, given) in call.caps.iter_mut().zip(shape.caps) {
            if given.kind == CapTag::CNode && chooser.random.percent(85) {
                *cap = pointer(INNER);
            }
        }
        let puts = !matches!(shape.label, Label::CNodeDelete | Label::CNodeRevoke | Label::CNodeCancelBadgedSends);
        let mut first_index = puts;
        for (word, given) in call.words.iter_mut().zip(shape.words) {
            *word = chooser.word(given.meaning, first_index && given.meaning == Meaning::Index);
            first_index &= given.meaning != Meaning::Index;
        }
        if matches!(shape.label, Label::TcbConfigure | Label::TcbSetSpace) && self.random.percent(90) {
            // Another guard or handler is the end of most threads.
            call.words[..2].copy_from_slice(&[pointer(FAULT_HANDLER), 0]);
        }
        let length = self.length(shape);
        if shape.label == Label::UntypedRetype && self.random.percent(85) {
            (call.words[2], call.words[3]) = (0, 0);
        }
        if shape.words.last().is_some_and(|word| word.meaning == Meaning::Rest) {
            call.words[shape.words.len()..].iter_mut().for_each(|word| *word = self.random.wild());
        }
        let caps = if self.random.percent(3) { self.random.below(4) } else { shape.caps.len() as u64 };
        call.info = MessageInfo::new(shape.label as u64, self.random.below(8), caps, length);
        if self.random.percent(8) {
            call.number = self.random.pick(&[Syscall::Send, Syscall::NbSend]).word();
        }
        call
    }

    /// An invocation of a kind of capability that is there, the weighted ones more often.
    fn shape(&mut self) -> &'static Invocation {
        let weight = |known: &Invocation| {
            let there = known.object != CapTag::Null && (0..SLOTS).any(|slot| self.belief.kind(slot) == known.object);
            let heavy =
                WEIGHTS.iter().find(|(label, _)| *label == known.label).map_or(USUAL_WEIGHT, |(_, weight)| *weight);
            if there { heavy } else { 0 }
        };
        let total: u64 = Invocation::ALL.iter().map(|known| weight(known)).sum();
        let weights: [u64; Label::ALL.len()] = core::array::from_fn(|index| weight(Invocation::ALL[index]));
        if total == 0 || self.random.percent(4) {
            return self.random.pick(Invocation::ALL);
        }
        let mut left = self.random.below(total);
        for (known, weight) in Invocation::ALL.iter().zip(weights) {
            if left < weight {
                return known;
            }
            left -= weight;
        }
        Invocation::of(Label::UntypedRetype)
    }

    fn length(&mut self, shape: &Invocation) -> u64 {
        let whole = shape.words.len() as u64;
        match self.random.below(100) {
            0..94 if shape.words.last().is_some_and(|word| word.meaning == Meaning::Rest) => WORDS as u64,
            0..94 => whole,
            94..97 => self.random.below(whole + 1),
            _ => self.random.below(128),
        }
    }

    /// Messages through endpoints, signals, replies.
    fn message(&mut self) -> Call {
        let kind = self.random.pick(&[Syscall::Call, Syscall::Send, Syscall::NbSend, Syscall::Recv, Syscall::NbRecv]);
        let kind = match self.random.below(10) {
            0 => Syscall::Yield,
            1 => Syscall::Reply,
            2 => Syscall::ReplyRecv,
            _ => kind,
        };
        let through = self.random.pick(&[CapTag::Endpoint, CapTag::Endpoint, CapTag::Notification, CapTag::Reply]);
        let mut chooser = Chooser::new(&mut self.random, &self.belief);
        let mut call = empty(kind);
        call.pointer = chooser.capability(through);
        for cap in &mut call.caps {
            let kind = chooser.random.pick(&[CapTag::Endpoint, CapTag::Frame, CapTag::Notification, CapTag::Untyped]);
            *cap = chooser.capability(kind);
        }
        let dest = chooser.word(Meaning::Index, true);
        let depth = chooser.word(Meaning::Depth, false);
        call.receive = [chooser.capability(CapTag::CNode), dest, depth];
        if self.random.percent(70) {
            let empty = self.belief.find(&mut self.random, CapTag::Null).unwrap_or(0);
            let (at, depth) = index(empty);
            call.receive = [pointer(INNER), at, depth];
        }
        call.words.iter_mut().for_each(|word| *word = self.random.word());
        let length = self.random.pick(&[0, 1, 4, 5, 10, 40, 120, 127]);
        let label = self.random.pick(&[0, 0, 1, 0xfff]);
        call.info = MessageInfo::new(label, self.random.below(8), self.random.below(4), length);
        call
    }

    /// Asks what is in a slot.
    fn probe(&mut self) -> Call {
        let mut call = empty(Syscall::DebugCapIdentify);
        call.pointer = pointer(self.random.below(SLOTS as u64) as usize);
        call
    }

    fn anything(&mut self) -> Call {
        let known = self.random.pick(&Syscall::ALL).word();
        Call {
            number: if self.random.percent(80) { known } else { self.random.wild() },
            pointer: if self.random.percent(50) {
                pointer(self.random.below(256) as usize)
            } else {
                self.random.wild()
            },
            info: MessageInfo::from_word(self.random.wild() & 0xfff_ffff),
            words: core::array::from_fn(|_| self.random.wild()),
            caps: core::array::from_fn(|_| self.random.wild()),
            receive: core::array::from_fn(|_| self.random.wild()),
        }
    }
}

fn empty(call: Syscall) -> Call {
    Call {
        number: call.word(),
        pointer: 0,
        info: MessageInfo::default(),
        words: [0; WORDS],
        caps: [0; MessageInfo::MAX_EXTRA_CAPS as usize],
        receive: [0; 3],
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    const START: &[(usize, Gift)] =
        &[(INNER, Gift::Root), (1, Gift::Untyped(12)), (2, Gift::Endpoint), (3, Gift::Thread(0)), (4, Gift::Frame)];

    fn calls(seed: u64) -> Vec<Call> {
        let mut generator = Generator::new(seed, START);
        (0..3000).map(|_| generator.call()).collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_calls() {
        assert_eq!(calls(1), calls(1));
        assert_ne!(calls(1), calls(2));
    }

    #[test]
    fn no_call_prints_or_ends_the_machine() {
        for call in (0..20).flat_map(calls) {
            assert!(!AVOIDED.iter().any(|avoided| avoided.word() == call.number), "{call}");
        }
    }

    #[test]
    fn invocations_of_what_is_there_are_all_made() {
        let calls = calls(3);
        for known in Invocation::ALL.iter().filter(|known| START.iter().any(|(_, gift)| gift.kind() == known.object)) {
            let made = calls.iter().filter(|call| {
                call.info.label() == known.label as u64 && call.info.length() >= known.required_words() as u64
            });
            assert!(made.count() > 2, "{:?} is hardly ever made", known.label);
        }
    }

    #[test]
    fn answers_are_learned() {
        let mut generator = Generator::new(0, START);
        let mut copy = empty(Syscall::Call);
        copy.info = MessageInfo::new(Label::CNodeCopy as u64, 0, 1, 5);
        copy.words[..4].copy_from_slice(&[9, index(9).1, 2, index(2).1]);
        generator.learn(&copy, 0, 0);
        assert_eq!(generator.belief().kind(9), CapTag::Endpoint);
        let mut delete = empty(Syscall::Call);
        delete.info = MessageInfo::new(Label::CNodeDelete as u64, 0, 0, 2);
        delete.words[..2].copy_from_slice(&[9, index(9).1]);
        generator.learn(&delete, 0, 0);
        assert_eq!(generator.belief().kind(9), CapTag::Null);
        let mut probe = empty(Syscall::DebugCapIdentify);
        probe.pointer = pointer(30);
        generator.learn(&probe, CapTag::Reply as u64, 0);
        assert_eq!(generator.belief().kind(30), CapTag::Reply);
    }
}
