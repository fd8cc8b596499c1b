//! Streams reach what their entry says, and nothing else between any two stores.

use std::cell::RefCell;
use std::rc::Rc;

use crate::rig::{BASE, PLAIN, Rig, SID, TABLE, Tables, VMID, pages};
use sluice_abi::smmu::event;
use sluice_abi::{Iova, PhysAddr};
use sluice_paging::TableMemory;
use sluice_smmu::{Bus, Failure, Features, Memory, Mode, Smmu, Ste, memory_needed};
use sluice_smmu_model::{Abort, Identity, Model, Reach};

const OLD: PhysAddr = PhysAddr(0x6000_0000);
const NEW: PhysAddr = PhysAddr(0x6100_0000);

/// Collects what the stream may reach after every store and register write.
pub(crate) fn watch(model: &Model) -> Rc<RefCell<Vec<Reach>>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&seen);
    model.watch(move |model| {
        sink.borrow_mut().push(model.reach(SID));
        // An SMMU may fetch the entry at this very moment and keep it.
        let _: Result<_, _> = model.access(SID, Iova(0xffff_f000), false);
        model.speculate(SID);
    });
    seen
}

#[test]
fn streams_abort_from_the_first_write_that_can_make_them() {
    for identity in [Identity::QEMU, PLAIN] {
        let rig = Rig::new(identity);
        assert_eq!(rig.model.reach(SID), Reach::Everything, "firmware's bypass is the positive control");
        let seen = watch(&rig.model);
        rig.smmu.enable(&*rig.model).expect("enable");
        rig.smmu.install_stream_table(&*rig.model, crate::rig::FIRST_SID, TABLE).expect("install");
        rig.model.unwatch();
        // The first write of all is GBPA's.
        assert!(seen.borrow().len() > 20);
        assert!(seen.borrow().iter().all(|reach| *reach == Reach::nothing()));
        assert_eq!(rig.smmu.mode(), Mode::Enabled);
        assert_eq!(rig.model.access(SID, Iova(0), true), Err(Abort::Configured));
    }
}

#[test]
fn bind_rebind_and_unbind_show_only_the_old_the_new_or_nothing() {
    for identity in [Identity::QEMU, PLAIN] {
        let rig = Rig::enabled(identity);
        let (old, new) = (Tables::new(&rig.model, OLD), Tables::new(&rig.model, NEW));
        old.map(&rig.model, 1, PhysAddr(0x7000_0000), true);
        old.map(&rig.model, 2, PhysAddr(0x7000_1000), false);
        new.map(&rig.model, 1, PhysAddr(0x7100_0000), false);
        let reaches = [
            (Ste::abort(), Reach::nothing()),
            (rig.stage2(VMID, old.root), pages([(1, 0x7000_0000, true), (2, 0x7000_1000, false)])),
            (rig.stage2(VMID + 1, new.root), pages([(1, 0x7100_0000, false)])),
        ];
        // Every ordered pair of states, twice over.
        for (from, to) in [(0, 1), (1, 2), (2, 1), (1, 0), (0, 2), (2, 0), (0, 1), (1, 0)] {
            assert_eq!(rig.model.reach(SID), reaches[from].1);
            let seen = watch(&rig.model);
            rig.write(&reaches[to].0).expect("write");
            rig.model.unwatch();
            for reach in seen.borrow().iter() {
                assert!(reach.within(&reaches[from].1) || reach.within(&reaches[to].1), "{from}->{to}: {reach:?}");
            }
            assert_eq!(rig.model.reach(SID), reaches[to].1);
        }
        assert!(matches!(rig.model.access(SID + 1, Iova(0x1000), false), Err(Abort::Configured)));
    }
}

#[test]
fn a_careless_publication_is_seen() {
    let rig = Rig::enabled(Identity::QEMU);
    let (old, new) = (Tables::new(&rig.model, OLD), Tables::new(&rig.model, NEW));
    old.map(&rig.model, 1, PhysAddr(0x7000_0000), true);
    new.map(&rig.model, 1, PhysAddr(0x7100_0000), true);
    rig.write(&rig.stage2(VMID, old.root)).expect("bind");
    // All words at once over a live entry, the last one included: a fetch may join both.
    let words = rig.stage2(VMID + 1, new.root).words();
    for (word, offset) in words.into_iter().zip((0..).step_by(8)) {
        rig.model.store(rig.entry().offset(offset), word);
    }
    let both = pages([(1, 0x7000_0000, true), (1, 0x7100_0000, true)]);
    assert_eq!(rig.model.reach(SID), both);
}

#[test]
fn an_abort_without_cfgi_stays_open() {
    let rig = Rig::enabled(Identity::QEMU);
    let old = Tables::new(&rig.model, OLD);
    old.map(&rig.model, 1, PhysAddr(0x7000_0000), true);
    rig.write(&rig.stage2(VMID, old.root)).expect("bind");
    assert_eq!(rig.model.access(SID, Iova(0x1008), true), Ok(PhysAddr(0x7000_0008)));
    rig.model.store(rig.entry(), 1);
    assert_eq!(rig.model.access(SID, Iova(0x1008), true), Ok(PhysAddr(0x7000_0008)));
    rig.write(&rig.stage2(VMID, old.root)).expect("rebind");
    assert_eq!(rig.model.access(SID, Iova(0x1008), true), Ok(PhysAddr(0x7000_0008)));
    rig.write(&Ste::abort()).expect("unbind");
    assert_eq!(rig.model.access(SID, Iova(0x1008), true), Err(Abort::Configured));
    assert_eq!(rig.model.load(rig.entry().offset(24)), 0, "no stale table address stays in the entry");
}

#[test]
fn bypass_is_explicit_and_taken_back() {
    let rig = Rig::enabled(Identity::QEMU);
    rig.write(&Ste::bypass()).expect("bypass");
    assert_eq!(rig.model.reach(SID), Reach::Everything);
    assert_eq!(rig.model.reach(SID + 1), Reach::nothing());
    rig.write(&Ste::abort()).expect("abort");
    assert_eq!(rig.model.reach(SID), Reach::nothing());
}

#[test]
fn a_removed_table_is_not_read_again() {
    for identity in [Identity::QEMU, PLAIN] {
        let rig = Rig::enabled(identity);
        let old = Tables::new(&rig.model, OLD);
        old.map(&rig.model, 1, PhysAddr(0x7000_0000), true);
        rig.write(&rig.stage2(VMID, old.root)).expect("bind");
        assert!(rig.model.access(SID, Iova(0x1000), false).is_ok());
        rig.smmu.remove_stream_table(&*rig.model, crate::rig::FIRST_SID).expect("remove");
        assert_eq!(rig.model.reach(SID), Reach::nothing());
        assert!(rig.model.access(SID, Iova(0x1000), false).is_err());
    }
}

#[test]
fn what_is_out_of_range_changes_nothing() {
    let rig = Rig::enabled(Identity::QEMU);
    let changes = Rc::new(RefCell::new(0));
    let count = Rc::clone(&changes);
    rig.model.watch(move |_| *count.borrow_mut() += 1);
    let model = &*rig.model;
    assert_eq!(rig.smmu.install_stream_table(model, 0x1_0000, TABLE), Err(Failure::OutOfRange));
    assert_eq!(rig.smmu.install_stream_table(model, 0x101, TABLE), Err(Failure::OutOfRange));
    assert_eq!(rig.smmu.install_stream_table(model, 0x200, TABLE.offset(0x1000)), Err(Failure::OutOfRange));
    assert_eq!(rig.smmu.remove_stream_table(model, 0x8000_0000), Err(Failure::OutOfRange));
    assert_eq!(rig.smmu.write_ste(model, 0x1_0000, TABLE, &Ste::bypass()), Err(Failure::OutOfRange));
    assert_eq!(*changes.borrow(), 0);
    assert_eq!(rig.smmu.mode(), Mode::Enabled);
}

#[test]
fn off_mode_bypasses_and_issues_nothing() {
    let rig = Rig::new(Identity::QEMU);
    rig.smmu.leave_bypassed(&*rig.model).expect("off");
    rig.smmu.install_stream_table(&*rig.model, crate::rig::FIRST_SID, TABLE).expect("install");
    rig.write(&rig.stage2(VMID, OLD)).expect("bind");
    rig.smmu.invalidate_context(&*rig.model, VMID).expect("invalidate");
    assert_eq!(rig.model.take_executed(), Vec::<[u64; 2]>::new());
    assert_eq!(rig.model.reach(SID), Reach::Everything);
    assert_eq!(rig.model.load(rig.entry()) & 0xf, 0b1101, "the entry is maintained in memory");
    // And from there the SMMU can still be brought up, with the entry in force.
    rig.smmu.enable(&*rig.model).expect("enable");
    assert_eq!(rig.model.reach(SID), Reach::nothing());
}

#[test]
fn a_disable_aborts_and_an_enable_restores() {
    let rig = Rig::enabled(Identity::QEMU);
    let old = Tables::new(&rig.model, OLD);
    old.map(&rig.model, 1, PhysAddr(0x7000_0000), true);
    rig.write(&rig.stage2(VMID, old.root)).expect("bind");
    assert!(rig.model.access(SID, Iova(0x1000), true).is_ok());
    rig.smmu.disable(&*rig.model).expect("disable");
    assert_eq!(rig.model.access(SID, Iova(0x1000), true), Err(Abort::Configured));
    // Changed while down: the TLB still has the page, and enabling must forget it.
    old.unmap(&rig.model, 1);
    rig.smmu.invalidate_range(&*rig.model, VMID, 0x1000, 0x1000, 12).expect("nothing to do");
    rig.smmu.enable(&*rig.model).expect("enable");
    assert_eq!(rig.model.reach(SID), Reach::nothing());
    assert_eq!(rig.model.read32(crate::rig::BASE.offset(0x20)), 0xd);
    assert_eq!(rig.model.read32(crate::rig::BASE.offset(0x28)), 0xd75);
    assert_eq!(rig.model.read32(crate::rig::BASE.offset(0x2c)), 6);
}

/// A two-level table over all that 32 bits can name: its first level alone is 128 MiB.
#[test]
fn the_last_of_all_streams_is_one_like_the_others() {
    const LAST: u32 = u32::MAX;
    let identity = Identity { idr1: Identity::QEMU.idr1 & !0x3f | 32, ..Identity::QEMU };
    let model = Model::new(BASE, identity);
    let features = Features::read(&model, BASE).expect("supported");
    let needs = memory_needed(&features, LAST);
    assert_eq!((needs.stream_bits, needs.strtab_bytes), (32, 128 << 20));
    let memory = Memory { strtab: PhysAddr(0x8000_0000), cmdq: PhysAddr(0x4800_0000), evtq: PhysAddr(0x4900_0000) };
    let smmu = Smmu::new(BASE, features, needs, memory);
    smmu.enable(&model).expect("enable");
    smmu.install_stream_table(&model, LAST - 255, TABLE).expect("install");
    let tables = Tables::new(&model, OLD);
    tables.map(&model, 0, PhysAddr(0x4111_0000), true);
    let entry = |sid: u32| TABLE.offset(u64::from(sid & 255) * 64);
    let bound = Ste::stage2(&features, VMID, tables.root);
    smmu.write_ste(&model, LAST, entry(LAST), &bound).expect("bind");
    assert_eq!(model.reach(LAST), pages([(0, 0x4111_0000, true)]));
    // The same low bits, and the neighbours.
    for other in [LAST - 1, LAST >> 1, 0xff, 0xffff, 0xff_ffff, 0] {
        assert_eq!(model.reach(other), Reach::nothing(), "{other:#x}");
    }
    assert_eq!(model.access(0xff, Iova(0), false), Err(Abort::Event(event::C_BAD_STREAMID)));
    smmu.write_ste(&model, LAST, entry(LAST), &Ste::abort()).expect("unbind");
    assert_eq!(model.reach(LAST), Reach::nothing());
}
