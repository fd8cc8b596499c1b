//! The replay, line by line.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use sluice_abi::smmu::StreamId;
use sluice_abi::{Error, Label, PhysAddr};
use sluice_abstract::{Cap, Held, Invocation, Object, Refusal, Rights, Slot, Smmu, State, invariant, step};

use crate::demand::{Demand, Effect, Message};
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

/// What the abstract machine makes of a call.
enum Answer {
    State(State),
    Refused(Error),
    NotModelled(Option<State>),
}

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
    /// Threads that stopped; an answer to the fault, which is not in the log, may let one go on.
    faulted: BTreeSet<PhysAddr>,
    summary: Summary,
}

impl Replay {
    fn follow(&mut self, line: Line) -> Result<(), String> {
        let at_boot = matches!(line, Line::Smmu { .. } | Line::Table { .. } | Line::Cap { .. } | Line::Start(_));
        if at_boot == self.started {
            return Err(
                if at_boot { "this belongs before the start" } else { "this belongs after the start" }.to_owned()
            );
        }
        match line {
            Line::Smmu { number, streams, contexts } => {
                self.state.smmus.insert(number, Smmu { streams, contexts, tables: BTreeSet::new() });
            }
            Line::Table { number, first } => {
                let smmu = self.state.smmus.get_mut(&number).ok_or("a table of no SMMU")?;
                smmu.tables.insert(first);
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
                self.faulted.insert(thread);
                self.summary.faults += 1;
            }
            Line::Event { stream, kind, iova } => self.event(stream, kind, iova)?,
        }
        Ok(())
    }

    fn check_invariants(&mut self) -> Result<(), String> {
        self.summary.invariants = invariant::ALL.len();
        self.summary.states += 1;
        match invariant::broken(&self.state) {
            None => Ok(()),
            Some(name) => Err(format!("after this line the invariant {name} does not hold")),
        }
    }

    fn expect_runnable(&self, thread: PhysAddr) -> Result<(), String> {
        match self.state.objects.get(&thread) {
            Some(Object::Thread(found)) if found.runnable || self.faulted.contains(&thread) => Ok(()),
            Some(Object::Thread(_)) => Err(format!("the thread {thread} runs, and nobody has let it")),
            Some(_) | None => Err(format!("there is no thread {thread}")),
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
        let message = Message { state: &self.state, slot, label, words: &call.words, caps: &caps };
        let disagree = |abstractly: String| {
            let kernel = match call.ending {
                Ending::Accepted => "accepts".to_owned(),
                Ending::Refused(error) => format!("refuses with {}", error_name(error)),
                Ending::Preempted => "accepts, and is interrupted".to_owned(),
            };
            let words = describe(&self.state, &call, label, slot, &caps);
            Err(format!("{words}\n  the kernel {kernel}\n  the abstract machine {abstractly}"))
        };
        let answer = match self.answer(&call, &message) {
            Ok(answer) => answer,
            Err(what) => return disagree(what),
        };
        match (answer, call.ending) {
            (Answer::NotModelled(after), ending) => {
                *self.summary.unmodelled.entry(call.label).or_default() += 1;
                self.forget_interrupted(slot, label, ending);
                if let (Some(after), Ending::Accepted) = (after, ending) {
                    self.enter(after);
                }
            }
            (Answer::State(after), Ending::Accepted) => {
                self.summary.compared += 1;
                self.enter(after);
            }
            (Answer::State(_), Ending::Preempted) => {
                self.summary.preempted += 1;
                self.pending.insert(call.thread, (self.line, call));
            }
            (Answer::State(_), Ending::Refused(_)) => return disagree("accepts".to_owned()),
            (Answer::Refused(error), Ending::Refused(number)) if error as u64 == number => self.summary.refused += 1,
            (Answer::Refused(error), _) => return disagree(format!("refuses with {error:?}")),
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

    /// # Errors
    /// What the abstract machine says to a call that the kernel should not have accepted or that cannot be followed.
    fn answer(&self, call: &Call, message: &Message<'_>) -> Result<Answer, String> {
        let accepted = call.ending == Ending::Accepted;
        Ok(match message.demand() {
            Err(error) => Answer::Refused(error),
            Ok(Demand::Step(invocation)) => match step(&self.state, call.thread, &invocation) {
                Ok(after) => Answer::State(after),
                Err(Refusal::Error(error)) => Answer::Refused(error),
                Err(Refusal::OutOfReach(slot)) => return Err(format!("finds {slot:?} out of the thread's reach")),
            },
            Ok(Demand::Steps(steps)) => match self.after(&steps) {
                Ok(after) => Answer::State(after),
                Err(error) => Answer::Refused(error),
            },
            Ok(Demand::Unknown) if accepted => return Err("cannot follow this".to_owned()),
            Ok(Demand::Unknown) => Answer::NotModelled(None),
            Ok(Demand::Beside(effect)) if accepted => Answer::NotModelled(self.effect(&effect)?),
            Ok(Demand::Beside(_)) => Answer::NotModelled(None),
        })
    }

    fn after(&self, steps: &[Invocation]) -> Result<State, Error> {
        steps.iter().try_fold(self.state.clone(), |state, step| state.after(step))
    }

    fn effect(&self, effect: &Effect) -> Result<Option<State>, String> {
        match effect {
            Effect::Steps(steps) if steps.is_empty() => Ok(None),
            Effect::Steps(steps) => self.after(steps).map(Some).map_err(|error| format!("refuses with {error:?}")),
            Effect::Handler { control, dest, intid } => {
                let dest = dest.map_err(|error| format!("refuses with {error:?}"))?;
                let mut after = self.state.clone();
                let held = Held { cap: Cap::IrqHandler(*intid), parent: Some(*control), original: true };
                after.slots.insert(dest, held);
                Ok(Some(after))
            }
            Effect::Streams(first) => {
                let mut after = self.state.clone();
                let smmu = after.smmus.get_mut(&first.smmu).ok_or("knows no such SMMU")?;
                smmu.tables.insert(first.sid);
                Ok(Some(after))
            }
        }
    }

    /// A thread whose registers are written does not start its interrupted call over.
    fn forget_interrupted(&mut self, slot: Slot, label: Option<Label>, ending: Ending) {
        let rewritten = matches!(label, Some(Label::TcbWriteRegisters | Label::TcbCopyRegisters));
        if let (Some(Cap::Thread(thread)), true, Ending::Accepted) = (self.state.cap(slot), rewritten, ending)
            && self.pending.remove(&thread).is_some()
        {
            self.summary.abandoned += 1;
        }
    }

    fn pass(&mut self, source: PhysAddr, dest: PhysAddr) -> Result<(), String> {
        let find = |at| slot_at(&self.state, at).ok_or_else(|| format!("there is no slot at {at}"));
        let (source, dest) = (find(source)?, find(dest)?);
        let copy = Invocation::Copy { source, dest, rights: Rights::ALL };
        let after = self.state.after(&copy).map_err(|error| {
            format!(
                "a message carries {:?} from {source:?} to {dest:?}\n  the kernel passes it on\n  \
                 the abstract machine refuses with {error:?}",
                self.state.cap(source)
            )
        })?;
        self.summary.passed += 1;
        self.enter(after);
        Ok(())
    }

    fn event(&mut self, stream: StreamId, kind: u64, iova: u64) -> Result<(), String> {
        match explain(&self.state, stream, kind, iova) {
            Explained::Yes => self.summary.events += 1,
            Explained::NotModelled => self.summary.unmodelled_events += 1,
            Explained::No(why) => {
                if !self.past.iter().any(|past| explain(past, stream, kind, iova) == Explained::Yes) {
                    let name = sluice_abi::smmu::event::name(kind).unwrap_or("an event of unknown type");
                    return Err(format!(
                        "stream {stream} caused {name} at {iova:#x}: {why}, nor was it otherwise lately"
                    ));
                }
                self.summary.late_events += 1;
            }
        }
        Ok(())
    }
}

fn is_same(begun: &Call, call: &Call) -> bool {
    Call { ending: call.ending, ..begun.clone() } == *call
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
