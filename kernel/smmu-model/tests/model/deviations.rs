//! Where QEMU's SMMUv3 is known to differ from the architecture, and so from the model.
//!
//! Each is as narrow as it can be told from outside. A difference that none of them explains fails the test. The reader's
//! list is `docs/qemu-smmu.md`.

use sluice_abi::smmu::event;
use sluice_smmu::regs::{
    CD0, CD1, CD2, CMD0_CFGI, CMD0_SYNC, CMD0_TLBI, CMD1_TLBI, EVT1, STE0, STE1, STE2, config, opcode,
};

use crate::build::Built;
use crate::case::{CD_AT, FRAMES_AT, RAM_AT};
use crate::compare::{Difference, Seen};

/// Name and test of a known difference.
pub(crate) type Deviation = (&'static str, fn(&Built, &Difference) -> bool);

fn kind(seen: &Seen) -> Option<u64> {
    seen.record.map(|record| record[0] & 0xff)
}

fn stage2(seen: &Seen) -> bool {
    seen.record.is_some_and(|record| EVT1::S2.is_set(record[1]))
}

fn silent(seen: &Seen) -> bool {
    seen.reached.is_none() && seen.record.is_none()
}

fn has(built: &Built, stage: u64) -> bool {
    STE0::CONFIG.read(built.entry[0]) & stage == stage
}

fn class(seen: &Seen) -> u64 {
    seen.record.map_or(0, |record| EVT1::CLASS.read(record[1]))
}

/// Roots of the context descriptor's tables, where it enables them, by intermediate page.
pub(crate) fn roots(built: &Built) -> impl Iterator<Item = u64> + use<> {
    let [word0, word1, word2] = std::array::from_fn(|word| built.words[&(RAM_AT + CD_AT + 8 * word as u64)]);
    let low = (!CD0::EPD0.is_set(word0)).then(|| CD1::TTB0.read(word1) << 4);
    let high = (!CD0::EPD1.is_set(word0)).then(|| CD2::TTB1.read(word2) << 4);
    [low, high].into_iter().flatten().map(|root| root & !0xfff)
}

/// log2 of the bytes that an entry and a table of stage 2's first level cover.
fn root_coverage(built: &Built) -> (u64, u64) {
    let word = built.entry[2];
    let granule = [12, 16, 14, 12][STE2::S2TG.read(word) as usize];
    let level = if granule == 12 { 2u64 } else { 3 }.saturating_sub(STE2::S2SL0.read(word));
    let entry = granule + (granule - 3) * (3 - level);
    (entry, entry + granule - 3)
}

/// Of a concatenated root of stage 2, the first table serves every address (DDI 0487, D8.2.7).
fn first_table_of_a_root(built: &Built, difference: &Difference) -> bool {
    if !has(built, config::STAGE2) {
        return false;
    }
    let (_, covered) = root_coverage(built);
    let bits = 64 - STE2::S2T0SZ.read(built.entry[2]);
    // Structures and frames of stage 1 lie up to there.
    let highest = if has(built, config::STAGE1) { built.gigabyte + FRAMES_AT } else { difference.access.address };
    covered < bits && bits < 64 && highest >> covered != 0 && highest >> bits == 0
}

/// Addresses in bypass are not checked against the output size (3.4).
fn unlimited_bypass(built: &Built, difference: &Difference) -> bool {
    STE0::CONFIG.read(built.entry[0]) == config::BYPASS
        && kind(&difference.expected) == Some(event::F_ADDR_SIZE)
        && silent(&difference.seen)
}

/// Both roots of stage 1 are translated with the context descriptor, even one that is not used, and that a fault there
/// is recorded where the entry says so.
fn early_roots(built: &Built, difference: &Difference) -> bool {
    let Difference { seen, roots_fault, .. } = difference;
    let recorded = seen.record.map_or(!STE2::S2R.is_set(built.entry[2]), |record| {
        stage2(seen) && class(seen) == 1 && roots(built).any(|root| root == record[3])
    });
    has(built, config::NESTED) && *roots_fault && recorded && seen.reached.is_none()
}

/// A fault of stage 2 on a table of stage 1 is recorded as stage 1's, with the direction of the transaction, and where
/// the context descriptor says so.
fn table_faults_are_stage_1s(built: &Built, difference: &Difference) -> bool {
    let Difference { access, expected, seen, .. } = difference;
    let recorded_by = (STE2::S2R.is_set(built.entry[2]), CD0::R.is_set(built.words[&(RAM_AT + CD_AT)]));
    let as_stage1 = |record: [u64; 4]| {
        let word1 = EVT1::CLASS.val(1) + EVT1::RNW.val((!access.write).into());
        record[1..] == [word1.value, access.address, 0]
    };
    let recorded = match (expected.record, seen.record) {
        (Some(expected), Some(seen)) => expected[0] == seen[0] && as_stage1(seen),
        (Some(_), None) => recorded_by == (true, false),
        (None, Some(seen)) => recorded_by == (false, true) && as_stage1(seen),
        (None, None) => false,
    };
    let on_table = class(expected) == 1 && stage2(expected) || expected.record.is_none();
    has(built, config::NESTED) && on_table && recorded && expected.reached.is_none() && seen.reached.is_none()
}

/// An address beyond stage 2's input size faults without a record.
fn silent_beyond_stage_2(built: &Built, difference: &Difference) -> bool {
    let bits = 64 - STE2::S2T0SZ.read(built.entry[2]);
    has(built, config::STAGE2)
        && kind(&difference.expected) == Some(event::F_TRANSLATION)
        && stage2(&difference.expected)
        && difference.expected.record.is_some_and(|record| record[3] >> bits != 0)
        && silent(&difference.seen)
}

/// A first level whose entries each cover more than there are addresses is accepted (DDI 0487, D8.2.7).
fn root_that_resolves_nothing(built: &Built, difference: &Difference) -> bool {
    let bits = 64 - STE2::S2T0SZ.read(built.entry[2]);
    has(built, config::STAGE2)
        && kind(&difference.expected) == Some(event::C_BAD_STE)
        && kind(&difference.seen) != Some(event::C_BAD_STE)
        && root_coverage(built).0 >= bits
}

/// Bits of the root of stage 2 beyond the output size are dropped, where the entry is illegal (5.2, S2TTB).
fn far_root_is_cut_off(built: &Built, difference: &Difference) -> bool {
    has(built, config::STAGE2)
        && built.entry[3] >> 48 != 0
        && kind(&difference.expected) == Some(event::C_BAD_STE)
        && kind(&difference.seen) != Some(event::C_BAD_STE)
}

/// Stage 2 translates the first address of a stage-1 table, not that of the descriptor: they differ in rights, or in
/// being mapped, where a table of a large granule lies in several pages.
fn tables_by_their_first_address(built: &Built, difference: &Difference) -> bool {
    let word = built.words[&(RAM_AT + CD_AT)];
    let high = difference.access.address >> 55 & 1 == 1;
    let small = if high { CD0::TG1.read(word) == 2 } else { CD0::TG0.read(word) == 0 };
    // QEMU records such faults as stage 1's.
    let unrecorded = silent(&difference.expected) && !STE2::S2R.is_set(built.entry[2])
        || silent(&difference.seen) && !CD0::R.is_set(word);
    let on_table = class(&difference.expected) == 1 || class(&difference.seen) == 1 || unrecorded;
    has(built, config::NESTED) && !small && on_table
}

/// An entry whose stage-2 input size exceeds its own output size is refused; the limit is the SMMU's size (5.2, S2T0SZ).
fn input_limited_by_output(built: &Built, difference: &Difference) -> bool {
    let word = built.entry[2];
    let output = [32, 36, 40, 42, 44, 44, 44, 44][STE2::S2PS.read(word) as usize];
    has(built, config::STAGE2)
        && kind(&difference.seen) == Some(event::C_BAD_STE)
        && 64 - STE2::S2T0SZ.read(word) > output
}

/// S1CDMax and S1STALLD are checked in entries without stage 1, which do not use them.
fn needless_checks(built: &Built, difference: &Difference) -> bool {
    STE0::CONFIG.read(built.entry[0]) == config::STAGE2
        && (STE0::S1CDMAX.read(built.entry[0]) != 0 || STE1::S1STALLD.is_set(built.entry[1]))
        && kind(&difference.seen) == Some(event::C_BAD_STE)
}

/// The byte order of tables is looked at only where there are tables (5.4, ENDI).
fn byte_order_of_no_tables(built: &Built, difference: &Difference) -> bool {
    let word = built.words[&(RAM_AT + CD_AT)];
    has(built, config::STAGE1)
        && CD0::ENDI.is_set(word)
        && roots(built).next().is_none()
        && kind(&difference.expected) == Some(event::C_BAD_CD)
        && difference.seen.reached.is_none()
}

/// A block is accepted at every level (DDI 0487, D8.3.1: not at level 0, and at level 1 with the 4 KiB granule alone).
fn blocks_of_any_level(built: &Built, _: &Difference) -> bool {
    built.impossible_block
}

/// The address of a table is not checked against the output size: the walk goes on there (DDI 0487, D8.2.5).
fn unlimited_tables(_: &Built, difference: &Difference) -> bool {
    let refused = kind(&difference.expected) == Some(event::F_ADDR_SIZE) || silent(&difference.expected);
    let walked = kind(&difference.seen) == Some(event::F_WALK_EABT) || class(&difference.seen) == 1;
    refused && walked && difference.seen.reached.is_none()
}

/// An access that a cached translation does not permit at stage 2 faults without a record where there is stage 2 alone,
/// and without an intermediate address where there are both.
fn cached_refusals(built: &Built, difference: &Difference) -> bool {
    let Some(expected) = difference.expected.record else { return false };
    let seen = match STE0::CONFIG.read(built.entry[0]) {
        config::STAGE2 => None,
        _ => Some([expected[0], expected[1], expected[2], 0]),
    };
    let refused = kind(&difference.expected) == Some(event::F_PERMISSION) && stage2(&difference.expected);
    refused && difference.cached && difference.seen == Seen { reached: None, record: seen }
}

/// A read by a cached translation of both stages is not checked at stage 2: a page that is only written becomes readable
/// with its first write.
fn unchecked_cached_reads(built: &Built, difference: &Difference) -> bool {
    has(built, config::NESTED)
        && kind(&difference.expected) == Some(event::F_PERMISSION)
        && stage2(&difference.expected)
        && class(&difference.expected) == 2
        && !difference.access.write
        && difference.cached
        && difference.seen == Seen { reached: Some(difference.access.target), record: None }
}

/// A write that a table of stage 1 excludes (APTable) is refused there, before what is wrong further down is found.
fn refused_by_tables_first(built: &Built, difference: &Difference) -> bool {
    let Difference { access, expected, seen, .. } = difference;
    let excluded = built.words.values().any(|word| word & 3 == 3 && word >> 62 & 1 == 1);
    let refused = match seen.record {
        Some(_) => kind(seen) == Some(event::F_PERMISSION) && !stage2(seen) && class(seen) == 2,
        None => !CD0::R.is_set(built.words[&(RAM_AT + CD_AT)]),
    };
    has(built, config::STAGE1)
        && access.write
        && excluded
        && refused
        && expected.reached.is_none()
        && seen.reached.is_none()
}

/// What a table of stage 1 takes away (APTable) is not cached with the page below it: a write passes after a read.
fn table_rights_not_cached(built: &Built, difference: &Difference) -> bool {
    has(built, config::STAGE1)
        && difference.access.write
        && difference.cached
        && built.words.values().any(|word| word & 3 == 3 && word >> 62 & 1 == 1)
        && (kind(&difference.expected) == Some(event::F_PERMISSION) || silent(&difference.expected))
        && !stage2(&difference.expected)
        && difference.seen == Seen { reached: Some(difference.access.target), record: None }
}

/// Whether QEMU takes a command that the architecture makes illegal: for want of stage 1 (CFGI_CD), EL2, EL3, ATS, PRI or
/// stalls (4.3 to 4.6), for a Secure stream
/// (4.1.6), with a reserved signal (4.7.3), or for a range of which granule but neither length nor level is given (4.4.1).
pub(crate) fn taken_nevertheless([low, high]: [u64; 2]) -> bool {
    let no_range = CMD0_TLBI::NUM.read(low) == 0 && CMD0_TLBI::SCALE.read(low) == 0 && CMD1_TLBI::TTL.read(high) == 0;
    match low & 0xff {
        opcode::TLBI_NH_VA | opcode::TLBI_NH_VAA | opcode::TLBI_S2_IPA => CMD1_TLBI::TG.read(high) != 0 && no_range,
        opcode::PREFETCH_CONFIG | opcode::PREFETCH_ADDR => CMD0_CFGI::SSEC.is_set(low),
        opcode::CFGI_CD | opcode::CFGI_CD_ALL => !CMD0_CFGI::SSEC.is_set(low),
        opcode::TLBI_EL3_ALL | opcode::TLBI_EL3_VA => true,
        opcode::TLBI_EL2_ALL | opcode::TLBI_EL2_ASID | opcode::TLBI_EL2_VA | opcode::TLBI_EL2_VAA => true,
        opcode::ATC_INV | opcode::PRI_RESP | opcode::RESUME | opcode::STALL_TERM => true,
        opcode::SYNC => CMD0_SYNC::CS.read(low) == 3,
        _ => false,
    }
}

pub(crate) const DEVIATIONS: &[Deviation] = &[
    ("unlimited bypass", unlimited_bypass),
    ("first table of a concatenated root", first_table_of_a_root),
    ("early roots", early_roots),
    ("table faults are stage 1's", table_faults_are_stage_1s),
    ("silent beyond stage 2", silent_beyond_stage_2),
    ("root that resolves nothing", root_that_resolves_nothing),
    ("far root is cut off", far_root_is_cut_off),
    ("tables by their first address", tables_by_their_first_address),
    ("stage 2's input limited by its output", input_limited_by_output),
    ("stage 1's fields checked without stage 1", needless_checks),
    ("byte order of no tables", byte_order_of_no_tables),
    ("blocks of any level", blocks_of_any_level),
    ("unlimited tables", unlimited_tables),
    ("cached refusals", cached_refusals),
    ("unchecked cached reads", unchecked_cached_reads),
    ("refused by tables first", refused_by_tables_first),
    ("table rights not cached", table_rights_not_cached),
];

#[test]
fn every_difference_is_documented() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/qemu-smmu.md")).expect("readable");
    let rows: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    for (name, _) in DEVIATIONS {
        assert!(rows.contains(name), "{name} is not in docs/qemu-smmu.md");
    }
    assert_eq!(rows.len(), DEVIATIONS.len() + 1, "one row each, and the head");
}
