//! Stream table entries as values (IHI 0070, 5.2).

use sluice_abi::PhysAddr;
use sluice_paging::{STAGE2_SL0, T0SZ};

use crate::Features;
use crate::regs::{STE0, STE1, STE2, STE3, config};

/// Bytes of an entry.
pub(crate) const STE_BYTES: u64 = 64;
/// Words of an entry.
const WORDS: usize = 8;
/// SHCFG: the transaction's own shareability.
const INCOMING: u64 = 1;
/// S2IR0, S2OR0: write-back, read- and write-allocate.
const WRITE_BACK: u64 = 1;
/// S2SH0: inner shareable.
const INNER_SHAREABLE: u64 = 3;
/// S2SH0: outer shareable.
const OUTER_SHAREABLE: u64 = 2;
/// S2PS: 44 bits, which is the smaller of the output size (checked to be at least that) and the kernel's addresses.
const OUTPUT_44_BITS: u64 = 4;

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
        let (cache, share) = if features.coherent { (WRITE_BACK, INNER_SHAREABLE) } else { (0, OUTER_SHAREABLE) };
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
        let word3 = STE3::S2TTB.val(root.0 >> STE3::S2TTB.shift);
        Self([word0(config::STAGE2), STE1::SHCFG.val(INCOMING).value, word2.value, word3.value, 0, 0, 0, 0])
    }

    /// The entry's words.
    #[must_use]
    pub const fn words(&self) -> [u64; WORDS] {
        self.0
    }
}

/// Word 0 of a valid entry.
const fn word0(config: u64) -> u64 {
    STE0::V.val(1).value | STE0::CONFIG.val(config).value
}
