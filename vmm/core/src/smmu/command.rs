//! Commands of the guest as values (IHI 0070, chapter 4).

use super::Features;
use super::formats::{CFGI0, CFGI1, CMD0, SYNC0, TLBI0, TLBI1, opcode};

/// TG of the 16 KiB granule, whose tables have no level 1 that could be hinted at.
const GRANULE_16K: u64 = 2;
/// ASIDs of the smaller size.
const SMALL_ASIDS: u64 = 0xff;

/// A legal command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Command {
    /// A stream is about to be used: a hint.
    Prefetch {
        /// The stream.
        sid: u32,
    },
    /// Entries of 2^`bits` streams have changed.
    Streams {
        /// One of them.
        sid: u32,
        /// 0 for one stream, 32 for all.
        bits: u32,
    },
    /// Context descriptors of a stream have changed.
    Descriptors {
        /// The stream.
        sid: u32,
        /// Which of them; `None` for all.
        substream: Option<u32>,
        /// First-level descriptors have not.
        leaf: bool,
    },
    /// Translations have changed. The words are for `CB_InvalidateStage1`.
    Translations([u64; 2]),
    /// Everything before is complete.
    Sync {
        /// Then the guest wants an interrupt.
        interrupt: bool,
    },
}

impl Command {
    /// Decodes a command; `None` when it is illegal (4.1.3: CERROR_ILL). Bits that the architecture reserves are
    /// ignored, and so are VMIDs, as stage 2 is absent.
    pub(super) fn decode(features: &Features, [low, high]: [u64; 2]) -> Option<Self> {
        let op = CMD0::OPCODE.read(low);
        let sid = CFGI0::SID.read(low) as u32;
        let asid = TLBI0::ASID.val(TLBI0::ASID.read(low) & if features.wide_asids { u64::MAX } else { SMALL_ASIDS });
        let secure = CMD0::SSEC.is_set(low);
        Some(match op {
            opcode::PREFETCH_CONFIG | opcode::PREFETCH_ADDR if !secure => Self::Prefetch { sid },
            opcode::CFGI_STE if !secure => Self::Streams { sid, bits: 0 },
            opcode::CFGI_STE_RANGE if !secure => Self::Streams { sid, bits: CFGI1::RANGE.read(high) as u32 + 1 },
            opcode::CFGI_CD if !secure => {
                // Without substreams there is one descriptor, and the field is none.
                let substream = if features.ssid_bits == 0 { 0 } else { CFGI0::SSID.read(low) as u32 };
                Self::Descriptors { sid, substream: Some(substream), leaf: CFGI1::LEAF.is_set(high) }
            }
            opcode::CFGI_CD_ALL if !secure => Self::Descriptors { sid, substream: None, leaf: false },
            opcode::TLBI_NH_ALL | opcode::TLBI_NSNH_ALL => Self::Translations([opcode::TLBI_NH_ALL, 0]),
            opcode::TLBI_NH_ASID => Self::Translations([op | asid.value, 0]),
            opcode::TLBI_NH_VA => Self::Translations(address(features, op | asid.value, low, high)?),
            opcode::TLBI_NH_VAA => Self::Translations(address(features, op, low, high)?),
            opcode::SYNC => match SYNC0::CS.read(low) {
                0 => Self::Sync { interrupt: false },
                1 => Self::Sync { interrupt: true },
                // Linux asks for a wake-up event where it cannot have a message, without looking whether there are any.
                2 => Self::Sync { interrupt: false },
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Whether the entry of `sid` has changed by [`Command::Streams`] with `changed` and `bits`.
    pub(super) fn concerns(sid: u32, changed: u32, bits: u32) -> bool {
        u64::from(sid) >> bits == u64::from(changed) >> bits
    }
}

/// A command about addresses (4.4.1.1): one, or with IDR3.RIL and a granule a range of them.
fn address(features: &Features, operation: u64, low: u64, high: u64) -> Option<[u64; 2]> {
    let one = TLBI1::ADDR.val(TLBI1::ADDR.read(high)) + TLBI1::LEAF.val(TLBI1::LEAF.read(high));
    let granule = TLBI1::TG.read(high);
    if granule == 0 || !features.range_invalidation {
        return Some([operation, one.value]);
    }
    let (num, scale, level) = (TLBI0::NUM.read(low), TLBI0::SCALE.read(low), TLBI1::TTL.read(high));
    let reserved = num == 0 && scale == 0 && level == 0 || granule == GRANULE_16K && level == 1;
    (features.has_granule(granule) && !reserved).then(|| {
        let range = TLBI0::NUM.val(num) + TLBI0::SCALE.val(scale);
        let hints = TLBI1::TG.val(granule) + TLBI1::TTL.val(level);
        [operation | range.value, (one + hints).value]
    })
}
