//! Commands as values (IHI 0070, chapter 4). The kernel issues no others.

use crate::regs::{CMD0_CFGI, CMD0_TLBI, CMD1_CFGI, CMD1_TLBI, opcode};

/// CFGI_STE_RANGE: every stream (CFGI_ALL).
const RANGE_ALL: u64 = 31;
/// TG: 4 KiB.
const GRANULE_4K: u64 = 1;
/// log2 of the granule.
const GRANULE_BITS: u32 = 12;
/// Largest NUM of a range: 32 scaled granules.
const MAX_NUM: u64 = 31;

/// A command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Forget the entry of a stream and, without `leaf`, the first-level descriptor that led to it.
    CfgiSte {
        /// The stream.
        sid: u32,
        /// Keep cached first-level descriptors.
        leaf: bool,
    },
    /// Forget the entries and descriptors of 2^`bits` streams (`bits` 1 to 31), aligned.
    CfgiSteRange {
        /// A stream of the range.
        sid: u32,
        /// log2 of the streams.
        bits: u32,
    },
    /// Forget all entries, descriptors and context descriptors.
    CfgiAll,
    /// Forget all context descriptors of a stream.
    CfgiCdAll {
        /// The stream.
        sid: u32,
    },
    /// Forget stage 1 of a VMID, and what combines it with stage 2.
    TlbiNhAll {
        /// The tag.
        vmid: u16,
    },
    /// Forget stage 1 of an ASID (where there is no stage 2).
    TlbiNhAsid {
        /// The tag.
        asid: u16,
    },
    /// Forget what stage 1 of an ASID says of one address, table descriptors included.
    TlbiNhVa {
        /// The tag.
        asid: u16,
        /// An address of the page or block.
        va: u64,
    },
    /// Forget what stage 1 of an ASID says of `(num + 1) << scale` pages. Needs IDR3.RIL.
    TlbiNhVaRange {
        /// The tag.
        asid: u16,
        /// First address.
        va: u64,
        /// Scaled granules, less one.
        num: u8,
        /// log2 of the scale; `num` and `scale` both 0 is reserved.
        scale: u8,
    },
    /// A holder's command about its own translations.
    Holders {
        /// The tag of the holder's context.
        vmid: u16,
        /// The command without a tag.
        words: [u64; 2],
    },
    /// A holder's command about its own context descriptors.
    HoldersOf {
        /// A stream of the holder's context.
        sid: u32,
        /// The command without a stream.
        words: [u64; 2],
    },
    /// Forget stages 1 and 2 of a VMID.
    TlbiS12Vmall {
        /// The tag.
        vmid: u16,
    },
    /// Forget what stage 2 says of one address, table descriptors included.
    TlbiS2Ipa {
        /// The tag.
        vmid: u16,
        /// An address of the page or block.
        ipa: u64,
    },
    /// Forget what stage 2 says of `(num + 1) << scale` pages, table descriptors included. Needs IDR3.RIL.
    TlbiS2Range {
        /// The tag.
        vmid: u16,
        /// First address.
        ipa: u64,
        /// Scaled granules, less one.
        num: u8,
        /// log2 of the scale; `num` and `scale` both 0 is reserved.
        scale: u8,
    },
    /// Forget every translation that is not EL2's.
    TlbiNsnhAll,
    /// Complete when everything before has completed; nothing is signalled.
    Sync,
}

impl Command {
    /// The two words of the command.
    #[must_use]
    pub fn words(self) -> [u64; 2] {
        let cfgi = |op, sid: u32| (CMD0_CFGI::OPCODE.val(op) + CMD0_CFGI::SID.val(u64::from(sid))).value;
        let tlbi = |op, vmid: u16| CMD0_TLBI::OPCODE.val(op) + CMD0_TLBI::VMID.val(u64::from(vmid));
        let stage1 = |op, asid: u16| tlbi(op, 0) + CMD0_TLBI::ASID.val(u64::from(asid));
        let address = |at: u64| CMD1_TLBI::ADDR.val(at >> GRANULE_BITS);
        let range = |num: u8, scale: u8| CMD0_TLBI::NUM.val(u64::from(num)) + CMD0_TLBI::SCALE.val(u64::from(scale));
        let granule = CMD1_TLBI::TG.val(GRANULE_4K);
        match self {
            Self::CfgiSte { sid, leaf } => [cfgi(opcode::CFGI_STE, sid), CMD1_CFGI::LEAF.val(u64::from(leaf)).value],
            Self::CfgiSteRange { sid, bits } => {
                [cfgi(opcode::CFGI_STE_RANGE, sid), CMD1_CFGI::RANGE.val(u64::from(bits.clamp(1, 32) - 1)).value]
            }
            Self::CfgiAll => [cfgi(opcode::CFGI_STE_RANGE, 0), CMD1_CFGI::RANGE.val(RANGE_ALL).value],
            Self::CfgiCdAll { sid } => [cfgi(opcode::CFGI_CD_ALL, sid), 0],
            Self::TlbiNhAll { vmid } => [tlbi(opcode::TLBI_NH_ALL, vmid).value, 0],
            Self::TlbiNhAsid { asid } => [stage1(opcode::TLBI_NH_ASID, asid).value, 0],
            Self::TlbiNhVa { asid, va } => [stage1(opcode::TLBI_NH_VA, asid).value, address(va).value],
            Self::TlbiNhVaRange { asid, va, num, scale } => {
                [(stage1(opcode::TLBI_NH_VA, asid) + range(num, scale)).value, (address(va) + granule).value]
            }
            Self::Holders { vmid, words: [low, high] } => [CMD0_TLBI::VMID.val(u64::from(vmid)).modify(low), high],
            Self::HoldersOf { sid, words: [low, high] } => [CMD0_CFGI::SID.val(u64::from(sid)).modify(low), high],
            Self::TlbiS12Vmall { vmid } => [tlbi(opcode::TLBI_S12_VMALL, vmid).value, 0],
            Self::TlbiS2Ipa { vmid, ipa } => [tlbi(opcode::TLBI_S2_IPA, vmid).value, address(ipa).value],
            Self::TlbiS2Range { vmid, ipa, num, scale } => {
                [(tlbi(opcode::TLBI_S2_IPA, vmid) + range(num, scale)).value, (address(ipa) + granule).value]
            }
            Self::TlbiNsnhAll => [CMD0_TLBI::OPCODE.val(opcode::TLBI_NSNH_ALL).value, 0],
            Self::Sync => [CMD0_TLBI::OPCODE.val(opcode::SYNC).value, 0],
        }
    }

    /// Everything cached under a tag.
    pub(crate) fn whole(tag: Tag) -> Self {
        match tag {
            Tag::Vmid(vmid) => Self::TlbiS12Vmall { vmid },
            Tag::Asid(asid) => Self::TlbiNhAsid { asid },
        }
    }

    /// One page or block.
    pub(crate) fn address(tag: Tag, at: u64) -> Self {
        match tag {
            Tag::Vmid(vmid) => Self::TlbiS2Ipa { vmid, ipa: at },
            Tag::Asid(asid) => Self::TlbiNhVa { asid, va: at },
        }
    }

    /// The command that covers the first part of a range of pages, and the pages it covers.
    ///
    /// A range command covers `(NUM + 1) << SCALE` pages (4.4.1.1): the largest scale whose multiple is not above
    /// `pages` leaves a remainder for the next command. A single page takes the plain form, since the range form of
    /// one granule without a level hint is reserved.
    pub(crate) fn part(tag: Tag, at: u64, pages: u64) -> (Self, u64) {
        let scale = (u64::BITS - pages.leading_zeros()).saturating_sub(MAX_NUM.count_ones());
        let multiple = (pages >> scale).min(MAX_NUM + 1);
        let covered = multiple << scale;
        if covered <= 1 {
            return (Self::address(tag, at), 1);
        }
        let (num, scale) = ((multiple - 1) as u8, scale as u8);
        let command = match tag {
            Tag::Vmid(vmid) => Self::TlbiS2Range { vmid, ipa: at, num, scale },
            Tag::Asid(asid) => Self::TlbiNhVaRange { asid, va: at, num, scale },
        };
        (command, covered)
    }
}

/// What a context's translations are tagged with: a VMID where stage 2 translates, else an ASID.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tag {
    /// Of stage 2.
    Vmid(u16),
    /// Of stage 1 alone.
    Asid(u16),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_carry_the_fields_of_the_document() {
        assert_eq!(Command::CfgiSte { sid: 0x0801, leaf: true }.words(), [0x0801_0000_0003, 1]);
        assert_eq!(Command::CfgiSteRange { sid: 0x100, bits: 8 }.words(), [0x100_0000_0004, 7]);
        assert_eq!(Command::CfgiAll.words(), [0x04, 31]);
        assert_eq!(Command::CfgiCdAll { sid: 0x0801 }.words(), [0x0801_0000_0006, 0]);
        assert_eq!(Command::TlbiNhAll { vmid: 0xabcd }.words(), [0xabcd_0000_0010, 0]);
        assert_eq!(Command::TlbiNhAsid { asid: 0xabcd }.words(), [0xabcd << 48 | 0x11, 0]);
        assert_eq!(Command::TlbiNhVa { asid: 3, va: 0x1234_5678 }.words(), [3 << 48 | 0x12, 0x1234_5000]);
        let range = Command::TlbiNhVaRange { asid: 3, va: 0x20_0000, num: 31, scale: 4 };
        assert_eq!(range.words(), [3 << 48 | 0x12 | 31 << 12 | 4 << 20, 0x20_0000 | 1 << 10]);
        assert_eq!(Command::Holders { vmid: 3, words: [9 << 48 | 0x11, 0] }.words(), [9 << 48 | 3 << 32 | 0x11, 0]);
        assert_eq!(Command::HoldersOf { sid: 0x801, words: [5 << 12 | 5, 1] }.words(), [0x801 << 32 | 5 << 12 | 5, 1]);
        assert_eq!(Command::TlbiS12Vmall { vmid: 0xabcd }.words(), [0xabcd_0000_0028, 0]);
        assert_eq!(Command::TlbiS2Ipa { vmid: 3, ipa: 0xabc_def1_2345 }.words(), [0x3_0000_002a, 0xabc_def1_2000]);
        let range = Command::TlbiS2Range { vmid: 3, ipa: 0x20_0000, num: 31, scale: 4 };
        assert_eq!(range.words(), [0x3_0000_002a | 31 << 12 | 4 << 20, 0x20_0000 | 1 << 10]);
        assert_eq!(Command::TlbiNsnhAll.words(), [0x30, 0]);
        assert_eq!(Command::Sync.words(), [0x46, 0]);
    }

    #[test]
    fn parts_cover_a_range_exactly_and_never_use_the_reserved_form() {
        for pages in (1..5000).chain([1 << 18, (1 << 32) - 1, 1 << 32]) {
            let (mut left, mut at, mut commands) = (pages, 0u64, 0);
            while left > 0 {
                let (command, covered) = Command::part(Tag::Vmid(7), at, left);
                if let Command::TlbiS2Range { ipa, num, scale, .. } = command {
                    assert_eq!((ipa, (u64::from(num) + 1) << scale), (at, covered));
                    assert!(num <= 31 && scale <= 31 && covered > 1);
                } else {
                    assert_eq!((command, covered), (Command::TlbiS2Ipa { vmid: 7, ipa: at }, 1));
                }
                left -= covered;
                at += covered << GRANULE_BITS;
                commands += 1;
            }
            assert!(commands <= 7, "{pages} pages took {commands} commands");
        }
    }
}
