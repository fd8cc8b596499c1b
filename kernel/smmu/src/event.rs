//! Event records as values (IHI 0070, 7.3).

use sluice_abi::Iova;
use sluice_abi::smmu::{Record, StreamId, event};

use crate::regs::{EVT0, EVT1, EVT3};

/// What the SMMU was doing when a translation faulted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Fetching a context descriptor.
    ContextDescriptor,
    /// Walking a stage-1 table.
    TableWalk,
    /// Translating the transaction's own address.
    Input,
    /// A value the architecture reserves.
    Reserved,
}

/// One event. Physical addresses that a record may hold (FetchAddr) are not decoded, so they cannot leave the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Event number, see [`sluice_abi::smmu::event`].
    pub kind: u64,
    /// The stream.
    pub sid: u32,
    /// The substream, where the transaction had one.
    pub ssid: Option<u32>,
    /// Address the device used, 0 where the record has none.
    pub iova: Iova,
    /// Intermediate address, where stage 2 faulted.
    pub ipa: Option<u64>,
    /// The access was a read.
    pub read: bool,
    /// The access was an instruction fetch.
    pub instruction: bool,
    /// The access was privileged.
    pub privileged: bool,
    /// Stage 2 faulted.
    pub stage2: bool,
    /// The transaction waits for a decision.
    pub stalled: bool,
    /// What was being done, for translation faults.
    pub class: Option<Class>,
}

/// Which words of a record mean something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// The stream.
    Stream,
    /// And an address.
    Address,
    /// And the direction.
    Direction,
    /// And all attributes of the access.
    Access,
    /// And where the walk was, without an intermediate address.
    Walk,
    /// And the intermediate address, when stage 2 faulted (it is UNKNOWN otherwise).
    Fault,
}

impl Shape {
    /// IMPLEMENTATION DEFINED and reserved events count as being about a stream only.
    const fn of(kind: u64) -> Self {
        match kind {
            event::F_BAD_ATS_TREQ | event::E_PAGE_REQUEST => Self::Address,
            event::F_TRANSL_FORBIDDEN => Self::Direction,
            event::F_UUT => Self::Access,
            event::F_WALK_EABT => Self::Walk,
            event::F_TRANSLATION
            | event::F_ADDR_SIZE
            | event::F_ACCESS
            | event::F_PERMISSION
            | event::F_TLB_CONFLICT => Self::Fault,
            _ => Self::Stream,
        }
    }
}

impl Event {
    /// Decodes a record.
    #[must_use]
    pub fn decode([word0, word1, word2, word3]: [u64; 4]) -> Self {
        let kind = EVT0::KIND.read(word0);
        let shape = Shape::of(kind);
        let access = matches!(shape, Shape::Access | Shape::Walk | Shape::Fault);
        let walk = matches!(shape, Shape::Walk | Shape::Fault);
        let stage2 = walk && EVT1::S2.is_set(word1);
        // C_BAD_SUBSTREAMID has no SSV: the number is what it is about (7.3.9).
        let substream = EVT0::SSV.is_set(word0) || kind == event::C_BAD_SUBSTREAMID;
        Self {
            kind,
            sid: EVT0::SID.read(word0) as u32,
            ssid: substream.then(|| EVT0::SSID.read(word0) as u32),
            iova: Iova(if shape == Shape::Stream { 0 } else { word2 }),
            ipa: (shape == Shape::Fault && stage2).then(|| EVT3::IPA.read(word3) << EVT3::IPA.shift),
            read: (access || shape == Shape::Direction) && EVT1::RNW.is_set(word1),
            instruction: access && EVT1::IND.is_set(word1),
            privileged: access && EVT1::PNU.is_set(word1),
            stage2,
            stalled: walk && EVT1::STALL.is_set(word1),
            class: walk.then(|| match EVT1::CLASS.read(word1) {
                0 => Class::ContextDescriptor,
                1 => Class::TableWalk,
                2 => Class::Input,
                _ => Class::Reserved,
            }),
        }
    }

    /// The event as a message carries it, from SMMU number `smmu`, `dropped` records after the last one delivered.
    #[must_use]
    pub fn record(&self, smmu: u8, dropped: u64) -> Record {
        let flag = |set, bit| if set { bit } else { 0 };
        let class = match self.class {
            None | Some(Class::ContextDescriptor) => 0,
            Some(Class::TableWalk) => 1,
            Some(Class::Input) => 2,
            Some(Class::Reserved) => 3,
        };
        let flags = flag(self.read, Record::READ)
            | flag(self.instruction, Record::INSTRUCTION)
            | flag(self.privileged, Record::PRIVILEGED)
            | flag(self.stage2, Record::STAGE2)
            | class << Record::CLASS_SHIFT
            | flag(self.ssid.is_some(), Record::SUBSTREAM_VALID)
            | flag(self.stalled, Record::STALLED)
            | u64::from(self.ssid.unwrap_or(0)) << Record::SUBSTREAM_SHIFT;
        Record {
            event: self.kind,
            stream: StreamId { smmu, sid: self.sid },
            iova: self.iova,
            ipa: self.ipa.unwrap_or(0),
            flags,
            dropped,
        }
    }
}
