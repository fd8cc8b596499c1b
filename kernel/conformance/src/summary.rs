//! What a replay came to.

use std::collections::BTreeMap;
use std::fmt;

use sluice_abi::Label;

/// Counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Lines read.
    pub lines: usize,
    /// Calls, by label.
    pub calls: BTreeMap<u64, u64>,
    /// Calls that both sides accepted and answered alike, and whose step was made.
    pub compared: u64,
    /// Those, by label.
    pub accepted: BTreeMap<u64, u64>,
    /// Calls that both sides refused with the same error and the same words.
    pub refused: u64,
    /// Calls that started over, which the abstract machine accepted as well.
    pub preempted: u64,
    /// Preempted calls whose thread was given other things to do.
    pub abandoned: u64,
    /// Accepted calls whose answer was not compared, by label: it depends on what is not in the log.
    pub unheard: BTreeMap<u64, u64>,
    /// Reply capabilities given.
    pub owed: u64,
    /// Capabilities passed along messages.
    pub passed: u64,
    /// Threads that stopped.
    pub faults: u64,
    /// Events that the state at their line explains.
    pub events: u64,
    /// Events that only a state shortly before explains: they waited in the queue meanwhile.
    pub late_events: u64,
    /// Events about what is not modelled.
    pub unmodelled_events: u64,
    /// Invariants evaluated, each in as many states.
    pub invariants: usize,
    /// States they were evaluated in.
    pub states: u64,
}

fn list(f: &mut fmt::Formatter<'_>, counts: &BTreeMap<u64, u64>) -> fmt::Result {
    for (index, (label, count)) in counts.iter().enumerate() {
        f.write_str(if index == 0 { " " } else { ", " })?;
        match Label::from_word(*label) {
            Some(label) => write!(f, "{label:?} {count}")?,
            None => write!(f, "label {label:#x} {count}")?,
        }
    }
    writeln!(f)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unheard: u64 = self.unheard.values().sum();
        writeln!(f, "lines        {}", self.lines)?;
        write!(f, "calls        {}:", self.calls.values().sum::<u64>())?;
        list(f, &self.calls)?;
        let Self { compared, refused, preempted, abandoned, owed, passed, faults, .. } = self;
        writeln!(f, "compared     {compared} accepted alike, {refused} refused alike, {preempted} preempted")?;
        write!(f, "accepted    ")?;
        list(f, &self.accepted)?;
        writeln!(f, "abandoned    {abandoned} of those preempted")?;
        write!(f, "not heard    {unheard} answers:")?;
        list(f, &self.unheard)?;
        writeln!(f, "messages     {owed} replies owed, {passed} capabilities passed")?;
        writeln!(f, "faults       {faults} of threads")?;
        let Self { events, late_events, unmodelled_events, invariants, states, .. } = self;
        writeln!(f, "events       {events} explained, {late_events} late, {unmodelled_events} not modelled")?;
        write!(f, "invariants   {invariants} hold in {states} states")
    }
}
