//! What a stream table entry means (IHI 0070, 5.2).

use sluice_smmu::regs::{STE0, STE1, STE2, STE3, config, s1dss, s1fmt};

use crate::Identity;
use crate::descriptor::Limits;
use crate::identity::{StallModel, address_bits};
use crate::regime::{Regime, Stage, Table};

/// Words of an entry.
pub(crate) type Entry = [u64; 8];

/// Most tables that a stage-2 root may consist of, as log2 (DDI 0487, D8.2: concatenated tables).
const CONCATENATED_BITS: u32 = 4;
const SHORTEST_INPUT: u64 = 39;

/// What happens to the transactions of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stream {
    /// They abort without a record.
    Abort,
    Translated(Translated),
    /// C_BAD_STE.
    Illegal,
}

/// A stream that reaches memory. With neither stage it bypasses translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Translated {
    /// Tag of what is cached of its translations.
    pub(crate) vmid: u16,
    pub(crate) stage1: Option<Stage1>,
    pub(crate) stage2: Option<Stage2>,
    privilege: u64,
    instruction: u64,
}

/// Where context descriptors are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stage1 {
    /// Address of the table: intermediate where stage 2 translates.
    pub(crate) table: u64,
    /// log2 of the substreams; 0 when there are none.
    pub(crate) substream_bits: u32,
    pub(crate) format: u64,
    pub(crate) default: Default,
    pub(crate) never_stalls: bool,
}

/// Transactions without a substream, where substreams are enabled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Default {
    Terminate,
    Bypass,
    Substream0,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stage2 {
    pub(crate) regime: Regime,
    pub(crate) vmid: u16,
    /// Stage-1 structures may not lie in Device memory.
    pub(crate) protects_walks: bool,
    pub(crate) records: bool,
    pub(crate) stalls: bool,
}

impl Translated {
    /// Privilege and kind of an access after the entry's overrides; a write is never an instruction fetch.
    pub(crate) fn attributes(&self, write: bool, instruction: bool, privileged: bool) -> (bool, bool) {
        let overridden = |field, given| match field {
            2 => false,
            3 => true,
            _ => given,
        };
        (overridden(self.instruction, instruction) && !write, overridden(self.privilege, privileged))
    }
}

impl Identity {
    /// What `entry` means to this SMMU.
    pub(crate) fn stream(&self, entry: &Entry) -> Stream {
        if !STE0::V.is_set(entry[0]) {
            return Stream::Illegal;
        }
        let kind = STE0::CONFIG.read(entry[0]);
        if kind & config::BYPASS == 0 {
            return Stream::Abort;
        }
        let has = |stage: u64| kind & stage == stage;
        let stage1 = has(config::STAGE1).then(|| self.stage1_of(entry));
        let stage2 = has(config::STAGE2).then(|| self.stage2_of(entry));
        if stage1 == Some(None) || stage2 == Some(None) {
            return Stream::Illegal;
        }
        Stream::Translated(Translated {
            vmid: self.vmid(STE2::S2VMID.read(entry[2])),
            stage1: stage1.flatten(),
            stage2: stage2.flatten(),
            privilege: STE1::PRIVCFG.read(entry[1]),
            instruction: STE1::INSTCFG.read(entry[1]),
        })
    }

    /// `None` where the entry is ILLEGAL. Streams of EL2 and EL3 are not modelled: STRW other than NS-EL1 is refused.
    fn stage1_of(&self, entry: &Entry) -> Option<Stage1> {
        let substream_bits = STE0::S1CDMAX.read(entry[0]) as u32;
        let format = STE0::S1FMT.read(entry[0]);
        let two_level = sluice_smmu::regs::IDR0::CD2L.is_set(self.idr0);
        let format_legal = match format {
            s1fmt::LINEAR => true,
            s1fmt::TWO_LEVEL_4K | s1fmt::TWO_LEVEL_64K => two_level,
            _ => false,
        };
        let never_stalls = STE1::S1STALLD.is_set(entry[1]);
        let legal = self.stage1()
            && substream_bits <= self.substream_bits()
            && (substream_bits == 0 || format_legal)
            && STE1::STRW.read(entry[1]) == 0
            && !(never_stalls && self.stall_model() != StallModel::Selectable);
        legal.then(|| Stage1 {
            table: STE0::S1CONTEXTPTR.read(entry[0]) << STE0::S1CONTEXTPTR.shift,
            substream_bits,
            format,
            default: match STE1::S1DSS.read(entry[1]) {
                s1dss::BYPASS => Default::Bypass,
                s1dss::SUBSTREAM0 => Default::Substream0,
                _ => Default::Terminate,
            },
            never_stalls,
        })
    }

    /// `None` where the entry is ILLEGAL. AArch32 tables, big-endian ones and hardware updates are not modelled.
    fn stage2_of(&self, entry: &Entry) -> Option<Stage2> {
        let word = entry[2];
        let granule = match STE2::S2TG.read(word) {
            0 => 12,
            1 => 16,
            2 => 14,
            _ => return None,
        };
        let stalls = STE2::S2S.is_set(word);
        let stall_legal = match self.stall_model() {
            StallModel::Selectable => true,
            StallModel::Never => !stalls,
            StallModel::Always => stalls,
        };
        let size = STE2::S2T0SZ.read(word);
        // Intermediate addresses have as many bits as output addresses (3.4).
        let input_bits = 64u32.checked_sub(size as u32)?;
        let plain = STE2::S2AA64.is_set(word)
            && !STE2::S2ENDI.is_set(word)
            && !STE2::S2HA.is_set(word)
            && !STE2::S2HD.is_set(word);
        if !(self.stage2()
            && plain
            && stall_legal
            && self.has_granule(granule)
            && size <= SHORTEST_INPUT
            && input_bits <= self.output_bits().min(48))
        {
            return None;
        }
        let level = match (granule, STE2::S2SL0.read(word)) {
            (_, 3) => return None,
            (12, start) => 2 - start as u32,
            (_, start) => 3 - start as u32,
        };
        let shift = Regime::coverage(granule, level);
        if input_bits <= shift || input_bits - shift > Regime::stride(granule) + CONCATENATED_BITS {
            return None;
        }
        let output_bits = address_bits(STE2::S2PS.read(word)).min(self.output_bits());
        let table = STE3::S2TTB.read(entry[3]) << STE3::S2TTB.shift;
        if table >> output_bits != 0 {
            return None;
        }
        let address = table & !((1 << (input_bits - shift + 3)) - 1);
        let regime = Regime {
            stage: Stage::Two,
            granule,
            input_bits,
            output_bits,
            root: Table { level, address, physical: true, limits: Limits::default() },
            ignore_access_flag: STE2::S2AFFD.is_set(word),
            hierarchical: false,
            write_excludes_execute: false,
            privileged_never: false,
        };
        Some(Stage2 {
            regime,
            vmid: self.vmid(STE2::S2VMID.read(word)),
            protects_walks: STE2::S2PTW.is_set(word),
            records: STE2::S2R.is_set(word),
            stalls,
        })
    }
}
