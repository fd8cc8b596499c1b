//! Descriptors, exhaustively where they are few and at random where they are many.

use proptest::prelude::*;
use sluice_abi::{FrameSize, PhysAddr};
use sluice_paging::{Access, Entry, Format, Leaf, MemoryType};

const FORMATS: [Format; 2] = [Format::STAGE1, Format::STAGE2];

fn accesses() -> impl Iterator<Item = Access> {
    (0..8u8).map(|bits| Access { read: bits & 1 != 0, write: bits & 2 != 0, execute: bits & 4 != 0 })
}

fn leaves() -> impl Iterator<Item = Leaf> {
    let shapes = FrameSize::ALL.into_iter().flat_map(|size| {
        let last = (1u64 << 44) - size.bytes();
        [0, size.bytes(), 0x4000_0000, last].map(move |address| (size, PhysAddr(address)))
    });
    shapes.flat_map(|(size, address)| {
        accesses().flat_map(move |access| {
            [MemoryType::Normal, MemoryType::Device].map(|memory| Leaf { address, size, access, memory })
        })
    })
}

#[test]
fn every_leaf_survives_the_round_trip() {
    for format in FORMATS {
        for leaf in leaves() {
            let word = format.encode_leaf(&leaf);
            assert_eq!(
                format.decode(Format::level_of(leaf.size), word),
                Entry::Leaf(format.effective(leaf)),
                "{leaf:?}"
            );
        }
    }
}

#[test]
fn a_leaf_is_a_leaf_at_its_own_level_only() {
    for leaf in leaves() {
        let word = Format::STAGE2.encode_leaf(&leaf);
        assert_eq!(Format::STAGE2.decode(0, word), Entry::Invalid, "level 0 has no blocks: {leaf:?}");
        if leaf.size == FrameSize::Small {
            // a page descriptor looks like a table descriptor, but for attributes that a table of ours never has
            assert_eq!(Format::STAGE2.decode(2, word), Entry::Invalid);
        } else {
            assert_eq!(Format::STAGE2.decode(3, word), Entry::Invalid, "level 3 reserves bit 1 clear: {leaf:?}");
        }
    }
}

#[test]
fn stage_1_never_grants_what_it_cannot_express() {
    for leaf in leaves() {
        let effective = Format::STAGE1.effective(leaf).access;
        assert!(!effective.read || leaf.access.read);
        assert!(!effective.write || leaf.access.write);
        assert!(!effective.execute || leaf.access.execute);
        let word = Format::STAGE1.encode_leaf(&leaf);
        assert_eq!(word & (1 << 10) != 0, leaf.access.read, "AF clear faults every access");
        assert_ne!(word & 1, 0, "the address stays occupied");
    }
}

/// Words worked out by hand from the field tables of DDI 0487 D8.3, D8.4 and D8.6.
#[test]
fn known_words() {
    let leaf = |address, size, access, memory| Leaf { address: PhysAddr(address), size, access, memory };
    let all = Access { read: true, write: true, execute: true };
    let cases = [
        (Format::STAGE2, leaf(0x4000_1000, FrameSize::Small, all, MemoryType::Normal), 0x4000_17ff),
        (Format::STAGE2, leaf(0x4000_1000, FrameSize::Small, Access::READ, MemoryType::Normal), 0x0040_0000_4000_177f),
        (Format::STAGE2, leaf(0x4000_1000, FrameSize::Small, Access::NONE, MemoryType::Normal), 0x0040_0000_4000_173f),
        (
            Format::STAGE2,
            leaf(0x0900_0000, FrameSize::Small, Access::READ_WRITE, MemoryType::Device),
            0x0040_0000_0900_07c3,
        ),
        (
            Format::STAGE2,
            leaf(0x4020_0000, FrameSize::Large, Access::READ_WRITE, MemoryType::Normal),
            0x0040_0000_4020_07fd,
        ),
        (
            Format::STAGE2,
            leaf(0x80_4000_0000, FrameSize::Huge, Access::READ, MemoryType::Normal),
            0x0040_0080_4000_077d,
        ),
        (
            Format::STAGE1,
            leaf(0x4000_1000, FrameSize::Small, Access::READ_WRITE, MemoryType::Normal),
            0x0060_0000_4000_1f43,
        ),
        (Format::STAGE1, leaf(0x4020_0000, FrameSize::Large, Access::READ, MemoryType::Device), 0x0060_0000_4020_0fc5),
        (Format::STAGE1, leaf(0x4000_1000, FrameSize::Small, all, MemoryType::Normal), 0x4000_1f43),
    ];
    for (format, leaf, word) in cases {
        assert_eq!(format.encode_leaf(&leaf), word, "{leaf:?}: {:#x}", format.encode_leaf(&leaf));
    }
    assert_eq!(Format::STAGE2.encode_table(PhysAddr(0x4812_3000)), 0x4812_3003);
}

#[test]
fn geometry() {
    assert_eq!([0, 1, 2, 3].map(Format::coverage_bits), [39, 30, 21, 12]);
    let va = (31 << 39) | (257 << 30) | (3 << 21) | (511 << 12) | 0xabc;
    assert_eq!([0, 1, 2, 3].map(|level| Format::index(level, va)), [31, 257, 3, 511]);
    for size in FrameSize::ALL {
        assert_eq!(Format::size_at(Format::level_of(size)), Some(size));
        assert_eq!(Format::coverage_bits(Format::level_of(size)), size.bits());
    }
    assert_eq!((Format::size_at(0), Format::size_at(4)), (None, None));
}

/// Single bits that turn a good descriptor into one nobody meant.
#[test]
fn a_flipped_attribute_bit_is_never_accepted_as_something_else_stronger() {
    for leaf in leaves() {
        let level = Format::level_of(leaf.size);
        let word = Format::STAGE2.encode_leaf(&leaf);
        let read_write_execute = [6, 7, 54];
        for bit in (2..12).chain(48..64) {
            let meaning = Format::STAGE2.decode(level, word ^ (1 << bit));
            if read_write_execute.contains(&bit) {
                assert!(matches!(meaning, Entry::Leaf(_)));
            } else {
                assert_eq!(meaning, Entry::Invalid, "bit {bit} of {leaf:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decode_accepts_exactly_what_encode_produces(word: u64, low in 0u64..4096, level in 0u8..=5, shape in 0u8..3) {
        // raw words are nearly always invalid: bias some towards plausible addresses and attributes
        let word = match shape {
            0 => word,
            1 => (word & 0x0000_0fff_ffff_f000) | low,
            _ => (word & 0x0060_0fff_c000_0000) | low | 0x401,
        };
        for format in FORMATS {
            match format.decode(level, word) {
                Entry::Invalid => {}
                Entry::Table(table) => {
                    prop_assert!(level < 3);
                    prop_assert_eq!(format.encode_table(table), word);
                }
                Entry::Leaf(leaf) => {
                    prop_assert_eq!(Format::level_of(leaf.size), level);
                    prop_assert!(leaf.address.is_aligned(leaf.size.bits()) && leaf.address.0 < 1 << 44);
                    prop_assert_eq!(format.encode_leaf(&leaf), word);
                }
            }
        }
    }
}
