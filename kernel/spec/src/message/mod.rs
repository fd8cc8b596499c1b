//! From a message to what it asks for, by the interface's own rules: number of words and capabilities, paths of slots,
//! the order in which faults are found.
#![expect(clippy::wildcard_enum_match_arm, reason = "labels of other objects are refused alike, whatever is added")]

mod cnode;
mod interrupt;
mod memory;
mod stream;
mod thread;
mod vcpu;

use sluice_abi::{CapRights, Label, LookupFailure};

use crate::{Cap, Invocation, Refused, Rights, Slot, State};

/// A message to a kernel object, its capability pointers followed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The state it meets.
    pub state: &'a State,
    /// Slot of the invoked capability.
    pub slot: Slot,
    /// Its label, if that means anything.
    pub label: Option<Label>,
    /// Its words.
    pub words: &'a [u64],
    /// Slots of its capabilities.
    pub caps: &'a [Slot],
}

type Decoded = Result<Invocation, Refused>;

impl Request<'_> {
    /// What it asks for.
    ///
    /// # Errors
    /// With what it must be refused.
    pub fn decode(&self) -> Decoded {
        match self.state.cap(self.slot).ok_or(Refused::InvalidCapability(0))? {
            // Who may send there does, instead.
            Cap::Endpoint { .. } | Cap::Notification { .. } | Cap::Reply { .. } | Cap::Dying { .. } => {
                Err(Refused::InvalidCapability(0))
            }
            Cap::Untyped { .. } => self.of_untyped(),
            Cap::CNode { .. } => self.of_cnode(),
            Cap::Thread(_) => self.of_thread(),
            Cap::Frame { .. } => self.of_frame(),
            Cap::PageTable { .. } => self.of_page_table(),
            Cap::VSpace { .. } => self.of_vspace(),
            Cap::AsidControl => self.of_asid_control(),
            Cap::AsidPool { .. } => self.of_asid_pool(),
            Cap::SidControl => self.of_sid_control(),
            Cap::Sid(stream) => self.of_sid(stream),
            Cap::CbControl => self.of_cb_control(),
            Cap::Cb(_) => self.of_cb(),
            Cap::StreamTable { .. } => Err(Refused::IllegalOperation),
            Cap::IrqControl => self.of_irq_control(),
            Cap::IrqHandler(_) => self.of_irq_handler(),
            Cap::Domain => self.of_domain(),
            Cap::SgiSignal { .. } => Ok(Invocation::SendSgi(self.slot)),
            Cap::Vcpu(_) => self.of_vcpu(),
        }
    }

    fn expect(&self, words: usize, caps: usize) -> Result<(), Refused> {
        if self.words.len() < words || self.caps.len() < caps { Err(Refused::Truncated) } else { Ok(()) }
    }

    fn extra(&self, index: usize) -> Result<Slot, Refused> {
        self.caps.get(index).copied().ok_or(Refused::Truncated)
    }

    /// The slot that words `first` and the next name below capability `root`, once the message is known to have them.
    fn path(&self, root: usize, first: usize) -> Result<Slot, Refused> {
        self.state.lookup_path(false, self.state.cap(self.extra(root)?), self.words[first], self.words[first + 1])
    }

    /// As [`Self::path`], for what is to be copied or moved.
    fn source_path(&self, root: usize, first: usize) -> Result<Slot, Refused> {
        self.state.lookup_path(true, self.state.cap(self.extra(root)?), self.words[first], self.words[first + 1])
    }

    /// That something is in a slot that `depth` bits led to.
    fn expect_full(&self, slot: Slot, source: bool, depth: u64) -> Result<(), Refused> {
        let failure = LookupFailure::MissingCapability { bits_left: depth };
        self.state.cap(slot).map(|_| ()).ok_or(Refused::FailedLookup { source, failure })
    }

    /// An invocation whose destination is looked up last: whatever else is wrong with it comes first.
    fn with_late_dest(&self, dest: Result<Slot, Refused>, make: impl Fn(Slot) -> Invocation) -> Decoded {
        match dest {
            Ok(dest) => Ok(make(dest)),
            Err(failed) => self.state.after(crate::name::NO_OBJECT, &make(Slot::NOWHERE)).and(Err(failed)),
        }
    }

    fn of_domain(&self) -> Decoded {
        let control = self.slot;
        match self.label {
            Some(Label::DomainSetSet) => {
                self.expect(1, 0)?;
                let domain = self.words[0];
                if domain >= sluice_abi::NUM_DOMAINS {
                    return Err(Refused::InvalidArgument(0));
                }
                Ok(Invocation::SetDomain { control, thread: self.extra(0)?, domain })
            }
            Some(Label::DomainScheduleConfigure) => {
                self.expect(3, 0)?;
                let (index, domain, ticks) = (self.words[0], self.words[1], self.words[2]);
                Ok(Invocation::ConfigureDomains { control, index, domain, ticks })
            }
            Some(Label::DomainScheduleSetStart) => {
                self.expect(1, 0)?;
                Ok(Invocation::StartDomains { control, index: self.words[0] })
            }
            _ => Err(Refused::IllegalOperation),
        }
    }
}

/// Rights named by their bits.
#[must_use]
pub fn rights(bits: u64) -> Rights {
    let rights = CapRights::from_bits_truncate(bits);
    Rights {
        read: rights.contains(CapRights::READ),
        write: rights.contains(CapRights::WRITE),
        grant: rights.contains(CapRights::GRANT),
        grant_reply: rights.contains(CapRights::GRANT_REPLY),
    }
}
