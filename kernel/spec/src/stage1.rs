//! Stage 1 of a context's holder: descriptors and tables in memory of its own, which lead nowhere but into stage 2.
//!
//! What they say is not here, as nothing in memory is. Hence a stream with a stage 1 is said to reach what stage 2 has, which
//! is the most that it can, and by the addresses of stage 2, as its own are the holder's choice.

use alloc::vec::Vec;

use sluice_abi::USER_TOP;
use sluice_abi::smmu::{CdTable, ContextId, MAX_STAGE1_COMMANDS};

use crate::step::Stepped;
use crate::{Abilities, Refused, Slot, State};

/// log2 of the bytes of a context descriptor (IHI 0070, 5.4).
const DESCRIPTOR_BITS: u32 = 6;
/// S1Fmt of a table without levels, and the greatest that means something (5.2).
const LINEAR: u8 = 0;
const LAST_FORMAT: u8 = 2;
/// The greatest S1DSS that means something, and the S1CSH that does not (5.2).
const LAST_DEFAULT: u8 = 2;
const NO_SHAREABILITY: u8 = 1;

impl State {
    pub(crate) fn assign_cd_table(&self, cb: Slot, words: [u64; 2]) -> Stepped {
        let context = self.invoked_context(cb)?;
        let table = CdTable::from_words(words).ok_or(Refused::InvalidArgument(1))?;
        self.abilities(context)?.expect_table(&table)?;
        self.expect_held(Slot::Translation(context))?;
        if self.stage1.contains_key(&context) {
            return Err(Refused::DeleteFirst);
        }
        Ok(self.changed(|after| {
            after.stage1.insert(context, table);
        }))
    }

    pub(crate) fn unassign_cd_table(&self, cb: Slot) -> Stepped {
        let context = self.invoked_context(cb)?;
        self.stage1_of(context)?;
        Ok(self.changed(|after| {
            after.stage1.remove(&context);
        }))
    }

    /// What the holder wants forgotten: a number of commands, and two words for each. All are carried out, or none.
    pub(crate) fn invalidate_stage1(&self, cb: Slot, words: &[u64]) -> Stepped {
        let context = self.invoked_context(cb)?;
        let table = self.stage1_of(context)?;
        let max = MAX_STAGE1_COMMANDS as u64;
        let (count, commands) = words.split_first().ok_or(Refused::Truncated)?;
        if !(1..=max).contains(count) {
            return Err(Refused::Range { min: 1, max });
        }
        let can = self.abilities(context)?;
        let commands: Vec<_> = commands.chunks_exact(2).take(*count as usize).collect();
        if (commands.len() as u64) < *count {
            return Err(Refused::Truncated);
        }
        match commands.iter().position(|command| !can.admits(&table, command[0], command[1])) {
            Some(index) => Err(Refused::InvalidArgument(index as u64)),
            None => Ok(self.changed(|_| {})),
        }
    }

    fn stage1_of(&self, context: ContextId) -> Result<CdTable, Refused> {
        self.stage1.get(&context).copied().ok_or(Refused::IllegalOperation)
    }

    pub(crate) fn abilities(&self, context: ContextId) -> Result<Abilities, Refused> {
        self.smmus.get(&context.smmu).map(|smmu| smmu.can).ok_or(Refused::InvalidArgument(0))
    }
}

impl Abilities {
    fn expect_table(&self, table: &CdTable) -> Result<(), Refused> {
        let reserved = table.default_substream > LAST_DEFAULT
            || table.shareability == NO_SHAREABILITY
            || table.format > LAST_FORMAT;
        let bytes = 1u64 << (DESCRIPTOR_BITS + u32::from(table.max));
        if !self.nests() {
            Err(Refused::IllegalOperation)
        } else if reserved {
            Err(Refused::InvalidArgument(1))
        } else if table.format != LINEAR {
            Err(Refused::IllegalOperation)
        } else if u32::from(table.max) > self.substream_bits {
            Err(Refused::Range { min: 0, max: self.substream_bits.into() })
        } else if table.ipa > USER_TOP {
            Err(Refused::InvalidArgument(0))
        } else if !table.ipa.is_multiple_of(bytes) {
            Err(Refused::Alignment)
        } else {
            Ok(())
        }
    }

    /// Whether a command of two words is one that a holder may have: about stage 1, without reserved bits (IHI 0070, 4.3
    /// and 4.4). Which context and which streams it names means nothing.
    fn admits(&self, table: &CdTable, low: u64, high: u64) -> bool {
        let (asid, names) = (low >> 48, low >> 32 & 0xffff);
        let middle = low >> 8 & 0xff_ffff;
        let tlbi = |asids: bool| (asids || asid == 0) && (self.asid_bits > 8 || asid < 0x100);
        match low & 0xff {
            // NSNH_ALL, which becomes NH_ALL.
            0x30 => middle == 0 && names == 0 && asid == 0 && high == 0,
            // NH_ALL, NH_ASID.
            0x10 => middle == 0 && tlbi(false) && high == 0,
            0x11 => middle == 0 && tlbi(true) && high == 0,
            // NH_VA, NH_VAA.
            0x12 => tlbi(true) && self.admits_address(low, high),
            0x13 => tlbi(false) && self.admits_address(low, high),
            // CFGI_CD, CFGI_CD_ALL.
            0x05 => low >> 8 & 0xf == 0 && (low >> 12 & 0xf_ffff) >> table.max == 0 && high & !1 == 0,
            0x06 => middle == 0 && high == 0,
            _ => false,
        }
    }

    /// Bits 31:8 of a command about addresses, and its second word: one address, or with a granule in TG a range.
    fn admits_address(&self, low: u64, high: u64) -> bool {
        let (number, scale, between) = (low >> 12 & 0x1f, low >> 20 & 0x1f, low >> 8 & 0xff_ffff & !0x1_f1f0);
        let (level, granule) = (high >> 8 & 3, high >> 10 & 3);
        if between != 0 || high & 0xfe != 0 {
            return false;
        }
        match granule.checked_sub(1).and_then(|index| self.granules.get(index as usize)) {
            None => number == 0 && scale == 0 && level == 0,
            // Of one granule the level must be said, and 16 KiB has no leaves at level 1 (4.4.1.1).
            Some(has) => {
                let reserved = number == 0 && scale == 0 && level == 0 || granule == 2 && level == 1;
                self.ranges && *has && !reserved
            }
        }
    }
}
