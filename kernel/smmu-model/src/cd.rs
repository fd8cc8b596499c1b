//! What a context descriptor means (IHI 0070, 5.4).

use sluice_smmu::regs::{CD0, CD1, CD2, IDR0};

use crate::Identity;
use crate::descriptor::Limits;
use crate::identity::{StallModel, address_bits};
use crate::regime::{Regime, Stage, Table};

/// Words of a descriptor.
pub(crate) type Descriptor = [u64; 8];

const SIZES: std::ops::RangeInclusive<u64> = 16..=39;

/// Stage 1 of one substream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Context {
    pub(crate) asid: u16,
    /// Tables for low and for high addresses; `None` where every address faults.
    halves: [Option<Regime>; 2],
    /// Whether the top byte of an address is ignored, by half.
    top_byte_ignored: [bool; 2],
    pub(crate) records: bool,
    pub(crate) stalls: bool,
    /// Faulting transactions abort.
    pub(crate) aborts: bool,
}

impl Context {
    /// The tables that translate `address`, and the address with its ignored bits as the walk sees them.
    pub(crate) fn half(&self, address: u64) -> Option<(&Regime, u64)> {
        let high = (address >> 55 & 1) as usize;
        let regime = self.halves[high].as_ref()?;
        let sign = [0, u64::MAX << regime.input_bits][high];
        let checked = if self.top_byte_ignored[high] { u64::MAX >> 8 } else { u64::MAX };
        let above = u64::MAX << regime.input_bits;
        ((address ^ sign) & checked & above == 0).then_some((regime, address & !above | sign))
    }

    /// Both halves with the lowest address each translates.
    pub(crate) fn halves(&self) -> impl Iterator<Item = (&Regime, u64)> {
        self.halves.iter().zip([false, true]).filter_map(|(half, high)| {
            let regime = half.as_ref()?;
            Some((regime, if high { u64::MAX << regime.input_bits } else { 0 }))
        })
    }
}

impl Identity {
    /// What `words` mean under an entry that may forbid stalls; `None` where the descriptor is ILLEGAL (C_BAD_CD).
    pub(crate) fn context(&self, words: &Descriptor, never_stalls: bool) -> Option<Context> {
        let word = words[0];
        let stalls = CD0::S.is_set(word);
        let stall_legal = match self.stall_model() {
            StallModel::Selectable => !(stalls && never_stalls),
            StallModel::Never => !stalls,
            StallModel::Always => stalls,
        };
        let aborts = CD0::A.is_set(word);
        let updates = CD0::HA.is_set(word) || CD0::HD.is_set(word);
        let legal = CD0::V.is_set(word)
            && CD0::AA64.is_set(word)
            && !CD0::ENDI.is_set(word)
            && stall_legal
            && (aborts || !IDR0::TERM_MODEL.is_set(self.idr0))
            && !(updates && IDR0::HTTU.read(self.idr0) == 0);
        if !legal {
            return None;
        }
        let low = Half {
            size: CD0::T0SZ.read(word),
            granule: [12, 16, 14, 0][CD0::TG0.read(word) as usize],
            table: CD1::TTB0.read(words[1]) << CD1::TTB0.shift,
            flat: CD1::HAD0.is_set(words[1]),
        };
        let high = Half {
            size: CD0::T1SZ.read(word),
            granule: [0, 14, 12, 16][CD0::TG1.read(word) as usize],
            table: CD2::TTB1.read(words[2]) << CD2::TTB1.shift,
            flat: CD2::HAD1.is_set(words[2]),
        };
        let half = |half: Half, disabled| if disabled { Some(None) } else { self.half_of(word, half).map(Some) };
        Some(Context {
            asid: self.asid(CD0::ASID.read(word)),
            halves: [half(low, CD0::EPD0.is_set(word))?, half(high, CD0::EPD1.is_set(word))?],
            top_byte_ignored: [CD0::TBI.read(word) & 1 != 0, CD0::TBI.read(word) & 2 != 0],
            records: CD0::R.is_set(word),
            stalls,
            aborts,
        })
    }

    fn half_of(&self, word: u64, half: Half) -> Option<Regime> {
        let output_bits = address_bits(CD0::IPS.read(word)).min(self.output_bits());
        if !SIZES.contains(&half.size) || !self.has_granule(half.granule) || half.table >> output_bits != 0 {
            return None;
        }
        let input_bits = 64 - half.size as u32;
        let level = Regime::first_level(half.granule, input_bits);
        let table_bits = input_bits - Regime::coverage(half.granule, level) + 3;
        let address = half.table & !((1 << table_bits) - 1);
        Some(Regime {
            stage: Stage::One,
            granule: half.granule,
            input_bits,
            output_bits,
            root: Table { level, address, physical: false, limits: Limits::default() },
            ignore_access_flag: CD0::AFFD.is_set(word),
            hierarchical: !half.flat,
            write_excludes_execute: CD0::WXN.is_set(word),
            privileged_never: CD0::PAN.is_set(word),
        })
    }
}

struct Half {
    size: u64,
    granule: u32,
    table: u64,
    flat: bool,
}
