//! How many commands it takes.

use super::*;

const COUNT: u64 = 512;
/// 2 MiB of small pages, in one table.
const START: u64 = 0x20_0000_0000;

/// A bound device with 512 more pages, made of one Untyped; its slot, and that of the table they are in.
fn many_pages() -> (Device, u64, u64) {
    let mut device = Device::bound();
    let vspace = device.vspace;
    let used = device.system.untyped;
    let fits = |slot: &u64| matches!(device.system.cap(*slot), Cap::Untyped(cap) if cap.bits >= 21 && !cap.device);
    let free = (0..device.system.next_slot).find(|slot| *slot != used && fits(slot)).expect("another Untyped");
    let memory = device.system.make_from(free, ObjectType::Untyped, 21);
    let mut table = 0;
    for _ in 0..3 {
        let next = device.system.make(ObjectType::PageTable, 0);
        if device.system.call(next, Label::PageTableMap, &[vspace], &[START, 0]) == ok() {
            table = next;
        }
    }
    for first in [0, COUNT / 2] {
        let dest = device.system.next_slot;
        device.system.next_slot += COUNT / 2;
        assert_eq!(device.system.retype(memory, ObjectType::SmallPage, 0, dest, COUNT / 2), ok());
        for page in 0..COUNT / 2 {
            assert_eq!(device.system.map(dest + page, vspace, START + ((first + page) << 12), 3, 7), ok());
        }
    }
    device.system.model().speculate(STREAM as u32);
    assert_eq!(device.system.reached(STREAM).len() as u64, COUNT + 1);
    device.opcodes();
    (device, memory, table)
}

/// TLBI_S2_IPA of 512 pages from [`START`] on (NUM 15, SCALE 5, 4 KiB) in the device's context.
const RANGE: [u64; 2] = [3 << 32 | 15 << 12 | 5 << 20 | 0x2a, START | 1 << 10];
const SYNC: [u64; 2] = [0x46, 0];

#[test]
fn a_table_of_512_pages_goes_with_one_command_and_one_sync() {
    for unmap in [true, false] {
        let (mut device, _, table) = many_pages();
        if unmap {
            device.system.done(table, Label::PageTableUnmap, &[], &[]);
        } else {
            assert_eq!(device.system.delete(table), ok());
        }
        assert_eq!(device.system.model().take_executed(), [RANGE, SYNC]);
        assert_eq!(device.system.reached(STREAM).len(), 1);
    }
}

#[test]
fn revoking_512_pages_takes_one_command_and_one_sync() {
    let (mut device, memory, _) = many_pages();
    assert_eq!(device.system.watched(|system| system.revoke(memory)), ok());
    assert_eq!(device.system.model().take_executed(), [RANGE, SYNC]);
    assert_eq!(device.system.reached(STREAM).len(), 1);
}

#[test]
fn an_interrupted_revoke_has_forgotten_what_it_removed() {
    let (mut device, memory, _) = many_pages();
    let words = [memory, DEPTH];
    device.system.machine().interrupt_after(100);
    device.system.call_once(INIT_CNODE, Label::CNodeRevoke, &words);
    // What the capabilities say at the interrupt is what the device reaches, caches included.
    let left = device.system.entitled(STREAM);
    assert!(left.len() > 1 && (left.len() as u64) < COUNT, "{}", left.len());
    assert_eq!(device.system.reached(STREAM), left);
    assert_eq!(device.system.revoke(memory), ok());
    assert_eq!(device.system.reached(STREAM).len(), 1);
}

#[test]
fn pages_that_do_not_lie_side_by_side_are_all_forgotten() {
    let mut device = Device::bound();
    let vspace = device.vspace;
    let memory = device.system.make(ObjectType::Untyped, 16);
    for at in [AT + 0x2000, AT + 0x5000, AT + 0x6000, AT + 0x1000, AT + 0x9000] {
        let frame = device.system.make_from(memory, ObjectType::SmallPage, 0);
        assert_eq!(device.system.map(frame, vspace, at, 3, 7), ok());
    }
    device.system.model().speculate(STREAM as u32);
    assert_eq!(device.system.watched(|system| system.revoke(memory)), ok());
    assert_eq!(device.system.reached(STREAM).len(), 1);
}

/// What changes a context changes the entry of each of its streams, in one go that no interrupt ends: so many commands, and as
/// many of them SYNCs, for each stream and once for the context.
#[test]
fn a_context_costs_so_many_commands_for_each_of_its_streams() {
    type Change = (&'static str, Label, u64, u64);
    const UNASSIGN: Change = ("the VSpace goes", Label::CbUnassignVspace, 2, 2);
    const ASSIGN: Change = ("the VSpace comes back", Label::CbAssignVspace, 4, 0);
    const NEST: Change = ("a stage 1 comes", Label::CbAssignCdTable, 6, 2);
    const FLATTEN: Change = ("a stage 1 goes", Label::CbUnassignCdTable, 6, 2);
    for streams in [1, 2, 7] {
        let mut device = Device::bound();
        let (cb, vspace) = (device.cb, device.vspace);
        for more in 1..streams {
            let sid = device.system.next_slot;
            assert_eq!(device.system.get_sid(STREAM + more), ok());
            device.system.done(sid, Label::SidBindCb, &[cb], &[]);
        }
        for (what, label, each, once) in [NEST, FLATTEN, UNASSIGN, ASSIGN] {
            let caps = [vspace];
            let caps = if label == Label::CbAssignVspace { caps.as_slice() } else { &[] };
            let words = if label == Label::CbAssignCdTable { [AT, 0].as_slice() } else { &[] };
            device.opcodes();
            device.system.done(cb, label, caps, words);
            let opcodes = device.opcodes();
            assert_eq!(opcodes.len() as u64, each * streams + once, "{what}, {streams} streams: {opcodes:x?}");
            let syncs = opcodes.iter().filter(|opcode| **opcode == SYNC[0]).count();
            assert_eq!(syncs * 2, opcodes.len(), "{what}, {streams} streams");
        }
    }
}
