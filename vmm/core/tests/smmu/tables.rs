//! Stream tables, linear and with two levels.

use sluice_vmm::layout::RAM_BASE;
use sluice_vmm::smmu::{Features, Stage1};

use crate::guest::{BEYOND, FEATURES, Guest, RAM_BYTES, STREAMS, at};

/// An entry that bypasses, which is how these tests see that it was found.
const FOUND: u64 = 0b1001;
/// STRTAB_BASE_CFG.FMT.
const TWO_LEVELS: u32 = 1 << 16;

/// Whether the stream finds an entry that bypasses where `stores` put some.
fn finds(features: Features, sid: u32, base: u64, config: u32, stores: &[(u64, u64)]) -> bool {
    let mut guest = Guest::new(features, &[sid]);
    guest.write64(at::STRTAB_BASE, base);
    guest.write(at::STRTAB_BASE_CFG, config);
    for (at, value) in stores {
        guest.machine.ram.store(*at, *value);
    }
    guest.write(at::CR0, 1);
    assert!(guest.machine.ram.reads.get() <= 2);
    match guest.machine.stage1[0] {
        Stage1::Bypass => true,
        Stage1::Abort => false,
        Stage1::Table(table) => panic!("{table:?}"),
    }
}

#[test]
fn linear_tables_have_as_many_entries_as_they_say() {
    let finds = |sid: u32, config| finds(FEATURES, sid, STREAMS, config, &[(STREAMS + 64 * u64::from(sid), FOUND)]);
    assert!(finds(0, 0) && !finds(1, 0));
    assert!(finds(0xff, 8) && !finds(0x100, 8));
    // SPLIT is of no meaning, the reserved format is linear.
    assert!(finds(0x1f, 5 | 6 << 6) && finds(0x1f, 5 | 2 << 16) && finds(0x1f, 5 | 3 << 16));
}

#[test]
fn sizes_end_at_the_streams_that_there_are() {
    let narrow = Features { sid_bits: 6, ..FEATURES };
    // A base that is aligned to 64 entries, not to the 2^16 that the guest says.
    let base = RAM_BASE + 0x3000;
    assert!(finds(narrow, 0x3f, base, 16, &[(base + 64 * 0x3f, FOUND)]));
}

#[test]
fn linear_tables_are_aligned_to_their_size() {
    let at_its_own = &[(STREAMS + 64, FOUND)];
    assert!(finds(FEATURES, 1, STREAMS + 0x1fc0, 7, at_its_own));
    assert!(!finds(FEATURES, 1, STREAMS + 0x2000, 7, at_its_own));
}

/// First-level table, and a second-level one aligned for 2^10 entries.
const FIRST: u64 = STREAMS;
const SECOND: u64 = RAM_BASE + 0x2_0000;

#[test]
fn two_levels_split_where_they_say() {
    for (split, bits) in [(6, 6), (8, 8), (10, 10), (0, 6), (7, 6), (9, 6), (31, 6u32)] {
        let config = TWO_LEVELS | split << 6 | 16;
        for sid in [0u32, 1, 0x3f, 0x40, 0x155, 0x3ff, 0x1234] {
            let (first, second) = (u64::from(sid >> bits), u64::from(sid & ((1 << bits) - 1)));
            let stores = [(FIRST + 8 * first, SECOND | (u64::from(bits) + 1)), (SECOND + 64 * second, FOUND)];
            assert!(finds(FEATURES, sid, FIRST, config, &stores), "split {split} stream {sid:#x}");
        }
    }
}

#[test]
fn spans_bound_second_level_tables() {
    let config = TWO_LEVELS | 8 << 6 | 16;
    let finds = |sid: u32, span: u64| {
        let entry = SECOND + 64 * u64::from(sid);
        finds(FEATURES, sid, FIRST, config, &[(FIRST, SECOND | span), (entry, FOUND)])
    };
    assert!(!finds(0, 0), "a span of 0 is no table");
    assert!(finds(0, 1) && !finds(1, 1));
    assert!(finds(1, 2) && !finds(2, 2));
    assert!(finds(0xff, 9) && !finds(0x80, 8));
    assert!((10..32).all(|span| !finds(0, span)), "larger than the split");
}

#[test]
fn second_level_tables_are_aligned_to_their_span() {
    let config = TWO_LEVELS | 8 << 6 | 16;
    let finds = |pointer: u64, at: u64| finds(FEATURES, 1, FIRST, config, &[(FIRST, pointer | 9), (at + 64, FOUND)]);
    assert!(finds(SECOND + 0x3fc0, SECOND));
    assert!(!finds(SECOND + 0x4000, SECOND));
}

#[test]
fn tables_outside_memory_have_no_entries() {
    for base in [0, RAM_BASE - 0x4000, BEYOND, (1 << 44) - 64, u64::MAX] {
        for config in [8, TWO_LEVELS | 8 << 6 | 16] {
            assert!(!finds(FEATURES, 0x18, base, config, &[]), "{base:#x}");
        }
        let pointer = base & !0x3f;
        assert!(!finds(FEATURES, 0x18, FIRST, TWO_LEVELS | 8 << 6 | 16, &[(FIRST, pointer | 9)]), "{base:#x}");
    }
    // An entry half of which is memory.
    let last = RAM_BASE + RAM_BYTES - 64;
    assert!(finds(FEATURES, 0, last, 0, &[(last, FOUND)]));
    // Address bits that are not offered are not kept.
    let small = Features { output_bits: 32, ..FEATURES };
    assert!(finds(small, 0, STREAMS | 1 << 40, 0, &[(STREAMS, FOUND)]));
    assert!(!finds(small, 0, FIRST, TWO_LEVELS | 8 << 6 | 16, &[(FIRST, SECOND | 1 << 40 | 9), (SECOND, FOUND)]));
}
