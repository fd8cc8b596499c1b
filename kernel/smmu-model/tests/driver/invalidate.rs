//! What is unmapped is gone after the call, and only then.

use crate::rig::{PLAIN, Rig, SID, Tables, VMID, pages};
use sluice_abi::{Iova, PhysAddr};
use sluice_smmu_model::{Abort, Identity, Reach};

const ROOT: PhysAddr = PhysAddr(0x6000_0000);
const FRAME: PhysAddr = PhysAddr(0x7000_0000);

fn bound(identity: Identity) -> (Rig, Tables) {
    let rig = Rig::enabled(identity);
    let tables = Tables::new(&rig.model, ROOT);
    for page in 0..200 {
        tables.map(&rig.model, page, FRAME.offset(page << 12), true);
    }
    rig.write(&rig.stage2(VMID, tables.root)).expect("bind");
    rig.model.speculate(SID);
    (rig, tables)
}

#[test]
fn without_invalidation_the_page_stays_reachable() {
    let (rig, tables) = bound(Identity::QEMU);
    tables.unmap(&rig.model, 3);
    assert_eq!(rig.model.access(SID, Iova(0x3000), true), Ok(FRAME.offset(0x3000)));
    // Queued is not done: commands take effect with the SYNC.
    rig.smmu.invalidate(&*rig.model, VMID, 0x3000, 0x1000, 12).expect("queue");
    assert_eq!(rig.model.access(SID, Iova(0x3000), true), Ok(FRAME.offset(0x3000)));
    rig.smmu.sync(&*rig.model).expect("sync");
    assert_eq!(rig.model.access(SID, Iova(0x3000), true), Err(Abort::Event(0x10)));
    assert_eq!(rig.model.access(SID, Iova(0x4000), true), Ok(FRAME.offset(0x4000)), "the neighbour stays");
}

#[test]
fn the_wrong_tag_forgets_nothing() {
    let (rig, tables) = bound(Identity::QEMU);
    tables.unmap(&rig.model, 3);
    rig.smmu.invalidate_context(&*rig.model, VMID + 1).expect("invalidate");
    assert!(rig.model.access(SID, Iova(0x3000), true).is_ok());
    rig.smmu.invalidate_context(&*rig.model, VMID).expect("invalidate");
    assert!(rig.model.access(SID, Iova(0x3000), true).is_err());
}

#[test]
fn ranges_of_any_length_are_forgotten_whole() {
    for identity in [Identity::QEMU, PLAIN] {
        for (first, count) in [(0u64, 1u64), (3, 2), (7, 31), (8, 32), (1, 33), (5, 100), (0, 200)] {
            let (rig, tables) = bound(identity);
            for page in first..first + count {
                tables.unmap(&rig.model, page);
            }
            rig.smmu.invalidate_range(&*rig.model, VMID, first << 12, count << 12, 12).expect("invalidate");
            let left: Vec<u64> = (0..200).filter(|page| !(first..first + count).contains(page)).collect();
            let Reach::Pages(reach) = rig.model.reach(SID) else { panic!("bypass") };
            assert_eq!(reach.iter().map(|page| page.iova >> 12).collect::<Vec<_>>(), left, "{first}+{count}");
        }
    }
}

#[test]
fn short_ranges_do_not_drop_the_context() {
    for identity in [Identity::QEMU, PLAIN] {
        let (rig, _tables) = bound(identity);
        rig.model.take_executed();
        rig.smmu.invalidate_range(&*rig.model, VMID, 0x5000, 0x4000, 12).expect("invalidate");
        let opcodes: Vec<u64> = rig.model.take_executed().iter().map(|[low, _]| low & 0xff).collect();
        assert!(opcodes.iter().all(|op| [0x2a, 0x46].contains(op)), "{opcodes:x?}");
        assert_eq!(opcodes.last(), Some(&0x46));
    }
    // Many single pages are dearer than the context.
    let (rig, _tables) = bound(PLAIN);
    rig.model.take_executed();
    rig.smmu.invalidate_range(&*rig.model, VMID, 0, 200 << 12, 12).expect("invalidate");
    assert_eq!(rig.model.take_executed(), [[0x5_0000_0028, 0], [0x46, 0]]);
}

#[test]
fn a_frame_made_read_only_is_read_only_after_the_call() {
    let (rig, tables) = bound(Identity::QEMU);
    tables.map(&rig.model, 9, FRAME.offset(0x9000), false);
    rig.smmu.invalidate_range(&*rig.model, VMID, 0x9000, 0x1000, 12).expect("invalidate");
    assert_eq!(rig.model.access(SID, Iova(0x9000), false), Ok(FRAME.offset(0x9000)));
    assert_eq!(rig.model.access(SID, Iova(0x9000), true), Err(Abort::Event(0x13)));
}

#[test]
fn the_command_queue_wraps_many_times() {
    // Four entries.
    let (rig, tables) = bound(Identity { idr1: 0x0273_0010 & !(0x1f << 21) | 2 << 21, ..Identity::QEMU });
    for round in 0..50u64 {
        let page = round % 100;
        tables.unmap(&rig.model, page);
        for _ in 0..round % 7 {
            rig.smmu.invalidate(&*rig.model, VMID + 9, 0, 0x1000, 12).expect("queue");
        }
        rig.smmu.invalidate_range(&*rig.model, VMID, page << 12, 0x1000, 12).expect("invalidate");
        assert_eq!(rig.model.access(SID, Iova(page << 12), false), Err(Abort::Event(0x10)));
        tables.map(&rig.model, page, FRAME, false);
    }
    assert_eq!(rig.model.access(SID, Iova(0), false), Ok(FRAME));
}

#[test]
fn tables_are_walked_as_the_kernel_writes_them() {
    let rig = Rig::enabled(Identity::QEMU);
    let tables = Tables::new(&rig.model, ROOT);
    tables.map(&rig.model, 511, PhysAddr(0xfff_ffff_f000), false);
    rig.write(&rig.stage2(VMID, tables.root)).expect("bind");
    assert_eq!(rig.model.reach(SID), pages([(511, 0xfff_ffff_f000, false)]));
}

#[test]
fn commands_given_are_counted() {
    let (rig, _tables) = bound(PLAIN);
    let before = rig.smmu.issued();
    for _ in 0..300 {
        rig.smmu.invalidate_range(&*rig.model, VMID, 0x5000, 0x4000, 12).expect("invalidate");
    }
    let after = rig.smmu.issued();
    assert_eq!((after.commands - before.commands, after.syncs - before.syncs), (300 * 5, 300));
}

#[test]
fn up_to_512_pages_anywhere_take_two_commands_and_one_sync() {
    let (rig, _tables) = bound(Identity::QEMU);
    let mut most = 0;
    for first in [0, 1, 7, 31, 32, 511, 0x7_ffff] {
        for count in 1..=512u64 {
            rig.model.take_executed();
            rig.smmu.invalidate_range(&*rig.model, VMID, first << 12, count << 12, 12).expect("invalidate");
            let opcodes: Vec<u64> = rig.model.take_executed().iter().map(|[low, _]| low & 0xff).collect();
            let (sync, ranges) = opcodes.split_last().expect("commands");
            assert!(*sync == 0x46 && ranges.iter().all(|opcode| *opcode == 0x2a), "{opcodes:x?}");
            most = most.max(ranges.len());
        }
    }
    assert_eq!(most, 2);
}
