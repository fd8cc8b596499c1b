//! What of a guest's stream table entry is admitted (IHI 0070, 5.2 and 5.2.2).

use sluice_abi::USER_TOP;
use sluice_abi::smmu::CdTable;

use super::Features;
use super::backend::Stage1;
use super::formats::{STE0, STE1, config};
use super::stream_table::ENTRY_WORDS;

/// log2 of the bytes of a context descriptor.
const DESCRIPTOR_BITS: u32 = 6;
/// S1DSS: transactions without a substream abort.
const SUBSTREAMS_ONLY: u8 = 0;
/// S1DSS: the value that is reserved.
const RESERVED_SUBSTREAM: u8 = 3;
/// S1CSH: the value that is reserved.
const RESERVED_SHAREABILITY: u8 = 1;

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Entry {
    /// V is 0: a stream that nobody has configured.
    Invalid,
    /// It is valid and breaks a rule: C_BAD_STE.
    Bad,
    /// It is to be carried out.
    Good(Stage1),
}

impl Entry {
    /// Decodes an entry.
    ///
    /// Fields of features that are absent are ignored: everything of stage 2, EATS, and the attributes that override
    /// those of transactions. Reserved values behave as those the architecture names in their place.
    pub(super) fn decode(features: &Features, words: &[u64; ENTRY_WORDS]) -> Self {
        let [word0, word1, ..] = *words;
        if !STE0::V.is_set(word0) {
            return Self::Invalid;
        }
        match STE0::CONFIG.read(word0) {
            0..config::BYPASS => Self::Good(Stage1::Abort),
            config::BYPASS => Self::Good(Stage1::Bypass),
            config::STAGE1 => table(features, word0, word1).map_or(Self::Bad, |table| Self::Good(Stage1::Table(table))),
            // Stage 2 is the host's.
            _ => Self::Bad,
        }
    }
}

/// The table of context descriptors of an entry; `None` when it is illegal.
fn table(features: &Features, word0: u64, word1: u64) -> Option<CdTable> {
    let max = STE0::S1CDMAX.read(word0) as u8;
    let substreams = max != 0;
    let legal = u32::from(max) <= features.ssid_bits
        // Without substreams the format means nothing.
        && (!substreams || STE0::S1FMT.read(word0) == 0)
        && !STE1::S1STALLD.is_set(word1)
        && STE1::STRW.read(word1) == 0;
    let pointer = STE0::S1CONTEXTPTR.read(word0) << STE0::S1CONTEXTPTR.shift;
    let reachable = pointer < features.output_end() && pointer <= USER_TOP;
    let default_substream = match STE1::S1DSS.read(word1) as u8 {
        RESERVED_SUBSTREAM => SUBSTREAMS_ONLY,
        value if substreams => value,
        _ => 0,
    };
    let shareability = match STE1::S1CSH.read(word1) as u8 {
        RESERVED_SHAREABILITY => 0,
        value => value,
    };
    (legal && reachable).then(|| CdTable {
        ipa: pointer & (u64::MAX << (DESCRIPTOR_BITS + u32::from(max))),
        max,
        format: 0,
        default_substream,
        inner: STE1::S1CIR.read(word1) as u8,
        outer: STE1::S1COR.read(word1) as u8,
        shareability,
    })
}
