//! A transaction: configuration, substream, translation, and what becomes of a fault (IHI 0070, 3.3, 3.9 and 3.12).

use sluice_abi::smmu::event;
use sluice_abi::{Iova, PhysAddr};

use crate::Model;
use crate::cd::{Context, Descriptor};
use crate::descriptor::Access;
use crate::events::{Report, Subject};
use crate::identity::StallModel;
use crate::regime::Stage;
use crate::state::State;
use crate::ste::{Default, Entry, Stage1, Stream, Translated};
use crate::stream_table::Found;
use crate::translate::Fetch;
use crate::walk::{Fault, Look, add};

/// What a device asks of an SMMU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// The stream.
    pub sid: u32,
    /// The substream, where the device gives one.
    pub ssid: Option<u32>,
    /// The address.
    pub address: Iova,
    /// A write; otherwise a read.
    pub write: bool,
    /// The read fetches an instruction.
    pub instruction: bool,
    /// The device calls it privileged.
    pub privileged: bool,
}

impl Transaction {
    /// An unprivileged data access without a substream.
    #[must_use]
    pub const fn new(sid: u32, address: Iova, write: bool) -> Self {
        Self { sid, ssid: None, address, write, instruction: false, privileged: false }
    }
}

/// Why a transaction did not reach memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Abort {
    /// Silently, because configuration says so.
    Configured,
    /// With this event.
    Event(u64),
    /// It reads zero or writes nothing, and the device sees no error.
    Ignored,
    /// It waits for RESUME with this tag.
    Stalled(u16),
}

/// What an SMMU may make of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Outcome {
    /// The memory it reaches, or why none.
    pub result: Result<PhysAddr, Abort>,
    /// The event recorded. The tag of a stalled transaction is 0 here.
    pub record: Option<[u64; 4]>,
}

/// How a transaction ended, before anything is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Reaches(u64),
    /// Aborts with this event, or without one.
    Aborts(Option<Report>),
    /// As configured, for a fault that is not to be seen by the device; recorded or not.
    Ignored(Option<Report>),
    Stalls(Report),
}

impl Model {
    /// One unprivileged data access of a stream, as the caches and then memory say.
    ///
    /// # Errors
    /// Why it did not reach memory.
    pub fn access(&self, sid: u32, iova: Iova, write: bool) -> Result<PhysAddr, Abort> {
        self.transact(&Transaction::new(sid, iova, write))
    }

    /// One transaction, as the caches and then memory say; what was fetched is cached, and a fault is recorded.
    ///
    /// # Errors
    /// Why it did not reach memory.
    pub fn transact(&self, transaction: &Transaction) -> Result<PhysAddr, Abort> {
        self.state.borrow_mut().transact(transaction)
    }

    /// Everything an SMMU may make of a transaction now, whatever it cached when. Nothing is cached or recorded.
    #[must_use]
    pub fn permitted(&self, transaction: &Transaction) -> Vec<Outcome> {
        let state = self.state.borrow();
        let mut outcomes = Vec::new();
        for verdict in state.all_verdicts(transaction) {
            add(&mut outcomes, state.outcome(verdict));
        }
        outcomes
    }
}

impl State {
    pub(crate) fn transact(&mut self, transaction: &Transaction) -> Result<PhysAddr, Abort> {
        match self.verdict(transaction) {
            Verdict::Reaches(address) => Ok(PhysAddr(address)),
            Verdict::Aborts(None) => Err(Abort::Configured),
            Verdict::Aborts(Some(report)) => {
                self.report(&report, 0);
                Err(Abort::Event(report.kind))
            }
            Verdict::Ignored(report) => {
                report.iter().for_each(|report| self.report(report, 0));
                Err(Abort::Ignored)
            }
            Verdict::Stalls(report) => {
                let tag = self.stalled.add(*transaction);
                self.report(&report, tag);
                Err(Abort::Stalled(tag))
            }
        }
    }

    fn outcome(&self, verdict: Verdict) -> Outcome {
        let words = |report: Report| self.is_recorded(&report).then(|| report.words(0));
        match verdict {
            Verdict::Reaches(address) => Outcome { result: Ok(PhysAddr(address)), record: None },
            Verdict::Aborts(None) => Outcome { result: Err(Abort::Configured), record: None },
            Verdict::Aborts(Some(report)) => Outcome { result: Err(Abort::Event(report.kind)), record: words(report) },
            Verdict::Ignored(report) => Outcome { result: Err(Abort::Ignored), record: report.and_then(words) },
            Verdict::Stalls(report) => Outcome { result: Err(Abort::Stalled(0)), record: words(report) },
        }
    }

    /// The verdict of what is known longest; what was fetched is cached.
    fn verdict(&mut self, transaction: &Transaction) -> Verdict {
        if let Some(verdict) = self.while_disabled(transaction) {
            return verdict;
        }
        let found = self.fetch_entry(transaction.sid);
        let mut look = Look::new(self);
        let verdict = look.verdicts(transaction, found)[0];
        let fetched = std::mem::take(look.fetched.get_mut());
        let contexts = std::mem::take(look.contexts.get_mut());
        drop(look);
        self.cache(fetched, contexts);
        verdict
    }

    fn all_verdicts(&self, transaction: &Transaction) -> Vec<Verdict> {
        if let Some(verdict) = self.while_disabled(transaction) {
            return vec![verdict];
        }
        let look = Look::new(self);
        let entries = self.possible_entries(transaction.sid).into_iter().map(Found::Entry);
        let mut verdicts = Vec::new();
        for found in entries.chain(self.possible_misses(transaction.sid)) {
            look.verdicts(transaction, found).into_iter().for_each(|verdict| add(&mut verdicts, verdict));
        }
        verdicts
    }

    fn while_disabled(&self, transaction: &Transaction) -> Option<Verdict> {
        let reached =
            if self.registers.bypassed() { Verdict::Reaches(transaction.address.0) } else { Verdict::Aborts(None) };
        (!self.registers.enabled()).then_some(reached)
    }
}

impl Look<'_> {
    fn verdicts(&self, transaction: &Transaction, found: Found<Entry>) -> Vec<Verdict> {
        let configuration = |kind, fetch| vec![Verdict::Aborts(Some(Report::configuration(kind, transaction, fetch)))];
        let entry = match found {
            Found::Entry(entry) => entry,
            Found::OutOfRange => return configuration(event::C_BAD_STREAMID, 0),
            Found::NoMemory(at) => return configuration(event::F_STE_FETCH, at),
        };
        let stream = match self.state.registers.identity.stream(&entry) {
            Stream::Abort => return vec![Verdict::Aborts(None)],
            Stream::Illegal => return configuration(event::C_BAD_STE, 0),
            Stream::Translated(stream) => stream,
        };
        let (instruction, privileged) =
            stream.attributes(transaction.write, transaction.instruction, transaction.privileged);
        let access = Access { write: transaction.write, instruction, privileged };
        let subject = Subject { transaction: *transaction, access };
        let Some(stage1) = &stream.stage1 else {
            if transaction.ssid.is_some() {
                return configuration(event::C_BAD_SUBSTREAMID, 0);
            }
            return self.finished(&stream, None, &subject, self.without_stage1(&stream, transaction.address.0, access));
        };
        match substream(stage1, transaction.ssid) {
            Substream::Bypass => {
                let results = self.without_stage1(&stream, transaction.address.0, access);
                self.finished(&stream, None, &subject, results)
            }
            Substream::Refused(kind) => configuration(kind, 0),
            Substream::Number(ssid) => self.stage1_verdicts(&stream, stage1, &subject, ssid),
        }
    }

    fn stage1_verdicts(&self, stream: &Translated, stage1: &Stage1, subject: &Subject, ssid: u32) -> Vec<Verdict> {
        let transaction = &subject.transaction;
        let mut verdicts = Vec::new();
        for fetch in self.descriptors(transaction.sid, stream, stage1, ssid) {
            let bad = |kind, fetch| Verdict::Aborts(Some(Report::configuration(kind, transaction, fetch)));
            match fetch {
                Fetch::Words(words) => {
                    self.contexts.borrow_mut().push(((transaction.sid, ssid), words));
                    self.described(stream, stage1, subject, &words)
                        .into_iter()
                        .for_each(|verdict| add(&mut verdicts, verdict));
                }
                Fetch::OutOfRange => add(&mut verdicts, bad(event::C_BAD_SUBSTREAMID, 0)),
                Fetch::NoMemory(at) => add(&mut verdicts, bad(event::F_CD_FETCH, at)),
                Fetch::Fault(fault) => {
                    let results = vec![Err(fault)];
                    self.finished(stream, None, subject, results)
                        .into_iter()
                        .for_each(|verdict| add(&mut verdicts, verdict));
                }
            }
        }
        verdicts
    }

    fn described(&self, stream: &Translated, stage1: &Stage1, subject: &Subject, words: &Descriptor) -> Vec<Verdict> {
        let transaction = &subject.transaction;
        let Some(context) = self.state.registers.identity.context(words, stage1.never_stalls) else {
            let report = Report::configuration(event::C_BAD_CD, transaction, 0);
            return vec![Verdict::Aborts(Some(report))];
        };
        let results = self.with_stage1(stream, &context, transaction.address.0, subject.access);
        self.finished(stream, Some(&context), subject, results)
    }

    /// What becomes of faults: the stage that faults says whether they are recorded, and whether they stall.
    fn finished(
        &self,
        stream: &Translated,
        context: Option<&Context>,
        subject: &Subject,
        results: Vec<Result<u64, Fault>>,
    ) -> Vec<Verdict> {
        let verdict = |fault: Fault| {
            let report = Report::fault(subject, &fault);
            if fault.kind == event::F_WALK_EABT {
                return Verdict::Aborts(Some(report));
            }
            let (records, stalls, aborts) = match (fault.stage, context, &stream.stage2) {
                (Stage::One, Some(context), _) => (context.records, context.stalls, context.aborts),
                (Stage::Two, _, Some(stage2)) => (stage2.records, stage2.stalls, true),
                (Stage::One, None, _) | (Stage::Two, _, None) => (true, false, true),
            };
            if stalls && self.state.registers.identity.stall_model() != StallModel::Never {
                return Verdict::Stalls(report.stalled());
            }
            let report = records.then_some(report);
            if aborts { Verdict::Aborts(report) } else { Verdict::Ignored(report) }
        };
        results.into_iter().map(|result| result.map_or_else(verdict, Verdict::Reaches)).collect()
    }
}

/// Which context descriptor serves a transaction (3.9; 5.2, S1DSS).
enum Substream {
    Number(u32),
    Bypass,
    Refused(u64),
}

fn substream(stage1: &Stage1, given: Option<u32>) -> Substream {
    match (given, stage1.default) {
        (None, _) if stage1.substream_bits == 0 => Substream::Number(0),
        (None, Default::Terminate) => Substream::Refused(event::F_STREAM_DISABLED),
        (None, Default::Bypass) => Substream::Bypass,
        (None, Default::Substream0) => Substream::Number(0),
        (Some(_), _) if stage1.substream_bits == 0 => Substream::Refused(event::C_BAD_SUBSTREAMID),
        (Some(0), Default::Substream0) => Substream::Refused(event::C_BAD_SUBSTREAMID),
        (Some(ssid), _) if u64::from(ssid) >> stage1.substream_bits != 0 => {
            Substream::Refused(event::C_BAD_SUBSTREAMID)
        }
        (Some(ssid), _) => Substream::Number(ssid),
    }
}
