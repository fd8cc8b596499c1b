//! Commands: which are legal, what becomes of them, and in how many calls.

use sluice_vmm::smmu::{Features, Interrupt, Stage1};

use crate::guest::{DESCRIPTORS, FEATURES, Guest, SYNC, at, table};
use crate::world::Call;

const SID: u64 = 0x18;

/// A guest whose stream has a table.
fn guest(features: Features) -> Guest {
    let mut guest = Guest::running(features, &[SID as u32]);
    guest.attach(SID, DESCRIPTORS);
    guest.calls();
    guest
}

/// What becomes of a command: `None` when it is illegal, nothing when there is nothing to do.
fn becomes(features: Features, command: [u64; 2]) -> Option<Vec<[u64; 2]>> {
    let mut guest = guest(features);
    let calls = guest.commands(&[command]);
    let illegal = guest.errors() == 1;
    assert_eq!(guest.read(at::CMDQ_CONS) >> 24, u32::from(illegal), "{command:x?}");
    match &calls[..] {
        [Call::Interrupt(Interrupt::Errors)] if illegal => None,
        [] => Some(Vec::new()),
        [Call::Invalidate(0, commands)] => Some(commands.clone()),
        other => panic!("{command:x?} became {other:x?}"),
    }
}

#[test]
fn opcodes_are_those_of_stage_1() {
    let legal: Vec<u64> = (0..0x100).filter(|op| becomes(FEATURES, [*op, 0]).is_some()).collect();
    assert_eq!(legal, [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x30, 0x46]);
}

#[test]
fn commands_for_secure_streams_are_illegal() {
    for op in 1..=6 {
        assert_eq!(becomes(FEATURES, [op | 1 << 10 | SID << 32, 0]), None, "{op:#x}");
    }
}

#[test]
fn names_and_reserved_bits_are_dropped() {
    // All ones but for what a field of another name would make illegal.
    let all = u64::MAX;
    let va = 0xffff_1234_5678_9000;
    for (command, becomes_this) in [
        ([all & !0xff | 0x10, all], [0x10, 0]),
        ([all & !0xff | 0x30, all], [0x10, 0]),
        ([all & !0xff | 0x11, all], [0xffff << 48 | 0x11, 0]),
        ([7 << 48 | 0xbeef << 32 | 0x12, va | 0xe], [7 << 48 | 0x12, va]),
        ([7 << 48 | 0xbeef << 32 | 0x13, va | 1], [0x13, va | 1]),
        ([SID << 32 | 0x05 | 1 << 8 | 0x31 << 12, all], [0x05, 1]),
        ([SID << 32 | 0x06 | 0xfffff << 12, all], [0x06, 0]),
    ] {
        assert_eq!(becomes(FEATURES, command), Some(vec![becomes_this]), "{command:x?}");
    }
    let narrow = Features { wide_asids: false, ..FEATURES };
    assert_eq!(becomes(narrow, [0x1234 << 48 | 0x11, 0]), Some(vec![[0x34 << 48 | 0x11, 0]]));
}

#[test]
fn descriptors_of_strangers_are_nobodys() {
    assert_eq!(becomes(FEATURES, [0x19 << 32 | 0x05, 0]), Some(vec![]));
    assert_eq!(becomes(FEATURES, [0xffff_ffff << 32 | 0x06, 0]), Some(vec![]));
}

#[test]
fn substreams_that_the_table_does_not_have_were_never_cached() {
    let features = Features { ssid_bits: 8, ..FEATURES };
    let mut guest = Guest::running(features, &[SID as u32]);
    guest.attach(SID, 2 << 59 | DESCRIPTORS);
    let forget = |substream: u64| [SID << 32 | substream << 12 | 0x05, 1];
    let calls = guest.issue(&[forget(0), forget(3), forget(4), forget(0xff), SYNC]);
    assert_eq!(calls, [Call::Invalidate(0, vec![[0x05, 1], [3 << 12 | 0x05, 1]])]);
}

#[test]
fn ranges_need_a_granule_that_is_offered() {
    let (low, va) = (3 << 12 | 2 << 20 | 0x13, 0x8000_0000);
    let range = |tg: u64| [low, va | 3 << 8 | tg << 10];
    for tg in 1..4 {
        assert_eq!(becomes(FEATURES, range(tg)), Some(vec![range(tg)]));
    }
    let small = Features { granule_16k: false, granule_64k: false, ..FEATURES };
    assert_eq!([1, 2, 3].map(|tg| becomes(small, range(tg)).is_some()), [true, false, false]);
    // One granule without a level; level 1 of 16 KiB.
    assert_eq!(becomes(FEATURES, [0x13, va | 1 << 10]), None);
    assert_eq!(becomes(FEATURES, [low, va | 1 << 8 | 2 << 10]), None);
    // Without a granule, or where ranges are not offered, there is one address.
    assert_eq!(becomes(FEATURES, range(0)), Some(vec![[0x13, va]]));
    let plain = Features { range_invalidation: false, ..FEATURES };
    assert_eq!(becomes(plain, range(1)), Some(vec![[0x13, va]]));
}

#[test]
fn an_illegal_command_stops_the_queue_until_it_is_acknowledged() {
    let mut guest = guest(FEATURES);
    let before = guest.read(at::CMDQ_CONS);
    let all = [0x10, 0];
    let calls = guest.commands(&[all, [0xee, 0], all, SYNC]);
    assert_eq!(calls, [Call::Invalidate(0, vec![all]), Call::Interrupt(Interrupt::Errors)]);
    assert_eq!(guest.read(at::CMDQ_CONS), (1 << 24) | (before + 1));
    // Whatever the guest does but acknowledge it: with the command replaced, as Linux does it, nothing goes on yet.
    guest.machine.ram.store(crate::guest::COMMANDS + u64::from(before + 1) * 16, 0x46);
    assert_eq!((guest.commands(&[all]), guest.errors()), (vec![], 1));
    assert_eq!(guest.read(at::CMDQ_CONS), (1 << 24) | (before + 1));
    // Errors that are not active cannot be acknowledged.
    guest.write(at::GERRORN, 0xffff_fffe);
    assert_eq!((guest.errors(), guest.read(at::GERRORN)), (1, 0));
    guest.write(at::GERRORN, 1);
    assert_eq!(guest.calls(), [Call::Invalidate(0, vec![all]), Call::Invalidate(0, vec![all])]);
    assert_eq!((guest.errors(), guest.read(at::CMDQ_CONS) & 0xf_ffff), (0, before + 5));
    // The next one makes GERROR toggle back.
    guest.commands(&[[0xee, 0]]);
    assert_eq!((guest.read(at::GERROR), guest.read(at::GERRORN), guest.errors()), (0, 1, 1));
}

#[test]
fn errors_interrupt_only_where_that_is_enabled() {
    let mut guest = guest(FEATURES);
    guest.write(at::IRQ_CTRL, 4);
    assert_eq!(guest.commands(&[[0xee, 0]]), []);
    assert_eq!(guest.errors(), 1);
}

#[test]
fn syncs_signal_as_they_are_asked_to() {
    for (signal, calls) in [(0, vec![]), (1, vec![Call::Interrupt(Interrupt::Sync)]), (2, vec![])] {
        assert_eq!(guest(FEATURES).issue(&[[signal << 12 | 0x46, 0xffff_fffc]]), calls);
    }
    assert_eq!(becomes(FEATURES, [3 << 12 | 0x46, 0]), None);
}

#[test]
fn pages_are_collected_across_syncs() {
    let mut guest = guest(FEATURES);
    let one = |page: u64| [0x13, page << 12 | 1];
    let commands: Vec<[u64; 2]> = (0..40).flat_map(|page| [one(page), SYNC]).collect();
    assert_eq!(guest.issue(&commands), [Call::Invalidate(0, (0..40).map(one).collect())]);
    let commands: Vec<[u64; 2]> = (0..120).map(one).collect();
    let parts = [0..59, 59..118, 118..120].map(|part| Call::Invalidate(0, part.map(one).collect()));
    assert_eq!(guest.issue(&commands), parts);
}

#[test]
fn what_follows_a_sync_behind_tables_goes_in_a_call_of_its_own() {
    let mut guest = guest(FEATURES);
    let (descriptor, all, table, page) = ([SID << 32 | 0x05, 1], [0x10, 0], [0x13, 0x1000], [0x13, 0x2001]);
    let call = |commands: &[[u64; 2]]| Call::Invalidate(0, commands.to_vec());
    assert_eq!(guest.issue(&[descriptor, SYNC, page, SYNC]), [call(&[[0x05, 1]]), call(&[page])]);
    assert_eq!(guest.issue(&[page, table, SYNC, page, SYNC]), [call(&[page, table]), call(&[page])]);
    assert_eq!(guest.issue(&[all, SYNC, descriptor, SYNC]), [call(&[all]), call(&[[0x05, 1]])]);
    assert_eq!(guest.issue(&[page, SYNC, all, descriptor, SYNC]), [call(&[page, all, [0x05, 1]])]);
    assert_eq!(guest.issue(&[all, SYNC, SYNC]), [call(&[all])]);
}

#[test]
fn descriptors_of_a_table_that_has_gone_are_not_asked_for() {
    let features = Features { ssid_bits: 8, ..FEATURES };
    let mut guest = Guest::running(features, &[SID as u32]);
    guest.attach(SID, 2 << 59 | DESCRIPTORS);
    guest.calls();
    guest.entry(SID, DESCRIPTORS | 0b1011, 0);
    let calls = guest.issue(&[[0x10, 0], [SID << 32 | 3 << 12 | 0x05, 1], [SID << 32 | 0x03, 1], SYNC]);
    assert_eq!(calls, [Call::Stage1(0, table(DESCRIPTORS)), Call::Invalidate(0, vec![[0x10, 0]])]);
}

#[test]
fn streams_without_a_table_are_left_alone() {
    let mut guest = Guest::running(FEATURES, &[SID as u32, 0x20]);
    guest.entry(0x20, 0b1001, 0);
    guest.issue(&[[0x20 << 32 | 0x03, 1], SYNC]);
    assert_eq!(guest.machine.stage1, [Stage1::Abort, Stage1::Bypass]);
    let every = [[0x10, 0], [0x11, 0], [0x20 << 32 | 0x05, 0], [SID << 32 | 0x06, 0], SYNC];
    assert_eq!(guest.issue(&every), []);
}

#[test]
fn ranges_of_entries_reach_as_far_as_they_say() {
    for (sid, range, reached) in [
        (0u64, 31u64, [true; 4]),
        (0x40, 0, [true, true, false, false]),
        (0x43, 1, [true, true, true, false]),
        (0x47, 2, [true, true, true, true]),
        (0xffff_ffff, 31, [true; 4]),
        (0xffff_ffff, 30, [false; 4]),
        (0x48, 2, [false; 4]),
        (0x80, 6, [false; 4]),
        (0x80, 7, [true; 4]),
    ] {
        let sids = [0x40, 0x41, 0x42, 0x47];
        let mut guest = Guest::running(FEATURES, &sids);
        for sid in sids {
            guest.entry(sid.into(), 0b1001, 0);
        }
        guest.issue(&[[sid << 32 | 0x04, range], SYNC]);
        assert_eq!(guest.machine.stage1.iter().map(|one| *one == Stage1::Bypass).collect::<Vec<_>>(), reached);
    }
}
