//! Stream table entries: what is admitted, and what the host keeps to itself.

use sluice_abi::smmu::CdTable;
use sluice_vmm::smmu::{Features, Interrupt, Stage1};

use crate::guest::{DESCRIPTORS, EVENTS, FEATURES, Guest, SYNC, at, table};
use crate::world::Call;

const SID: u64 = 0x18;

/// What a stream does after its entry was replaced; `None` if the entry is illegal, which is an event.
fn admits(features: Features, words: [u64; 8]) -> Option<Stage1> {
    let mut guest = Guest::running(features, &[SID as u32]);
    // Something else first, so that a refusal is seen to abort.
    guest.entry(SID, 0b1001, 0);
    guest.issue(&[[SID << 32 | 3, 1]]);
    for (index, word) in words.into_iter().enumerate() {
        guest.machine.ram.store(crate::guest::STREAMS + 64 * SID + 8 * index as u64, word);
    }
    guest.calls();
    let calls = guest.issue(&[[SID << 32 | 3, 1], SYNC]);
    let told = calls.contains(&Call::Interrupt(Interrupt::Events));
    assert_eq!(guest.read(at::EVENTQ_PROD), u32::from(told));
    if !told {
        return Some(guest.machine.stage1[0]);
    }
    assert_eq!(guest.machine.stage1[0], Stage1::Abort);
    assert_eq!([0, 8, 16, 24].map(|at| guest.machine.ram.load(EVENTS + at)), [SID << 32 | 0x04, 0, 0, 0]);
    None
}

fn entry(word0: u64, word1: u64) -> [u64; 8] {
    [word0, word1, 0, 0, 0, 0, 0, 0]
}

fn fields(word0: u64, word1: u64) -> Option<CdTable> {
    match admits(FEATURES, entry(word0 | 0b1011, word1)) {
        Some(Stage1::Table(table)) => Some(table),
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn configurations_are_those_of_stage_1() {
    let config = |config: u64| admits(FEATURES, entry(DESCRIPTORS | config << 1 | 1, 0));
    assert_eq!([0, 1, 2, 3].map(config), [Some(Stage1::Abort); 4]);
    assert_eq!(config(4), Some(Stage1::Bypass));
    assert_eq!(config(5), Some(table(DESCRIPTORS)));
    // Stage 2, alone and behind stage 1.
    assert_eq!([6, 7].map(config), [None; 2]);
    // Nobody is told of an entry that nobody made.
    assert_eq!(admits(FEATURES, entry(!1, u64::MAX)), Some(Stage1::Abort));
}

#[test]
fn fields_that_break_a_rule_are_illegal() {
    for (word0, word1) in [
        (1 << 59, 0),
        (31 << 59, 0),
        // S1STALLD, STRW.
        (0, 1 << 27),
        (0, 1 << 30),
        (0, 2 << 30),
        (0, 3 << 30),
        // Beyond the output addresses.
        (1 << 44, 0),
        (1 << 55, 0),
    ] {
        assert_eq!(fields(word0, word1), None, "{word0:#x} {word1:#x}");
    }
    let small = Features { output_bits: 32, ..FEATURES };
    assert_eq!(admits(small, entry(1 << 32 | 0b1011, 0)), None);
    assert_eq!(admits(small, entry(0xffff_ffc0 | 0b1011, 0)), Some(table(0xffff_ffc0)));
}

#[test]
fn attributes_of_the_table_go_along() {
    for (word1, expected) in [
        (1 << 2, CdTable { inner: 1, ..CdTable::default() }),
        (2 << 4, CdTable { outer: 2, ..CdTable::default() }),
        (3 << 6, CdTable { shareability: 3, ..CdTable::default() }),
        // The reserved shareability, and what counts with substreams only.
        (1 << 6, CdTable::default()),
        (1, CdTable::default()),
        (3, CdTable::default()),
    ] {
        assert_eq!(fields(0, word1), Some(expected), "{word1:#x}");
    }
    // The format, without substreams.
    for format in 0..4 {
        assert_eq!(fields(format << 4, 0), Some(CdTable::default()));
    }
}

#[test]
fn tables_of_many_descriptors_are_linear_and_aligned() {
    let features = Features { ssid_bits: 10, ..FEATURES };
    let admits = |word0: u64, word1| admits(features, entry(word0 | 0b1011, word1));
    let many = |ipa, max, default_substream| {
        Some(Stage1::Table(CdTable { ipa, max, default_substream, ..CdTable::default() }))
    };
    assert_eq!(admits(10 << 59 | 0x4_ffc0, 0), many(0x4_0000, 10, 0));
    assert_eq!(admits(11 << 59, 0), None);
    let defaults = [0, 1, 2, 3].map(|dss| admits(1 << 59 | 0xc0, dss));
    assert_eq!(defaults, [0, 1, 2, 0].map(|dss| many(0x80, 1, dss)));
    assert_eq!([1, 2, 3].map(|format| admits(1 << 59 | format << 4, 0)), [None; 3]);
}

#[test]
fn what_belongs_to_the_host_or_to_absent_features_changes_nothing() {
    let word1_ignored = !(0xff | 1 << 27 | 3 << 30);
    let mut words = [u64::MAX; 8];
    words[0] = DESCRIPTORS | 0b1011;
    words[1] = word1_ignored;
    assert_eq!(admits(FEATURES, words), Some(table(DESCRIPTORS)));
    for bit in 0..64 {
        for word in 1..8 {
            let mut words = entry(DESCRIPTORS | 0b1011, 0);
            words[word] |= 1 << bit & if word == 1 { word1_ignored } else { u64::MAX };
            assert_eq!(admits(FEATURES, words), Some(table(DESCRIPTORS)), "word {word} bit {bit}");
        }
    }
    // Reserved bits of word 0.
    for bit in 56..59 {
        assert_eq!(admits(FEATURES, entry(1 << bit | DESCRIPTORS | 0b1011, 0)), Some(table(DESCRIPTORS)));
    }
}

#[test]
fn an_illegal_entry_is_told_once() {
    let mut guest = Guest::running(FEATURES, &[SID as u32]);
    let look = [[SID << 32 | 3, 1], SYNC];
    guest.entry(SID, 0b1111, 0);
    assert_eq!(guest.issue(&look), [Call::Interrupt(Interrupt::Events)]);
    assert_eq!(guest.issue(&look), []);
    guest.attach(SID, DESCRIPTORS);
    guest.calls();
    guest.entry(SID, 0b1111, 0);
    assert_eq!(guest.issue(&look), [Call::Stage1(0, Stage1::Abort), Call::Interrupt(Interrupt::Events)]);
    assert_eq!(guest.read(at::EVENTQ_PROD), 2);
}

#[test]
fn entries_count_when_the_guest_says_that_they_have_changed() {
    let mut guest = Guest::running(FEATURES, &[SID as u32]);
    guest.entry(SID, DESCRIPTORS | 0b1011, 0);
    assert_eq!(guest.issue(&[[0x10, 0], SYNC]), []);
    assert_eq!(guest.issue(&[[SID << 32 | 3, 0]]), [Call::Stage1(0, table(DESCRIPTORS))]);
    guest.entry(SID, 0, 0);
    assert_eq!(guest.issue(&[SYNC]), []);
    assert_eq!(guest.issue(&[[0x04, 31]]), [Call::Stage1(0, Stage1::Abort)]);
    // A table instead of another.
    guest.attach(SID, DESCRIPTORS);
    guest.calls();
    guest.entry(SID, (DESCRIPTORS + 64) | 0b1011, 0);
    assert_eq!(guest.issue(&[[SID << 32 | 3, 1]]), [Call::Stage1(0, table(DESCRIPTORS + 64))]);
    // Disabled, entries mean nothing; enabled again, they are read.
    guest.write(at::CR0, 0xc);
    assert_eq!(guest.calls(), [Call::Stage1(0, Stage1::Bypass)]);
    assert_eq!(guest.issue(&[[SID << 32 | 3, 1]]), []);
    guest.write(at::CR0, 0xd);
    assert_eq!(guest.calls(), [Call::Stage1(0, table(DESCRIPTORS + 64))]);
}

#[test]
fn a_prefetch_finds_an_entry_where_there_was_none() {
    let mut guest = Guest::running(FEATURES, &[SID as u32]);
    guest.entry(SID, 0, 0);
    guest.issue(&[[SID << 32 | 3, 1], SYNC]);
    guest.entry(SID, 0b1001, 0);
    assert_eq!(guest.issue(&[[0x19 << 32 | 1, 0]]), [], "another stream");
    assert_eq!(guest.issue(&[[SID << 32 | 1, 0]]), [Call::Stage1(0, Stage1::Bypass)]);
    // What was found stays until it is invalidated.
    guest.entry(SID, 0b0001, 0);
    assert_eq!(guest.issue(&[[SID << 32 | 1, 0], [SID << 32 | 2, 0], SYNC]), []);
}
