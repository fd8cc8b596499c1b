//! From a message to what it asks for, by the interface's own rules: number of words and capabilities, paths of slots,
//! order in which faults are found.
#![expect(clippy::wildcard_enum_match_arm, reason = "labels of other objects are refused alike, whatever is added")]

mod cnode;
mod memory;
mod stream;
mod thread;

use sluice_abi::smmu::StreamId;
use sluice_abi::{Error, Label, PhysAddr};
use sluice_abstract::{Cap, Invocation, Slot, State};

use crate::place::lookup;

/// No object is here: stands for what could not be found, where the interface finds other faults first.
const NO_OBJECT: PhysAddr = PhysAddr(u64::MAX);
const NOWHERE: Slot = Slot::Node { node: NO_OBJECT, index: 0 };

/// What a message asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Demand {
    /// A step of the abstract machine.
    Step(Invocation),
    /// What several steps make up, among them such as fill a thread's own slots.
    Steps(Vec<Invocation>),
    /// Something the abstract machine knows nothing of, so that its answer is not compared.
    Beside(Effect),
    /// Something that changes what the abstract machine speaks of in a way it cannot follow.
    Unknown,
}

/// What a call that is not modelled changes all the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// What these steps do; often there is none.
    Steps(Vec<Invocation>),
    /// A capability to an interrupt.
    Handler {
        /// Slot of the control capability.
        control: Slot,
        /// The slot to fill, or why there is none: then the kernel must refuse.
        dest: Result<Slot, Error>,
        /// The interrupt.
        intid: u32,
    },
    /// A table of streams from this one on.
    Streams(StreamId),
}

impl Effect {
    const NONE: Self = Self::Steps(Vec::new());
}

/// A message, its slots found.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
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

type Demanded = Result<Demand, Error>;

impl Message<'_> {
    /// What it asks for.
    ///
    /// # Errors
    /// With what it must be refused.
    pub fn demand(&self) -> Demanded {
        match self.state.cap(self.slot).ok_or(Error::InvalidCapability)? {
            Cap::Endpoint { rights, .. } | Cap::Notification { rights, .. } if rights.write => {
                Ok(Demand::Beside(Effect::NONE))
            }
            Cap::Endpoint { .. } | Cap::Notification { .. } => Err(Error::InvalidCapability),
            Cap::Untyped { .. } => self.of_untyped(),
            Cap::CNode { .. } => self.of_cnode(),
            Cap::Thread(thread) => self.of_thread(thread),
            Cap::Frame { .. } => self.of_frame(),
            Cap::PageTable { .. } => self.of_page_table(),
            Cap::VSpace { .. } => self.only(&memory::MAINTENANCE),
            Cap::AsidControl => self.of_asid_control(),
            Cap::AsidPool { .. } => self.of_asid_pool(),
            Cap::SidControl => self.of_sid_control(),
            Cap::Sid(_) => self.of_sid(),
            Cap::CbControl => self.of_cb_control(),
            Cap::Cb(context) => self.of_cb(context),
            Cap::StreamTable(_) => Err(Error::IllegalOperation),
            Cap::IrqControl => self.of_irq_control(),
            Cap::IrqHandler(_) => self.of_irq_handler(),
            Cap::Domain => {
                self.only(&[Label::DomainSetSet, Label::DomainScheduleConfigure, Label::DomainScheduleSetStart])
            }
            Cap::Vcpu(_) => self.only(&[
                Label::VcpuSetTcb,
                Label::VcpuInjectIrq,
                Label::VcpuReadReg,
                Label::VcpuWriteReg,
                Label::VcpuAckVppi,
            ]),
            Cap::SgiSignal { .. } => Ok(Demand::Beside(Effect::NONE)),
        }
    }

    /// Nothing that is modelled, if the label is one of these.
    fn only(&self, labels: &[Label]) -> Demanded {
        let known = self.label.is_some_and(|label| labels.contains(&label));
        if known { Ok(Demand::Beside(Effect::NONE)) } else { Err(Error::IllegalOperation) }
    }

    fn expect(&self, words: usize, caps: usize) -> Result<(), Error> {
        if self.words.len() < words || self.caps.len() < caps { Err(Error::TruncatedMessage) } else { Ok(()) }
    }

    fn extra(&self, index: usize) -> Result<Slot, Error> {
        self.caps.get(index).copied().ok_or(Error::TruncatedMessage)
    }

    /// The slot that words `first` and the next name below capability `root`, once the message is known to have them.
    fn path(&self, root: usize, first: usize) -> Result<Slot, Error> {
        lookup(self.state, self.state.cap(self.extra(root)?), self.words[first], self.words[first + 1])
    }

    /// A step whose destination is looked up last: whatever else is wrong with it comes first.
    fn with_late_dest(&self, dest: Result<Slot, Error>, make: impl Fn(Slot) -> Invocation) -> Demanded {
        match dest {
            Ok(dest) => Ok(Demand::Step(make(dest))),
            Err(failed) => self.state.after(&make(NOWHERE)).and(Err(failed)),
        }
    }

    fn of_irq_control(&self) -> Demanded {
        let words = match self.label {
            Some(Label::IrqControlGet) => 3,
            Some(Label::IrqControlGetTrigger) => 4,
            _ => return Err(Error::IllegalOperation),
        };
        self.expect(words, 1)?;
        let intid = u32::try_from(self.words[0]).map_err(|_| Error::RangeError)?;
        let issued = self.state.slots.values().any(|held| held.cap == Cap::IrqHandler(intid));
        let free = |slot| if self.state.cap(slot).is_some() { Err(Error::DeleteFirst) } else { Ok(slot) };
        let dest = if issued { Err(Error::RevokeFirst) } else { self.path(0, words - 2).and_then(free) };
        Ok(Demand::Beside(Effect::Handler { control: self.slot, dest, intid }))
    }

    fn of_irq_handler(&self) -> Demanded {
        if self.label == Some(Label::IrqHandlerSetNotification) {
            let source = self.extra(0)?;
            if !matches!(self.state.cap(source), Some(Cap::Notification { rights, .. }) if rights.write) {
                return Err(Error::InvalidCapability);
            }
        }
        self.only(&[Label::IrqHandlerAck, Label::IrqHandlerSetNotification, Label::IrqHandlerClear])
    }
}
