//! SMMUs that are not as QEMU's: one stage only, linear stream tables, no ranges, no coherency.

use sluice_paging::TableMemory;

use super::*;

const STAGE1_ONLY: Identity = Identity { idr0: Identity::QEMU.idr0 & !1, ..Identity::QEMU };
const STAGE2_ONLY: Identity = Identity { idr0: Identity::QEMU.idr0 & !2, ..Identity::QEMU };
const LINEAR: Identity = Identity { idr0: Identity::QEMU.idr0 & !(3 << 27), ..Identity::QEMU };
const NO_RANGES: Identity = Identity { idr3: 0, ..Identity::QEMU };
const NOT_COHERENT: Identity = Identity { idr0: Identity::QEMU.idr0 & !(1 << 4), ..Identity::QEMU };
const LINEAR_STAGE1: Identity = Identity { idr0: STAGE1_ONLY.idr0 & LINEAR.idr0, idr3: 0, ..Identity::QEMU };
/// STALL_MODEL 2: whatever faults stalls.
const ALWAYS_STALLS: u32 = 2 << 24;

/// Kinds of SMMUs that the kernel supports.
pub(super) const ALL: [Identity; 7] =
    [Identity::QEMU, STAGE1_ONLY, STAGE2_ONLY, LINEAR, NO_RANGES, NOT_COHERENT, LINEAR_STAGE1];

#[test]
fn mappings_are_what_a_device_reaches_on_every_kind() {
    for identity in ALL {
        let mut device = Device::bound_to(identity);
        let (frame, vspace) = (device.frame, device.vspace);
        assert!(device.access(AT, true).is_ok() && device.access(AT, false).is_ok());
        assert_eq!(device.access(AT + 0x1000, true), Err(Abort::Event(event::F_TRANSLATION)));
        device.system.watched(|system| assert_eq!(system.map(frame, vspace, AT, 2, 7), ok()));
        assert!(device.access(AT, false).is_ok());
        assert_eq!(device.access(AT, true), Err(Abort::Event(event::F_PERMISSION)));
        let other = device.system.make(ObjectType::SmallPage, 0);
        device.system.watched(|system| assert_eq!(system.map(other, vspace, AT, 3, 7), ok()));
        assert_eq!(device.access(AT + 8, true), Ok(PhysAddr(device.system.base(other) + 8)));
        device.system.watched(|system| system.done(other, Label::PageUnmap, &[], &[]));
        assert!(device.access(AT, false).is_err());
    }
}

#[test]
fn a_context_starts_over_with_nothing_cached_on_every_kind() {
    for identity in ALL {
        let mut device = Device::bound_to(identity);
        let (cb, vspace, frame) = (device.cb, device.vspace, device.frame);
        device.system.model().speculate(STREAM as u32);
        device.system.watched(|system| system.done(cb, Label::CbUnassignVspace, &[], &[]));
        assert_eq!(device.system.map(frame, vspace, AT, 2, 7), ok());
        device.system.watched(|system| system.done(cb, Label::CbAssignVspace, &[vspace], &[]));
        assert!(device.access(AT, false).is_ok());
        assert_eq!(device.access(AT, true), Err(Abort::Event(event::F_PERMISSION)));
    }
}

#[test]
fn without_stage_2_a_vspace_must_be_untouched_and_is_the_devices_for_life() {
    let mut device = Device::unmapped(STAGE1_ONLY);
    let (cb, vspace, frame, table) = (device.cb, device.vspace, device.frame, device.tables[0]);
    let system = &mut device.system;
    let assign = |system: &mut System, cb: u64, vspace: u64| system.call(cb, Label::CbAssignVspace, &[vspace], &[]);
    let (used, _) = system.space_around(AT);
    assert_eq!(assign(system, cb, used), invalid_capability(1), "it has tables");
    system.done(table, Label::PageTableMap, &[vspace], &[AT, 0]);
    assert_eq!(assign(system, cb, vspace), invalid_capability(1), "it has a table");
    system.done(table, Label::PageTableUnmap, &[], &[]);
    let thread = system.thread(255);
    system.done(thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, vspace], &[0, 0, 0]);
    assert_eq!(assign(system, cb, vspace), ok());
    let refused = system.call(thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, vspace], &[0, 0, 0]);
    assert_eq!(refused, illegal(), "the CPU does not walk it");
    // A thread that had it before runs with nothing mapped.
    system.resume(thread);
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    assert_eq!(system.current(), thread.tcb);
    assert_eq!(system.machine().tlb.loaded().map(|(_, vmid)| vmid), Some(0));
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    device.map();
    let system = &mut device.system;
    system.done(cb, Label::CbUnassignVspace, &[], &[]);
    assert_eq!(assign(system, cb, vspace), ok(), "it is in the right format");
    let second = system.next_slot;
    assert_eq!(system.get_cb(4), ok());
    assert_eq!(assign(system, second, vspace), ok());
    assert_eq!(system.call(cb, Label::CbAssignCdTable, &[], &[AT, 0]), illegal());
    assert_eq!(system.call(frame, Label::PageUnmap, &[], &[]), ok());
}

#[test]
fn a_vspace_a_thread_has_run_in_is_not_untouched() {
    let mut device = Device::unmapped(STAGE1_ONLY);
    let (cb, vspace) = (device.cb, device.vspace);
    let system = &mut device.system;
    let thread = system.thread(255);
    system.done(thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, vspace], &[0, 0, 0]);
    system.resume(thread);
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    assert_eq!(system.call(cb, Label::CbAssignVspace, &[vspace], &[]), invalid_capability(1));
}

#[test]
fn where_everything_stalls_nothing_translates() {
    let stalls = |identity: Identity| Identity { idr0: identity.idr0 & !(3 << 24) | ALWAYS_STALLS, ..identity };
    let mut device = Device::unmapped(stalls(STAGE1_ONLY));
    let (cb, vspace) = (device.cb, device.vspace);
    assert_eq!(device.system.call(cb, Label::CbAssignVspace, &[vspace], &[]), illegal());
    let mut device = Device::unmapped(stalls(Identity::QEMU));
    let (sid, cb, vspace) = (device.sid, device.cb, device.vspace);
    assert_eq!(device.system.call(cb, Label::CbAssignVspace, &[vspace], &[]), illegal());
    assert_eq!(device.system.call(cb, Label::CbAssignCdTable, &[], &[AT, 0]), illegal());
    assert_eq!(device.system.call(sid, Label::SidBindCb, &[cb], &[]), invalid_capability(1));
    assert_eq!(device.access(AT, false), Err(Abort::Configured));
    // Bypass translates nothing, and stalls nothing.
    device.system.done(SID_CONTROL, Label::SidControlBypassStream, &[sid], &[]);
    assert_eq!(device.system.model().reach(STREAM as u32), Reach::Everything);
}

/// Why: an entry that has faults abort is illegal there, and one that is legal lets a device wait for good.
#[test]
fn where_everything_stalls_entries_that_abort_are_illegal() {
    let always = Identity { idr0: Identity::QEMU.idr0 & !(3 << 24) | ALWAYS_STALLS, ..Identity::QEMU };
    let access = |s2s: u64| {
        let device = Device::unmapped(always);
        let (system, entry) = (&device.system, STREAM_TABLE.offset(64 * STREAM));
        let features = Features::read(system.machine(), SMMU).expect("a usable SMMU");
        let mut words = sluice_smmu::Ste::stage2(&features, 3, PhysAddr(system.base(device.vspace))).words();
        words[2] |= s2s << 57;
        for (index, word) in (0..).zip(words) {
            system.model().store(entry.offset(8 * index), word);
        }
        (device.access(AT, false), system.model().stalled())
    };
    assert_eq!(access(0), (Err(Abort::Event(event::C_BAD_STE)), 0));
    assert_eq!(access(1).1, 1, "and nobody ends it");
}

#[test]
fn without_both_stages_nobody_has_descriptors_of_its_own() {
    for identity in [STAGE1_ONLY, STAGE2_ONLY] {
        let mut device = Device::bound_to(identity);
        let cb = device.cb;
        assert_eq!(device.system.call(cb, Label::CbAssignCdTable, &[], &[AT, 0]), illegal());
        assert_eq!(device.system.call(cb, Label::CbInvalidateStage1, &[], &[1, 0x10, 0]), illegal());
    }
}

#[test]
fn streams_of_a_table_from_untyped_memory_are_named_and_let_go_on_either_format() {
    for identity in [LINEAR, Identity::QEMU] {
        let mut device = Device::bound_to(identity);
        let (cb, first) = (device.cb, 0x200);
        let system = &mut device.system;
        let map = |system: &mut System, table: u64| {
            system.call(SID_CONTROL, Label::SidControlMapStreamTable, &[table], &[first])
        };
        assert_eq!(system.get_sid(first + 5), missing(false, 8));
        let tables = [system.make(ObjectType::StreamTable, 0), system.make(ObjectType::StreamTable, 0)];
        assert_eq!(map(system, tables[0]), ok());
        assert_eq!(map(system, tables[1]), delete_first());
        let sids: Vec<u64> = [5, 6, 255]
            .into_iter()
            .map(|stream| {
                let sid = system.next_slot;
                assert_eq!(system.get_sid(first + stream), ok());
                system.done(sid, Label::SidBindCb, &[cb], &[]);
                assert!(system.model().access((first + stream) as u32, Iova(AT), true).is_ok());
                sid
            })
            .collect();
        system.model().take_executed();
        assert_eq!(system.delete(tables[0]), ok());
        // However many of its streams were bound.
        assert_eq!(system.model().take_executed().len(), 2);
        for stream in [5, 6, 255] {
            assert_eq!(system.model().reach((first + stream) as u32), Reach::nothing());
        }
        for sid in sids {
            assert_eq!(map(system, tables[1]), revoke_first());
            assert_eq!(system.delete(sid), ok());
        }
        assert_eq!(map(system, tables[1]), ok());
        assert_eq!(system.get_sid(first + 5), ok());
        assert_eq!(system.model().reach(first as u32 + 5), Reach::nothing());
        assert!(system.model().access(STREAM as u32, Iova(AT), true).is_ok(), "others go on");
    }
}

#[test]
fn a_linear_stream_table_has_an_end() {
    let mut system = System::with(kernel_with_smmu(LINEAR));
    let table = system.make(ObjectType::StreamTable, 0);
    let map = system.call(SID_CONTROL, Label::SidControlMapStreamTable, &[table], &[0x400]);
    assert_eq!(map, range(0, 0x3ff));
    assert_eq!(system.get_sid(0x400), range(0, 0x3ff));
}
