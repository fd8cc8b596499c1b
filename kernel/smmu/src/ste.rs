//! Stream table entries as values (IHI 0070, 5.2).

use sluice_abi::PhysAddr;
use sluice_abi::smmu::CdTable;
use sluice_paging::{STAGE2_SL0, T0SZ};

use crate::regs::{STE0, STE1, STE2, STE3, config};
use crate::{Features, StallModel};

/// Bytes of an entry.
pub(crate) const STE_BYTES: u64 = 64;
/// Words of an entry.
const WORDS: usize = 8;
/// SHCFG: the transaction's own shareability.
const INCOMING: u64 = 1;
/// S2IR0, S2OR0, and their like of stage 1: write-back, read- and write-allocate.
const WRITE_BACK: u64 = 1;
/// S2SH0 and its like: inner shareable.
const INNER_SHAREABLE: u64 = 3;
/// S2SH0 and its like: outer shareable.
const OUTER_SHAREABLE: u64 = 2;
/// S2PS, IPS: 44 bits, which is the smaller of the output size (checked to be at least that) and the kernel's addresses.
pub(crate) const OUTPUT_44_BITS: u64 = 4;

/// A whole stream table entry.
///
/// Word 0 decides validity and kind; words 1 to 7 mean nothing while word 0 says abort. Entries are never modified in
/// place: [`Smmu::write_ste`](crate::Smmu::write_ste) publishes a value whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ste([u64; WORDS]);

impl Ste {
    /// Transactions abort, silently.
    #[must_use]
    pub const fn abort() -> Self {
        Self([word0(config::ABORT), 0, 0, 0, 0, 0, 0, 0])
    }

    /// Transactions pass untranslated: reach of all memory, for a spec that says so and why.
    #[must_use]
    pub const fn bypass() -> Self {
        Self([word0(config::BYPASS), STE1::SHCFG.val(INCOMING).value, 0, 0, 0, 0, 0, 0])
    }

    /// Stage 2 translates by the table at `root`, with `vmid` as the tag of what is cached.
    ///
    /// Fields left zero on purpose: EATS (translated requests abort), S2S (faults abort), S2AFFD (a clear access flag
    /// faults), S2ENDI (little-endian), S2TG (4 KiB), STRW (Non-secure EL1). S1STALLD belongs to stage 1 and is
    /// illegal on SMMUs that cannot stall.
    #[must_use]
    pub fn stage2(features: &Features, vmid: u16, root: PhysAddr) -> Self {
        let [word2, word3] = stage2_words(features, vmid, root);
        Self([word0(config::STAGE2), STE1::SHCFG.val(INCOMING).value, word2, word3, 0, 0, 0, 0])
    }

    /// Stage 1 translates by the holder's own context descriptors, which like its tables are fetched through stage 2;
    /// stage 2 as [`stage2`](Self::stage2) has it. `table` has passed [`check_cd_table`](crate::check_cd_table).
    #[must_use]
    pub fn nested(features: &Features, vmid: u16, root: PhysAddr, table: &CdTable) -> Self {
        let stage1 = STE0::S1FMT.val(table.format.into())
            + STE0::S1CONTEXTPTR.val(table.ipa >> STE0::S1CONTEXTPTR.shift)
            + STE0::S1CDMAX.val(table.max.into());
        let word1 = STE1::S1DSS.val(table.default_substream.into())
            + STE1::S1CIR.val(table.inner.into())
            + STE1::S1COR.val(table.outer.into())
            + STE1::S1CSH.val(table.shareability.into())
            + STE1::S1STALLD.val(no_stall(features))
            + STE1::SHCFG.val(INCOMING);
        let [word2, word3] = stage2_words(features, vmid, root);
        Self([word0(config::NESTED) | stage1.value, word1.value, word2, word3, 0, 0, 0, 0])
    }

    /// Stage 1 alone translates, by the context descriptor (one, of the kernel's) at `descriptor`.
    #[must_use]
    pub fn stage1(features: &Features, descriptor: PhysAddr) -> Self {
        let (cache, share) = memory_attributes(features);
        let word1 = STE1::S1CIR.val(cache)
            + STE1::S1COR.val(cache)
            + STE1::S1CSH.val(share)
            + STE1::S1STALLD.val(no_stall(features))
            + STE1::SHCFG.val(INCOMING);
        let pointer = STE0::S1CONTEXTPTR.val(descriptor.0 >> STE0::S1CONTEXTPTR.shift);
        Self([word0(config::STAGE1) | pointer.value, word1.value, 0, 0, 0, 0, 0, 0])
    }

    /// The entry's words.
    #[must_use]
    pub const fn words(&self) -> [u64; WORDS] {
        self.0
    }
}

fn stage2_words(features: &Features, vmid: u16, root: PhysAddr) -> [u64; 2] {
    let (cache, share) = memory_attributes(features);
    let word2 = STE2::S2VMID.val(u64::from(vmid))
        + STE2::S2T0SZ.val(T0SZ)
        + STE2::S2SL0.val(STAGE2_SL0)
        + STE2::S2IR0.val(cache)
        + STE2::S2OR0.val(cache)
        + STE2::S2SH0.val(share)
        + STE2::S2PS.val(OUTPUT_44_BITS)
        + STE2::S2AA64.val(1)
        + STE2::S2PTW.val(1)
        + STE2::S2R.val(1);
    [word2.value, STE3::S2TTB.val(root.0 >> STE3::S2TTB.shift).value]
}

/// S1STALLD: stage 1 must not stall where it could be told to, and the field is illegal elsewhere.
const fn no_stall(features: &Features) -> u64 {
    match features.stall_model {
        StallModel::Selectable => 1,
        StallModel::Never | StallModel::Always => 0,
    }
}

/// Cacheability and shareability of what the SMMU fetches from memory the kernel wrote.
pub(crate) const fn memory_attributes(features: &Features) -> (u64, u64) {
    if features.coherent { (WRITE_BACK, INNER_SHAREABLE) } else { (0, OUTER_SHAREABLE) }
}

/// Word 0 of a valid entry.
const fn word0(config: u64) -> u64 {
    STE0::V.val(1).value | STE0::CONFIG.val(config).value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::QEMU;

    const ROOT: PhysAddr = PhysAddr(0xabc_def1_2000);
    /// S2T0SZ 20, S2SL0 2, walks write-back and inner shareable, S2PS 4, S2AA64, S2PTW, S2R.
    const STAGE2: u64 = 1 << 58 | 1 << 54 | 1 << 51 | 4 << 48 | 3 << 44 | 1 << 42 | 1 << 40 | 2 << 38 | 20 << 32;

    #[test]
    fn entries_have_the_fields_of_the_design_and_no_others() {
        let stage2 = Ste::stage2(&QEMU, 5, ROOT).words();
        assert_eq!(stage2, [0b1101, 1 << 44, STAGE2 | 5, ROOT.0, 0, 0, 0, 0]);
        let table =
            CdTable { ipa: 0x4000, max: 1, default_substream: 2, inner: 1, outer: 2, shareability: 3, format: 0 };
        let nested = Ste::nested(&QEMU, 5, ROOT, &table).words();
        let word1 = 1 << 44 | 3 << 6 | 2 << 4 | 1 << 2 | 2;
        assert_eq!(nested, [1 << 59 | 0x4000 | 0b1111, word1, STAGE2 | 5, ROOT.0, 0, 0, 0, 0]);
        let stage1 = Ste::stage1(&QEMU, PhysAddr(0x4040)).words();
        assert_eq!(stage1, [0x4040 | 0b1011, 1 << 44 | 3 << 6 | 1 << 4 | 1 << 2, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn stage_1_does_not_stall_where_it_could() {
        let stalls = |stall_model| {
            let features = Features { stall_model, ..QEMU };
            let entries = [Ste::nested(&features, 5, ROOT, &CdTable::default()), Ste::stage1(&features, ROOT)];
            entries.map(|entry| entry.words()[1] >> 27 & 1)
        };
        assert_eq!(stalls(StallModel::Selectable), [1, 1]);
        assert_eq!(stalls(StallModel::Never), [0, 0]);
    }
}
