//! Words of the SMMU objects: numbers of streams and contexts, fault records, table sizes.

mod cd_table;

use core::fmt;

pub use cd_table::CdTable;

use crate::Iova;
use crate::numbered::constants;
use crate::numbered::numbered;

/// log2 of the streams in one second-level stream table (the SMMUs' `SPLIT`).
pub const STREAM_TABLE_SPLIT: u32 = 8;
/// log2 of the bytes of a stream-table object: entries, shadow state and one pending record for each stream.
pub const STREAM_TABLE_BITS: u32 = 16;
/// Most SMMUs of a machine: a capability has four bits for the number.
pub const MAX_SMMUS: usize = 16;
/// Most contexts of one SMMU.
pub const MAX_CBS: u32 = 1024;
/// Most commands of one `CB_InvalidateStage1`: what a message holds after their number.
pub const MAX_STAGE1_COMMANDS: usize = 59;

/// A stream of one SMMU: `smmu << 32 | sid` in messages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId {
    /// Number of the SMMU, in device-tree order.
    pub smmu: u8,
    /// The stream's number at that SMMU.
    pub sid: u32,
}

impl StreamId {
    /// The stream a message word names; `None` when bits above the SMMU number are set.
    #[must_use]
    pub const fn from_word(word: u64) -> Option<Self> {
        if word >> 36 != 0 {
            return None;
        }
        Some(Self { smmu: (word >> 32) as u8, sid: word as u32 })
    }

    /// The message word.
    #[must_use]
    pub const fn word(self) -> u64 {
        (self.smmu as u64) << 32 | self.sid as u64
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:#06x}", self.smmu, self.sid)
    }
}

/// A translation context of one SMMU: `smmu << 32 | cb` in messages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ContextId {
    /// Number of the SMMU, in device-tree order.
    pub smmu: u8,
    /// The context's number, which is also its VMID (stage 2) or ASID (stage 1 only).
    pub cb: u16,
}

impl ContextId {
    /// The message word.
    #[must_use]
    pub const fn word(self) -> u64 {
        (self.smmu as u64) << 32 | self.cb as u64
    }
}

numbered! {
    /// What an SMMU does with streams, as `SIDControl_GetFault` tells it in MR4.
    pub enum SmmuState: u64 {
        /// Each stream's entry decides.
        Translating = 0,
        /// It is down, on request or because it failed: every stream aborts.
        Aborting = 1,
        /// It was left out of the way at boot (`sluice.smmu=off`): every stream reaches all memory.
        Bypassed = 2,
    }
}

/// A fault record as `SID_GetFault` and `SIDControl_GetEventq` return it in MR0..5.
///
/// Never contains a physical address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Record {
    /// Event type (IHI 0070, 7.3 Event records).
    pub event: u64,
    /// The stream.
    pub stream: StreamId,
    /// Address the device used.
    pub iova: Iova,
    /// Intermediate address, 0 when the event has none.
    pub ipa: u64,
    /// Flags, see the associated constants.
    pub flags: u64,
    /// Records dropped since the last one delivered.
    pub dropped: u64,
}

impl Record {
    /// Words of a record in a message.
    pub const WORDS: usize = 6;
    constants! {
        /// The flags of one bit.
        pub const FLAGS;

        /// Flag: the access was a read.
        pub const READ: u64 = 1 << 0;
        /// Flag: the access was an instruction fetch.
        pub const INSTRUCTION: u64 = 1 << 1;
        /// Flag: the access was privileged.
        pub const PRIVILEGED: u64 = 1 << 2;
        /// Flag: stage 2 faulted.
        pub const STAGE2: u64 = 1 << 3;
        /// Flag: the substream number is valid.
        pub const SUBSTREAM_VALID: u64 = 1 << 6;
        /// Flag: the transaction is stalled.
        pub const STALLED: u64 = 1 << 7;
    }
    /// Position of the two CLASS bits: 0 CD fetch, 1 translation-table walk, 2 the input address itself.
    pub const CLASS_SHIFT: u32 = 4;
    /// Position of the 20-bit substream number.
    pub const SUBSTREAM_SHIFT: u32 = 32;

    /// The record as message words.
    #[must_use]
    pub const fn words(&self) -> [u64; Self::WORDS] {
        [self.event, self.stream.word(), self.iova.0, self.ipa, self.flags, self.dropped]
    }

    /// The record in message words; `None` when the stream word is no stream.
    #[must_use]
    pub const fn from_words(words: [u64; Self::WORDS]) -> Option<Self> {
        let [event, stream, iova, ipa, flags, dropped] = words;
        match StreamId::from_word(stream) {
            Some(stream) => Some(Self { event, stream, iova: Iova(iova), ipa, flags, dropped }),
            None => None,
        }
    }
}

/// Event types (IHI 0070, 7.3).
pub mod event {
    use crate::numbered::constants;

    constants! {
        /// All of them, ascending.
        pub const ALL;

        /// Unsupported upstream transaction.
        pub const F_UUT: u64 = 0x01;
        /// The StreamID is out of range.
        pub const C_BAD_STREAMID: u64 = 0x02;
        /// Fetching the stream table entry failed.
        pub const F_STE_FETCH: u64 = 0x03;
        /// The stream table entry is invalid.
        pub const C_BAD_STE: u64 = 0x04;
        /// An ATS request to a stream without ATS.
        pub const F_BAD_ATS_TREQ: u64 = 0x05;
        /// The stream is disabled.
        pub const F_STREAM_DISABLED: u64 = 0x06;
        /// Translated transaction on a stream that must not.
        pub const F_TRANSL_FORBIDDEN: u64 = 0x07;
        /// The substream number is out of range.
        pub const C_BAD_SUBSTREAMID: u64 = 0x08;
        /// Fetching the context descriptor failed.
        pub const F_CD_FETCH: u64 = 0x09;
        /// The context descriptor is invalid.
        pub const C_BAD_CD: u64 = 0x0a;
        /// External abort on a table walk.
        pub const F_WALK_EABT: u64 = 0x0b;
        /// No translation.
        pub const F_TRANSLATION: u64 = 0x10;
        /// Address out of range.
        pub const F_ADDR_SIZE: u64 = 0x11;
        /// Access flag clear.
        pub const F_ACCESS: u64 = 0x12;
        /// No permission.
        pub const F_PERMISSION: u64 = 0x13;
        /// TLB conflict.
        pub const F_TLB_CONFLICT: u64 = 0x20;
        /// Configuration cache conflict.
        pub const F_CFG_CONFLICT: u64 = 0x21;
        /// Page request.
        pub const E_PAGE_REQUEST: u64 = 0x24;
    }

    /// The architecture's name of an event type.
    #[must_use]
    pub fn name(event: u64) -> Option<&'static str> {
        ALL.iter().find(|known| known.value == event).map(|known| known.name)
    }
}
