//! Stream table entries read back.

use sluice_abi::PhysAddr;

use crate::regs::{STE0, STE1, STE2, STE3, config};
use crate::{Features, Ste};

/// What an entry has the SMMU do. Whatever this driver would not have written, to the bit, is [`Translation::Unknown`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Translation {
    /// Transactions abort, silently.
    Abort,
    /// Transactions pass untranslated.
    Bypass,
    /// Stage 1 translates, by the descriptor there.
    Stage1(PhysAddr),
    /// Stage 2 translates, with this tag and by the table there; behind a stage 1 of the holder's, when `nested`.
    Stage2 {
        /// VMID.
        vmid: u16,
        /// The table.
        root: PhysAddr,
        /// Whether stage 1 comes before.
        nested: bool,
    },
    /// Something else.
    Unknown,
}

impl Translation {
    /// What the entry `words` says to an SMMU with `features`.
    #[must_use]
    pub fn of(features: &Features, words: [u64; 8]) -> Self {
        let [word0, _, word2, word3, ..] = words;
        let vmid = STE2::S2VMID.read(word2) as u16;
        let root = PhysAddr(STE3::S2TTB.read(word3) << STE3::S2TTB.shift);
        let descriptor = PhysAddr(STE0::S1CONTEXTPTR.read(word0) << STE0::S1CONTEXTPTR.shift);
        let (found, expected) = match STE0::CONFIG.read(word0) {
            // Words 1 to 7 mean nothing under abort.
            config::ABORT if word0 == Ste::abort().words()[0] => return Self::Abort,
            config::BYPASS => (Self::Bypass, Ste::bypass()),
            config::STAGE1 => (Self::Stage1(descriptor), Ste::stage1(features, descriptor)),
            config::STAGE2 => (Self::Stage2 { vmid, root, nested: false }, Ste::stage2(features, vmid, root)),
            config::NESTED => return Self::nested(features, words),
            _ => return Self::Unknown,
        };
        if expected.words() == words { found } else { Self::Unknown }
    }

    /// Stage 2 of a nested entry must be the kernel's; of stage 1 the fields are the holder's.
    fn nested(features: &Features, words: [u64; 8]) -> Self {
        let [word0, word1, word2, word3, ..] = words;
        let vmid = STE2::S2VMID.read(word2) as u16;
        let root = PhysAddr(STE3::S2TTB.read(word3) << STE3::S2TTB.shift);
        let holders = [
            STE0::S1FMT.val(u64::MAX).value
                | STE0::S1CONTEXTPTR.val(u64::MAX).value
                | STE0::S1CDMAX.val(u64::MAX).value,
            STE1::S1DSS.val(u64::MAX).value
                | STE1::S1CIR.val(u64::MAX).value
                | STE1::S1COR.val(u64::MAX).value
                | STE1::S1CSH.val(u64::MAX).value,
        ];
        let mut stripped = words;
        stripped[0] = word0 & !holders[0];
        stripped[1] = word1 & !holders[1];
        let expected = Ste::nested(features, vmid, root, &sluice_abi::smmu::CdTable::default());
        if expected.words() == stripped { Self::Stage2 { vmid, root, nested: true } } else { Self::Unknown }
    }
}

#[cfg(test)]
mod tests {
    use sluice_abi::smmu::CdTable;

    use super::*;
    use crate::features::QEMU;

    const ROOT: PhysAddr = PhysAddr(0xabc_def1_2000);

    #[test]
    fn every_entry_of_the_drivers_is_read_back() {
        let table =
            CdTable { ipa: 0x4000, max: 1, default_substream: 2, inner: 1, outer: 2, shareability: 3, format: 0 };
        for (entry, translation) in [
            (Ste::abort(), Translation::Abort),
            (Ste::bypass(), Translation::Bypass),
            (Ste::stage1(&QEMU, PhysAddr(0x4040)), Translation::Stage1(PhysAddr(0x4040))),
            (Ste::stage2(&QEMU, 5, ROOT), Translation::Stage2 { vmid: 5, root: ROOT, nested: false }),
            (Ste::nested(&QEMU, 5, ROOT, &table), Translation::Stage2 { vmid: 5, root: ROOT, nested: true }),
        ] {
            assert_eq!(Translation::of(&QEMU, entry.words()), translation);
        }
    }

    #[test]
    fn a_changed_bit_never_passes_for_the_same_translation() {
        for entry in [Ste::bypass(), Ste::stage1(&QEMU, PhysAddr(0x4040)), Ste::stage2(&QEMU, 5, ROOT)] {
            let before = Translation::of(&QEMU, entry.words());
            for bit in 0..512 {
                let mut words = entry.words();
                words[bit / 64] ^= 1 << (bit % 64);
                assert_ne!(Translation::of(&QEMU, words), before, "bit {bit} of {entry:?}");
            }
        }
        let mut left = Ste::abort().words();
        left[3] = ROOT.0;
        assert_eq!(Translation::of(&QEMU, left), Translation::Abort, "what is left of another entry means nothing");
        assert_eq!(Translation::of(&QEMU, [0; 8]), Translation::Unknown, "an invalid entry records an event");
    }
}
