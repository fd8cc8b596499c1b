use super::*;
use crate::features::QEMU;

const ONE: CdTable = CdTable { ipa: 0, max: 0, format: 0, default_substream: 0, inner: 0, outer: 0, shareability: 0 };

fn admit(words: [u64; 2]) -> Option<Stage1Command> {
    Stage1Command::admit(&QEMU, &ONE, words)
}

/// NUM 3, SCALE 2 and VMID 0xffff; leaf, level hint 3, 4 KiB granule.
const RANGE: [u64; 2] = [3 << 12 | 2 << 20 | 0xffff << 32, 1 | 3 << 8 | 1 << 10 | 0xfff0_1234_5678_9000];

#[test]
fn names_of_the_holder_are_taken_out() {
    use Stage1Command::{Descriptors, Translations};
    let asid = 0xabcd << 48;
    for (words, admitted) in [
        ([0x30, 0], Translations([0x10, 0])),
        ([0xffff_0000_0010, 0], Translations([0x10, 0])),
        ([asid | 7 << 32 | 0x11, 0], Translations([asid | 0x11, 0])),
        ([asid | 7 << 32 | 0x12, 0xffff_8000_0000_1001], Translations([asid | 0x12, 0xffff_8000_0000_1001])),
        ([7 << 32 | 0x13, 0x1000], Translations([0x13, 0x1000])),
        ([asid | RANGE[0] | 0x12, RANGE[1]], Translations([asid | 3 << 12 | 2 << 20 | 0x12, RANGE[1]])),
        ([RANGE[0] | 0x13, RANGE[1]], Translations([3 << 12 | 2 << 20 | 0x13, RANGE[1]])),
        ([0xdead_beef << 32 | 0x05, 1], Descriptors([0x05, 1])),
        ([0xdead_beef << 32 | 0x06, 0], Descriptors([0x06, 0])),
    ] {
        assert_eq!(admit(words), Some(admitted), "{words:x?}");
    }
}

#[test]
fn no_other_opcode_is_on_the_list() {
    let admitted = (0..=0xff).filter(|op| admit([*op, 0]).is_some());
    assert!(admitted.eq([0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x30]));
}

#[test]
fn reserved_bits_are_refused_one_by_one() {
    let asid = 0xffffu64 << 48;
    let vmid = 0xffffu64 << 32;
    let sid = 0xffff_ffffu64 << 32;
    let address = !0xfffu64;
    for (op, low, high) in [
        (0x30, 0, 0),
        (0x10, vmid, 0),
        (0x11, vmid | asid, 0),
        (0x12, vmid | asid, address | 1),
        (0x13, vmid, address | 1),
        (0x05, sid, 1),
        (0x06, sid, 0),
    ] {
        for bit in 8..64 {
            assert_eq!(admit([op | 1 << bit, 0]).is_some(), low >> bit & 1 == 1, "{op:#x} low {bit}");
        }
        for bit in 0..64 {
            assert_eq!(admit([op, 1 << bit]).is_some(), high >> bit & 1 == 1, "{op:#x} high {bit}");
        }
    }
}

#[test]
fn ranges_need_the_feature_a_granule_and_something_to_cover() {
    let words = [RANGE[0] | 0x13, RANGE[1]];
    let plain = Features { range_invalidation: false, ..QEMU };
    assert_eq!(Stage1Command::admit(&plain, &ONE, words), None);
    let small = Features { granule_16k: false, granule_64k: false, ..QEMU };
    let granule = |tg: u64| [words[0], words[1] & !(3 << 10) | tg << 10];
    assert_eq!([1, 2, 3].map(|tg| admit(granule(tg)).is_some()), [true; 3]);
    let admitted = [1, 2, 3].map(|tg| Stage1Command::admit(&small, &ONE, granule(tg)).is_some());
    assert_eq!(admitted, [true, false, false]);
    // One granule without a level hint; level 1 of 16 KiB.
    assert_eq!(admit([0x13, 1 << 10]), None);
    assert!(admit([0x13, 1 << 10 | 3 << 8]).is_some());
    assert_eq!(admit([1 << 12 | 0x13, 2 << 10 | 1 << 8]), None);
    // Without a granule the other fields of a range are reserved.
    for stray in [[1 << 12 | 0x13, 0], [1 << 20 | 0x13, 0], [0x13, 1 << 8]] {
        assert_eq!(admit(stray), None, "{stray:x?}");
    }
}

#[test]
fn numbers_are_bounded_by_what_the_smmu_and_the_table_have() {
    let narrow = Features { asid_bits: 8, ..QEMU };
    for op in [0x11, 0x12] {
        assert!(Stage1Command::admit(&narrow, &ONE, [0xff << 48 | op, 0]).is_some());
        assert_eq!(Stage1Command::admit(&narrow, &ONE, [0x100 << 48 | op, 0]), None);
    }
    let four = CdTable { max: 2, ..ONE };
    assert!(Stage1Command::admit(&QEMU, &four, [3 << 12 | 0x05, 0]).is_some());
    assert_eq!(Stage1Command::admit(&QEMU, &four, [4 << 12 | 0x05, 0]), None);
}
