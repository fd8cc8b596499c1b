//! The replay, line by line.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use sluice_abi::smmu::Record;
use sluice_abi::{Error, Label, PhysAddr};
use sluice_abstract::{
    Answer, Cap, Doing, Event, Held, Invocation, Object, ReceivePath, Refusal, Refused, Request, Rights, Slot, Smmu,
    Stage, State, ThreadSlot, Vcpu, Virtualization, invariant, step,
};

use crate::event::{Explained, explain};
use crate::initial;
use crate::log::{Call, Ending, Line};
use crate::place::slot_at;
use crate::summary::Summary;

/// States kept for events, which can wait in the SMMU's queue while calls go on.
const PAST: usize = 32;

/// The first line on which log and abstract machine disagree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disagreement {
    /// Its number, from 1.
    pub line: usize,
    /// In words.
    pub what: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.what)
    }
}

/// Replays a log; all invariants are evaluated after every `calls_a_check` calls and at the end.
///
/// # Errors
/// The first disagreement, or the first line that is malformed.
pub fn replay(text: &str, calls_a_check: u64) -> Result<Summary, Disagreement> {
    let mut replay = Replay::default();
    for (index, text) in text.lines().enumerate() {
        let at = |what| Disagreement { line: index + 1, what };
        replay.line = index + 1;
        let line = Line::read(text).map_err(|reason| at(format!("malformed: {reason}")))?;
        let is_call = matches!(line, Line::Call(_));
        replay.follow(line).map_err(at)?;
        let calls: u64 = replay.summary.calls.values().sum();
        if is_call && calls.is_multiple_of(calls_a_check.max(1)) {
            replay.check_invariants().map_err(at)?;
        }
    }
    let end = |what| Disagreement { line: text.lines().count(), what };
    if !replay.started {
        return Err(end("the log ends before the first thread starts".to_owned()));
    }
    replay.check_invariants().map_err(end)?;
    replay.summary.lines = text.lines().count();
    Ok(replay.summary)
}

/// Does not hold here: which threads wait for a message is not in the log, so that more seem to run than do.
const NOT_HERE: &str = "the_highest_runs";

#[derive(Default)]
struct Replay {
    line: usize,
    state: State,
    started: bool,
    caps: Vec<(PhysAddr, [u64; 2])>,
    /// States before, the latest last.
    past: VecDeque<State>,
    /// Calls that must start over, by thread, with their lines.
    pending: BTreeMap<PhysAddr, (usize, Call)>,
    summary: Summary,
}

impl Replay {
    fn follow(&mut self, line: Line) -> Result<(), String> {
        let at_boot = matches!(
            line,
            Line::Smmu { .. }
                | Line::Table { .. }
                | Line::Irq(_)
                | Line::Irqs { .. }
                | Line::Guests { .. }
                | Line::Cap { .. }
                | Line::Start(_)
        );
        if at_boot == self.started {
            return Err(
                if at_boot { "this belongs before the start" } else { "this belongs after the start" }.to_owned()
            );
        }
        match line {
            Line::Smmu { number, streams, contexts, can } => {
                self.state.smmus.insert(number, Smmu::new(streams, contexts, can));
            }
            Line::Table { number, first } => {
                let smmu = self.state.smmus.get_mut(&number).ok_or("a table of no SMMU")?;
                smmu.tables.insert(first);
            }
            Line::Irq(intid) => drop(self.state.interrupts.kept.insert(intid)),
            Line::Irqs { last } => self.state.interrupts.last = last,
            Line::Guests { lists, timer } => {
                self.state.virtualization = Virtualization { lists, timer: Some(timer), maintenance: None };
            }
            Line::Cap { slot, words } => self.caps.push((slot, words)),
            Line::Start(thread) => {
                self.state = initial::complete(std::mem::take(&mut self.state), &self.caps, thread)?;
                self.started = true;
                self.check_invariants()?;
            }
            Line::Call(call) => self.call(call)?,
            Line::Pass { source, dest } => self.pass(source, dest)?,
            Line::Fault { thread, .. } => {
                self.expect_runnable(thread)?;
                self.summary.faults += 1;
            }
            Line::Owe { caller, thread, grant } => self.owe(caller, thread, grant)?,
            Line::Answer { caller } => self.answered(caller)?,
            Line::Drop { thread } => {
                self.state = self.after_delete(Slot::Thread { thread, which: ThreadSlot::Caller })?
            }
            Line::Event(record) => self.event(record)?,
        }
        Ok(())
    }

    fn check_invariants(&mut self) -> Result<(), String> {
        let mut evaluated = invariant::ALL.iter().filter(|invariant| invariant.name != NOT_HERE);
        self.summary.invariants = invariant::ALL.len() - 1;
        self.summary.states += 1;
        match evaluated.find(|invariant| !(invariant.holds)(&self.state)) {
            None => Ok(()),
            Some(broken) => Err(format!("after this line the invariant {} does not hold", broken.name)),
        }
    }

    fn expect_runnable(&self, thread: PhysAddr) -> Result<(), String> {
        match self.state.thread(thread) {
            Some(found) if found.is_runnable() => Ok(()),
            Some(_) => Err(format!("the thread {thread} runs, and nobody has let it")),
            None => Err(format!("there is no thread {thread}")),
        }
    }

    fn enter(&mut self, state: State) {
        self.past.push_back(std::mem::replace(&mut self.state, state));
        if self.past.len() > PAST {
            self.past.pop_front();
        }
    }

    fn call(&mut self, call: Call) -> Result<(), String> {
        *self.summary.calls.entry(call.label).or_default() += 1;
        self.expect_runnable(call.thread)?;
        if let Some((line, begun)) = self.pending.remove(&call.thread)
            && !is_same(&begun, &call)
        {
            return Err(format!("thread {} makes another call; its call of line {line} must start over", call.thread));
        }
        let slot = self.named(&call, call.slot)?;
        let caps = call.caps.iter().map(|cap| self.named(&call, *cap)).collect::<Result<Vec<_>, _>>()?;
        let label = Label::from_word(call.label);
        self.take_what_is_active(slot, label, &call);
        self.let_come_what_came(slot, label, &call);
        let request = Request { state: &self.state, slot, label, words: &call.words, caps: &caps };
        let disagree = |abstractly: String| {
            let kernel = match call.ending {
                Ending::Accepted => format!("accepts and answers {:x?}", call.answer),
                Ending::Refused(error) => format!("refuses with {} {:x?}", error_name(error), call.answer),
                Ending::Preempted => "accepts, and is interrupted".to_owned(),
            };
            let words = describe(&self.state, &call, label, slot, &caps);
            Err(format!("{words}\n  the kernel {kernel}\n  the abstract machine {abstractly}"))
        };
        let understood = request.decode().map_err(Refusal::Refused);
        let answer = match understood.and_then(|invocation| step(&self.state, call.thread, &invocation)) {
            Err(Refusal::OutOfReach(slot)) => return disagree(format!("finds {slot:?} out of the thread's reach")),
            Err(Refusal::Refused(refused)) => Err(refused),
            Ok(answer) => Ok(answer),
        };
        match (answer, call.ending) {
            (Ok(Answer { state, words }), Ending::Accepted) => {
                if is_unheard(label) {
                    *self.summary.unheard.entry(call.label).or_default() += 1;
                } else if words != call.answer {
                    return disagree(format!("accepts and answers {words:x?}"));
                }
                self.summary.compared += 1;
                *self.summary.accepted.entry(call.label).or_default() += 1;
                self.forget_interrupted(slot, label);
                self.enter(state);
                self.let_end_what_was_taken_back(slot, label, &call);
            }
            (Ok(_), Ending::Preempted) => {
                self.summary.preempted += 1;
                self.pending.insert(call.thread, (self.line, call));
            }
            (Ok(answer), Ending::Refused(_)) => return disagree(format!("accepts and answers {:x?}", answer.words)),
            (Err(refused), Ending::Refused(number)) if is_refusal(&refused, number, &call.answer) => {
                self.summary.refused += 1;
            }
            (Err(refused), _) => {
                let (error, words) = refused.answer();
                return disagree(format!("refuses with {error:?} {words:x?}"));
            }
        }
        Ok(())
    }

    /// The slot at an address that a call names, which its thread must be able to.
    fn named(&self, call: &Call, at: PhysAddr) -> Result<Slot, String> {
        let slot = slot_at(&self.state, at).ok_or_else(|| format!("there is no slot at {at}"))?;
        let within = |node: PhysAddr| self.state.nameable(call.thread).contains(&node);
        if let Slot::Node { node, .. } = slot
            && within(node)
        {
            return Ok(slot);
        }
        Err(format!("the thread {} uses {slot:?}, to which no capability leads it", call.thread))
    }

    /// A thread whose registers are written does not start its interrupted call over.
    fn forget_interrupted(&mut self, slot: Slot, label: Option<Label>) {
        let rewritten = matches!(label, Some(Label::TcbWriteRegisters | Label::TcbCopyRegisters));
        if let (Some(Cap::Thread(thread)), true) = (self.state.cap(slot), rewritten)
            && self.pending.remove(&thread).is_some()
        {
            self.summary.abandoned += 1;
        }
    }

    /// What guests do with their interrupts is not in the log: where the kernel says that one is in use, and there is one,
    /// its guest has taken it meanwhile.
    fn take_what_is_active(&mut self, slot: Slot, label: Option<Label>, call: &Call) {
        let in_use = call.ending == Ending::Refused(Error::DeleteFirst as u64);
        let Some(Cap::Vcpu(vcpu)) = self.state.cap(slot).filter(|_| in_use && label == Some(Label::VcpuInjectIrq))
        else {
            return;
        };
        let place = call.words.first().map_or(0, |word| (word >> 32) as u8);
        if let Some(Object::Vcpu(vcpu)) = self.state.objects.get_mut(&vcpu)
            && vcpu.thread.is_some()
            && let Some(injected) = vcpu.injected.get_mut(&place)
        {
            injected.stage = Stage::Active;
        }
    }

    /// Interrupts are not in the log either: where the kernel says that a forwarded one was pending or active when it was taken
    /// back, it had come, and its guest had taken it or not.
    fn let_come_what_came(&mut self, slot: Slot, label: Option<Label>, call: &Call) {
        let stage = match call.answer[..] {
            [1] => Stage::Pending,
            [2] => Stage::Active,
            _ => return,
        };
        if let Some((vcpu, place)) = self.taken_back(slot, label, call)
            && let Some(forwarded) = vcpu.forwarded.get(&place)
        {
            let becomes = forwarded.becomes;
            vcpu.injected.entry(place).or_insert(becomes).stage = stage;
        }
    }

    /// When the guest ends what it had taken is not in the log: at the latest when the place is used again.
    fn let_end_what_was_taken_back(&mut self, slot: Slot, label: Option<Label>, call: &Call) {
        if let Some((vcpu, place)) = self.taken_back(slot, label, call) {
            vcpu.injected.remove(&place);
        }
    }

    /// The virtual processor and the list register of an interrupt that the kernel has taken back.
    fn taken_back(&mut self, slot: Slot, label: Option<Label>, call: &Call) -> Option<(&mut Vcpu, u8)> {
        let is_it = call.ending == Ending::Accepted && label == Some(Label::VcpuTakeBackIrq);
        let Some(Cap::Vcpu(vcpu)) = self.state.cap(slot).filter(|_| is_it) else { return None };
        let place = u8::try_from(*call.words.first()?).ok()?;
        let Some(Object::Vcpu(vcpu)) = self.state.objects.get_mut(&vcpu) else { return None };
        vcpu.thread.is_some().then_some((vcpu, place))
    }

    fn pass(&mut self, source: PhysAddr, dest: PhysAddr) -> Result<(), String> {
        let find = |at| slot_at(&self.state, at).ok_or_else(|| format!("there is no slot at {at}"));
        let (source, dest) = (find(source)?, find(dest)?);
        let copy = Invocation::Copy { source, dest, rights: Rights::ALL };
        // Whoever it was that sent it: a message needs no capability to a CNode.
        let after = self.state.after(PhysAddr(0), &copy).map_err(|refused| {
            format!(
                "a message carries {:?} from {source:?} to {dest:?}\n  the kernel passes it on\n  \
                 the abstract machine refuses with {refused:?}",
                self.state.cap(source)
            )
        })?;
        self.summary.passed += 1;
        self.enter(after.state);
        Ok(())
    }

    fn after_delete(&self, slot: Slot) -> Result<State, String> {
        let deleted = self.state.after(PhysAddr(0), &Invocation::Delete(slot));
        deleted.map(|answer| answer.state).map_err(|refused| format!("{slot:?} cannot be emptied: {refused:?}"))
    }

    /// A thread was called, and owes an answer.
    fn owe(&mut self, caller: PhysAddr, thread: PhysAddr, grant: bool) -> Result<(), String> {
        self.expect_runnable(caller)?;
        let (owed, master) = (ThreadSlot::Caller, ThreadSlot::Reply);
        let (dest, parent) = (Slot::Thread { thread, which: owed }, Slot::Thread { thread: caller, which: master });
        if self.state.cap(dest).is_some() || self.state.cap(parent).is_none() {
            return Err(format!("{thread} owes an answer already, or {caller} cannot be answered"));
        }
        let mut after = self.state.clone();
        let cap = Cap::Reply { caller, master: false, grant };
        after.slots.insert(dest, Held { cap, parent: Some(parent), original: false });
        if let Some(caller) = after.thread_mut(caller) {
            caller.doing = Doing::AwaitingReply { into: ReceivePath::default() };
        }
        self.summary.owed += 1;
        self.enter(after);
        Ok(())
    }

    /// Somebody used the capability for the answer.
    fn answered(&mut self, caller: PhysAddr) -> Result<(), String> {
        let is_it = |held: &Held| matches!(held.cap, Cap::Reply { caller: to, master: false, .. } if to == caller);
        let slot = self.state.slots.iter().find(|(_, held)| is_it(held)).map(|(slot, _)| *slot);
        let mut after = self.after_delete(slot.ok_or_else(|| format!("nobody owes {caller} an answer"))?)?;
        if let Some(caller) = after.thread_mut(caller) {
            caller.doing = Doing::Running;
        }
        self.enter(after);
        Ok(())
    }

    fn event(&mut self, record: Record) -> Result<(), String> {
        let Record { stream, event: kind, iova, .. } = record;
        match explain(&self.state, &record) {
            Explained::Yes => self.summary.events += 1,
            Explained::NotModelled => self.summary.unmodelled_events += 1,
            Explained::No(why) => {
                if !self.past.iter().any(|past| explain(past, &record) == Explained::Yes) {
                    let name = sluice_abi::smmu::event::name(kind).unwrap_or("an event of unknown type");
                    return Err(format!(
                        "stream {stream} caused {name} at {:#x}: {why}, nor was it otherwise lately",
                        iova.0
                    ));
                }
                self.summary.late_events += 1;
            }
        }
        let after = self.state.after_event(&Event::Reports(vec![record])).state;
        self.enter(after);
        Ok(())
    }
}

/// Whether an answer depends on what is not in the log: registers of threads and guests, errors of the SMMUs themselves.
fn is_unheard(label: Option<Label>) -> bool {
    matches!(label, Some(Label::TcbReadRegisters | Label::VcpuReadReg | Label::SidControlGetFault))
}

fn is_refusal(refused: &Refused, number: u64, answer: &[u64]) -> bool {
    let (error, words) = refused.answer();
    error as u64 == number && words == answer
}

fn is_same(begun: &Call, call: &Call) -> bool {
    Call { ending: call.ending, answer: call.answer.clone(), ..begun.clone() } == *call
}

fn error_name(number: u64) -> String {
    let error = Error::ALL.into_iter().find(|error| *error as u64 == number);
    error.map_or_else(|| format!("error {number}"), |error| format!("{error:?}"))
}

fn describe(state: &State, call: &Call, label: Option<Label>, slot: Slot, caps: &[Slot]) -> String {
    let asked = label.map_or_else(|| format!("label {:#x}", call.label), |label| format!("{label:?}"));
    let held = |slot: &Slot| format!("{:?} in {slot:?}", state.cap(*slot));
    let caps: Vec<String> = caps.iter().map(held).collect();
    format!(
        "thread {} asks {asked} of {} with the words {:x?} and the capabilities [{}]",
        call.thread,
        held(&slot),
        call.words,
        caps.join(", ")
    )
}
