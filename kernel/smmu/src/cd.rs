//! Context descriptors as values (IHI 0070, 5.4): those of the kernel's own, for SMMUs without stage 2.

use sluice_abi::PhysAddr;
use sluice_paging::{STAGE1_MAIR, T0SZ};

use crate::Features;
use crate::regs::{CD0, CD1, CD3};
use crate::ste::{OUTPUT_44_BITS, memory_attributes};

/// Bytes of a descriptor, which it is aligned to.
pub const CD_BYTES: u64 = 64;
const WORDS: usize = 8;

/// A whole context descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cd([u64; WORDS]);

impl Cd {
    /// Stage 1 translates by the table at `root`, in the format `sluice_paging::Format::STAGE1`, with `asid` as the tag
    /// of what is cached.
    ///
    /// A=1 (faulting transactions abort), R=1 (and are recorded), EPD1=1 (there are no high addresses). Fields left zero
    /// on purpose: S (no stall), HA and HD (the tables are the kernel's to write), AFFD (a clear access flag faults), TBI
    /// (all address bits count), ENDI (little-endian), TG0 (4 KiB).
    #[must_use]
    pub fn stage1(features: &Features, asid: u16, root: PhysAddr) -> Self {
        let (cache, share) = memory_attributes(features);
        let word0 = CD0::T0SZ.val(T0SZ)
            + CD0::IR0.val(cache)
            + CD0::OR0.val(cache)
            + CD0::SH0.val(share)
            + CD0::EPD1.val(1)
            + CD0::V.val(1)
            + CD0::IPS.val(OUTPUT_44_BITS)
            + CD0::AA64.val(1)
            + CD0::R.val(1)
            + CD0::A.val(1)
            + CD0::ASET.val(1)
            + CD0::ASID.val(asid.into());
        let word1 = CD1::TTB0.val(root.0 >> CD1::TTB0.shift);
        Self([word0.value, word1.value, 0, CD3::MAIR.val(STAGE1_MAIR).value, 0, 0, 0, 0])
    }

    /// Transactions that come here fault.
    #[must_use]
    pub const fn invalid() -> Self {
        Self([0; WORDS])
    }

    /// The descriptor's words.
    #[must_use]
    pub const fn words(&self) -> [u64; WORDS] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::QEMU;

    #[test]
    fn a_descriptor_aborts_records_and_translates_low_addresses_only() {
        let [word0, word1, word2, word3, ..] = Cd::stage1(&QEMU, 7, PhysAddr(0xabc_def1_2000)).words();
        let flags = 1 << 47 | 1 << 46 | 1 << 45 | 1 << 41 | 1 << 31 | 1 << 30;
        assert_eq!(word0, 7 << 48 | flags | 4 << 32 | 3 << 12 | 1 << 10 | 1 << 8 | 20);
        assert_eq!((word1, word2, word3), (0xabc_def1_2000, 0, 0x00ff));
    }
}
