//! Frames, page tables, VSpaces and ASID pools.

use sluice_abi::bootinfo::slot::{ASID_CONTROL, INIT_ASID_POOL, INIT_CNODE, INIT_TCB, INIT_VSPACE};
use sluice_abi::{Label, ObjectType, PhysAddr, VirtAddr};
use sluice_core::CacheOp;
use sluice_core::cap::Cap;
use sluice_paging::{Access, Format, MemoryType, translate};

use crate::machine::Effect;
use crate::user::*;

const READ_WRITE: u64 = 3;
const READ: u64 = 2;
const DEFAULT: u64 = 3;
const EXECUTE_NEVER: u64 = 4;
/// An address whose tables of every level are missing in a new VSpace, and in the root task's from level 1 on.
const AT: u64 = 0x12_3456_7000;

impl System {
    pub(crate) fn map(&mut self, frame: u64, vspace: u64, vaddr: u64, rights: u64, attributes: u64) -> Reply {
        self.call(frame, Label::PageMap, &[vspace], &[vaddr, rights, attributes])
    }

    /// A VSpace with an ASID, and the three tables for the pages around `vaddr`.
    pub(crate) fn space_around(&mut self, vaddr: u64) -> (u64, [u64; 3]) {
        let vspace = self.make(ObjectType::VSpace, 0);
        self.done(INIT_ASID_POOL, Label::AsidPoolAssign, &[vspace], &[]);
        (vspace, self.tables(vspace, vaddr))
    }

    fn tables(&mut self, vspace: u64, vaddr: u64) -> [u64; 3] {
        std::array::from_fn(|_| {
            let table = self.make(ObjectType::PageTable, 0);
            self.done(table, Label::PageTableMap, &[vspace], &[vaddr, DEFAULT]);
            table
        })
    }

    pub(crate) fn mapped(&self, vspace: u64, vaddr: u64) -> Option<(PhysAddr, Access, MemoryType)> {
        translate(self.machine(), Format::STAGE2, PhysAddr(self.base(vspace)), vaddr)
    }

    /// Has a thread run in `vspace`, so that the CPU caches what it translates.
    fn run_in(&mut self, vspace: u64) -> Thread {
        let thread = self.thread(255);
        self.done(thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, vspace], &[0, 0, 0]);
        self.resume(thread);
        self.syscall(sluice_abi::Syscall::Yield, 0, 0, &[], &[]);
        assert_eq!(self.current(), thread.tcb);
        thread
    }
}

#[test]
fn a_mapping_has_the_rights_of_capability_and_request() {
    let mut system = System::boot();
    let (vspace, _) = system.space_around(AT);
    let frame = system.make(ObjectType::SmallPage, 0);
    let base = PhysAddr(system.base(frame));
    let (read, write, none) = (Access::READ, Access::READ_WRITE, Access::NONE);
    let cases = [
        (15, READ_WRITE, DEFAULT | EXECUTE_NEVER, write, MemoryType::Normal),
        (15, READ, DEFAULT | EXECUTE_NEVER, read, MemoryType::Normal),
        (15, READ_WRITE, DEFAULT, Access { execute: true, ..write }, MemoryType::Normal),
        (15, READ_WRITE, EXECUTE_NEVER, write, MemoryType::Device),
        (15, 1, DEFAULT, none, MemoryType::Normal),
        (READ, READ_WRITE, DEFAULT | EXECUTE_NEVER, read, MemoryType::Normal),
        (1, READ_WRITE, DEFAULT, none, MemoryType::Normal),
    ];
    for (of_cap, requested, attributes, access, memory) in cases {
        let copy = system.free_slot();
        assert_eq!(system.copy(frame, copy, of_cap), ok());
        assert_eq!(system.map(copy, vspace, AT, requested, attributes), ok());
        assert_eq!(system.mapped(vspace, AT), Some((base, access, memory)), "{of_cap:#b} {requested:#b} {attributes}");
        system.done(copy, Label::PageUnmap, &[], &[]);
        assert_eq!(system.mapped(vspace, AT), None);
        system.done(copy, Label::PageUnmap, &[], &[]);
    }
}

#[test]
fn mappings_that_cannot_be_are_refused() {
    let mut system = System::boot();
    let large = system.make(ObjectType::LargePage, 0);
    let (vspace, tables) = system.space_around(AT);
    let (other, _) = system.space_around(AT);
    let unassigned = system.make(ObjectType::VSpace, 0);
    let frame = system.make(ObjectType::SmallPage, 0);
    let words = [AT, READ_WRITE, DEFAULT];
    assert_eq!(system.call(frame, Label::PageMap, &[vspace], &words[..2]), truncated());
    assert_eq!(system.call(frame, Label::PageMap, &[], &words), truncated());
    assert_eq!(system.map(frame, INIT_TCB, AT, 3, 3), invalid_capability(1));
    assert_eq!(system.map(frame, unassigned, AT, 3, 3), invalid_capability(1));
    assert_eq!(system.map(frame, vspace, AT + 8, 3, 3), alignment());
    assert_eq!(system.map(frame, vspace, 1 << 44, 3, 3), invalid_argument(0));
    assert_eq!(system.map(large, vspace, AT & !0xfff, 3, 3), alignment());
    // Where tables are missing, the answer says how many bits are.
    assert_eq!(system.map(frame, vspace, AT + (1 << 21), 3, 3), missing(false, 21));
    assert_eq!(system.map(frame, vspace, AT + (1 << 30), 3, 3), missing(false, 30));
    assert_eq!(system.map(frame, vspace, AT ^ 1 << 39, 3, 3), missing(false, 39));
    assert_eq!(system.map(large, vspace, AT & !0x1f_ffff, 3, 3), missing(false, 12), "a table is in the way");
    assert_eq!(system.map(frame, vspace, AT, 3, 3), ok());
    assert_eq!(system.map(frame, vspace, AT + 0x1000, 3, 3), invalid_argument(0));
    assert_eq!(system.map(frame, other, AT, 3, 3), invalid_capability(1));
    // Tables.
    let table = system.make(ObjectType::PageTable, 0);
    let map = |system: &mut System, table: u64, caps: &[u64], words: &[u64]| {
        system.call(table, Label::PageTableMap, caps, words)
    };
    assert_eq!(map(&mut system, table, &[vspace], &[AT]), truncated());
    assert_eq!(map(&mut system, table, &[], &[AT, 0]), truncated());
    assert_eq!(map(&mut system, table, &[vspace], &[AT, 0]), delete_first());
    assert_eq!(map(&mut system, tables[0], &[vspace], &[AT, 0]), invalid_capability(0));
    assert_eq!(map(&mut system, table, &[frame], &[AT, 0]), invalid_capability(1));
    assert_eq!(map(&mut system, table, &[unassigned], &[AT, 0]), invalid_capability(1));
    assert_eq!(map(&mut system, table, &[vspace], &[1 << 44, 0]), invalid_argument(0));
    assert_eq!(system.call(table, Label::PageMap, &[vspace], &words), illegal());
    let copy = system.copied(tables[2]);
    assert_eq!(system.call(copy, Label::PageTableUnmap, &[], &[]), revoke_first());
    assert_eq!(system.call(frame, Label::PageTableUnmap, &[], &[]), illegal());
}

#[test]
fn frames_of_every_size_are_mapped_at_their_level() {
    let mut system = System::boot();
    let large = system.make(ObjectType::LargePage, 0);
    let vspace = system.make(ObjectType::VSpace, 0);
    system.done(INIT_ASID_POOL, Label::AsidPoolAssign, &[vspace], &[]);
    let is_large = |at: &u64| matches!(system.cap(*at), Cap::Untyped(u) if u.device && u.bits == 31);
    let device = (16..system.next_slot).find(is_large).expect("a large device");
    let huge = system.make_from(device, ObjectType::HugePage, 0);
    let table = |system: &mut System| {
        let table = system.make(ObjectType::PageTable, 0);
        system.done(table, Label::PageTableMap, &[vspace], &[0, 0]);
    };
    table(&mut system);
    assert_eq!(system.map(large, vspace, 0, 3, 3), missing(false, 30));
    assert_eq!(system.map(huge, vspace, 1 << 30, 3, 4), ok());
    table(&mut system);
    assert_eq!(system.map(large, vspace, 0x20_0000, 3, 3), ok());
    let base = |cptr| system.base(cptr);
    let at = |vaddr| system.mapped(vspace, vaddr).map(|(at, ..)| at.0);
    assert_eq!(at(0x3f_ffff), Some(base(large) + 0x1f_ffff));
    assert_eq!(at(0x7fff_ffff), Some(base(huge) + 0x3fff_ffff));
    assert_eq!(at(0x8000_0000), None);
    let small = system.make(ObjectType::SmallPage, 0);
    assert_eq!(system.map(small, vspace, 0x20_0000, 3, 3), missing(false, 21));
    assert_eq!(system.map(small, vspace, 1 << 30, 3, 3), missing(false, 30));
}

#[test]
fn a_changed_mapping_is_broken_before_it_is_made() {
    let mut system = System::boot();
    let (vspace, tables) = system.space_around(AT);
    let (frame, other) = (system.make(ObjectType::SmallPage, 0), system.make(ObjectType::SmallPage, 0));
    assert_eq!(system.map(frame, vspace, AT, 3, 3), ok());
    let entry = PhysAddr(system.base(tables[2]) + 8 * (AT >> 12 & 0x1ff));
    system.run_in(vspace);
    let changes: [(u64, u64, u64); 3] = [(frame, READ, 3), (frame, 3, EXECUTE_NEVER), (other, 3, 3)];
    for (frame, rights, attributes) in changes {
        system.machine().take_log();
        assert_eq!(system.map(frame, vspace, AT, rights, attributes), ok());
        let log = system.machine().take_log();
        let [
            Effect::Store { at: broken, value: 0 },
            Effect::Barrier,
            Effect::InvalidatePage { vaddr: VirtAddr(AT), .. },
            Effect::Store { at: made, value },
            Effect::Barrier,
        ] = log[..]
        else {
            panic!("{log:?}")
        };
        assert_eq!((broken, made, value & 1), (entry, entry, 1));
    }
    // The same again changes nothing.
    assert_eq!(system.map(other, vspace, AT, 3, 3), ok());
    assert_eq!(system.machine().take_log(), []);
    // The first frame's capability still says it is mapped; unmapping it must not hit its successor.
    system.done(frame, Label::PageUnmap, &[], &[]);
    assert_eq!(system.mapped(vspace, AT).map(|(at, ..)| at.0), Some(system.base(other)));
}

#[test]
fn an_unmapped_table_takes_its_mappings_along_and_comes_back_empty() {
    let mut system = System::boot();
    for level in 0..3 {
        let (vspace, tables) = system.space_around(AT);
        let frame = system.make(ObjectType::SmallPage, 0);
        assert_eq!(system.map(frame, vspace, AT, 3, 3), ok());
        let thread = system.run_in(vspace);
        system.done(tables[level], Label::PageTableUnmap, &[], &[]);
        assert_eq!(system.mapped(vspace, AT), None);
        let clear =
            (0..512).all(|word| system.machine().memory.load(PhysAddr(system.base(tables[level]) + 8 * word)) == 0);
        assert!(clear);
        // What hung below can be taken off and used again.
        for table in &tables[level + 1..] {
            system.done(*table, Label::PageTableUnmap, &[], &[]);
        }
        for table in &tables[level..] {
            system.done(*table, Label::PageTableMap, &[vspace], &[AT, 0]);
        }
        assert_eq!(system.mapped(vspace, AT), None);
        assert_eq!(system.map(frame, vspace, AT, 3, 3), ok());
        system.syscall(sluice_abi::Syscall::Call, thread.cptr, Label::TcbSuspend as u64, &[], &[]);
    }
}

#[test]
fn deleted_frames_tables_and_spaces_leave_the_tlb() {
    for victim in 0..5 {
        let mut system = System::boot();
        let parent = system.make(ObjectType::Untyped, 16);
        let vspace = system.make_from(parent, ObjectType::VSpace, 0);
        system.done(INIT_ASID_POOL, Label::AsidPoolAssign, &[vspace], &[]);
        let tables = system.tables(vspace, AT);
        let frame = system.make(ObjectType::SmallPage, 0);
        assert_eq!(system.map(frame, vspace, AT, 3, 3), ok());
        system.run_in(vspace);
        let vmid = system.machine().tlb.loaded().expect("a VSpace").1;
        assert!(system.machine().tlb.entries().contains_key(&(vmid, AT)));
        let deleted = match victim {
            0 => system.delete(frame),
            1 => system.delete(tables[2]),
            2 => system.delete(tables[0]),
            3 => system.revoke(parent),
            _ => {
                let control = system.revoke(vspace);
                assert!(system.machine().tlb.entries().contains_key(&(vmid, AT)), "the VSpace itself is still there");
                assert_eq!(control, ok());
                system.delete(vspace)
            }
        };
        assert_eq!(deleted, ok());
        assert!(!system.machine().tlb.entries().contains_key(&(vmid, AT)), "victim {victim}");
    }
}

#[test]
fn cache_maintenance_stays_inside_what_is_mapped() {
    let mut system = System::boot();
    let (vspace, _) = system.space_around(AT);
    let frame = system.make(ObjectType::SmallPage, 0);
    let base = system.base(frame);
    let clean = |system: &mut System, start, end| system.call(frame, Label::PageCleanData, &[], &[start, end]);
    assert_eq!(clean(&mut system, 0, 64), illegal(), "not mapped");
    assert_eq!(system.map(frame, vspace, AT, 3, 3), ok());
    assert_eq!(system.call(frame, Label::PageCleanData, &[], &[0]), truncated());
    assert_eq!(clean(&mut system, 64, 64), invalid_argument(1));
    assert_eq!(clean(&mut system, 0x1000, 0x1001), invalid_argument(0));
    assert_eq!(clean(&mut system, 0, 0x1001), invalid_argument(0));
    let operations = [
        (Label::PageCleanData, Label::VSpaceCleanData, CacheOp::Clean),
        (Label::PageInvalidateData, Label::VSpaceInvalidateData, CacheOp::CleanInvalidate),
        (Label::PageCleanInvalidateData, Label::VSpaceCleanInvalidateData, CacheOp::CleanInvalidate),
        (Label::PageUnifyInstruction, Label::VSpaceUnifyInstruction, CacheOp::Unify),
    ];
    system.machine().take_log();
    for (on_page, on_vspace, operation) in operations {
        let expected = Effect::Maintain { operation, at: PhysAddr(base + 0x40), bytes: 0x80 };
        system.done(frame, on_page, &[], &[0x40, 0xc0]);
        assert_eq!(system.machine().take_log(), [expected]);
        system.done(vspace, on_vspace, &[], &[AT + 0x40, AT + 0xc0]);
        assert_eq!(system.machine().take_log(), [expected]);
    }
    // The labels of one kind are not the other's.
    for (page, space) in [
        (Label::PageCleanData, Label::VSpaceCleanData),
        (Label::PageInvalidateData, Label::VSpaceInvalidateData),
        (Label::PageCleanInvalidateData, Label::VSpaceCleanInvalidateData),
        (Label::PageUnifyInstruction, Label::VSpaceUnifyInstruction),
    ] {
        assert_eq!(system.call(frame, space, &[], &[0, 64]), illegal(), "{space:?} of a frame");
        assert_eq!(system.call(vspace, page, &[], &[AT, AT + 64]), illegal(), "{page:?} of a VSpace");
    }
    let on_space = |system: &mut System, start, end| system.call(vspace, Label::VSpaceCleanData, &[], &[start, end]);
    assert_eq!(on_space(&mut system, AT, AT), invalid_argument(1));
    assert_eq!(on_space(&mut system, AT, 1 << 44), illegal());
    assert_eq!(on_space(&mut system, AT + 8, AT + 0x1001), range(AT + 8, AT + 0xfff));
    assert_eq!(on_space(&mut system, AT + 0x1000, AT + 0x3000), ok(), "nothing is mapped there");
    assert_eq!(system.machine().take_log(), []);
    let unassigned = system.make(ObjectType::VSpace, 0);
    assert_eq!(system.call(unassigned, Label::VSpaceCleanData, &[], &[0, 8]), invalid_capability(0));
    assert_eq!(system.call(frame, Label::PageGetAddress, &[], &[]), ok_with(&[base]));
}

#[test]
fn asid_pools_are_made_from_a_page() {
    let mut system = System::boot();
    let dest = system.free_slot();
    let (page, larger) = (system.make(ObjectType::Untyped, 12), system.make(ObjectType::Untyped, 13));
    let make = |system: &mut System, caps: &[u64], words: &[u64]| {
        system.call(ASID_CONTROL, Label::AsidControlMakePool, caps, words)
    };
    assert_eq!(make(&mut system, &[page, INIT_CNODE], &[dest]), truncated());
    assert_eq!(make(&mut system, &[page], &[dest, DEPTH]), truncated());
    assert_eq!(make(&mut system, &[larger, INIT_CNODE], &[dest, DEPTH]), invalid_capability(1));
    assert_eq!(make(&mut system, &[INIT_TCB, INIT_CNODE], &[dest, DEPTH]), invalid_capability(1));
    assert_eq!(make(&mut system, &[page, INIT_CNODE], &[INIT_TCB, DEPTH]), delete_first());
    assert_eq!(make(&mut system, &[page, INIT_CNODE], &[dest, DEPTH]), ok());
    let other = system.free_slot();
    assert_eq!(make(&mut system, &[page, INIT_CNODE], &[other, DEPTH]), revoke_first());
    let vspace = system.make(ObjectType::VSpace, 0);
    let assign = |system: &mut System, pool: u64, caps: &[u64]| system.call(pool, Label::AsidPoolAssign, caps, &[]);
    assert_eq!(assign(&mut system, dest, &[]), truncated());
    assert_eq!(assign(&mut system, dest, &[INIT_TCB]), invalid_capability(1));
    assert_eq!(assign(&mut system, dest, &[vspace]), ok());
    assert_eq!(assign(&mut system, dest, &[vspace]), invalid_capability(1));
    assert!(matches!(system.cap(vspace), Cap::VSpace(v) if v.asid.map(|asid| asid.0) == Some(512)));
    assert_eq!(system.call(dest, Label::PageMap, &[vspace], &[]), illegal());
    // With the pool its VSpaces are of no use, and the pool's place is free.
    let frame = system.make(ObjectType::SmallPage, 0);
    assert_eq!(system.delete(dest), ok());
    assert_eq!(system.map(frame, vspace, AT, 3, 3), invalid_root(false));
    assert_eq!(make(&mut system, &[page, INIT_CNODE], &[dest, DEPTH]), ok());
    let second = system.make(ObjectType::VSpace, 0);
    assert_eq!(assign(&mut system, dest, &[second]), ok());
    assert_eq!(system.map(frame, vspace, AT, 3, 3), invalid_capability(1), "its ASID is another's now");
}

#[test]
fn maintenance_of_frames_and_of_vspaces_have_labels_of_their_own() {
    let mut system = System::boot();
    let vspace = system.make(ObjectType::VSpace, 0);
    system.done(INIT_ASID_POOL, Label::AsidPoolAssign, &[vspace], &[]);
    system.tables(vspace, AT);
    let frame = system.make(ObjectType::SmallPage, 0);
    assert_eq!(system.map(frame, vspace, AT, 3, 3), ok());
    for (of_frame, of_vspace) in [
        (Label::PageCleanData, Label::VSpaceCleanData),
        (Label::PageInvalidateData, Label::VSpaceInvalidateData),
        (Label::PageCleanInvalidateData, Label::VSpaceCleanInvalidateData),
        (Label::PageUnifyInstruction, Label::VSpaceUnifyInstruction),
    ] {
        assert_eq!(system.call(frame, of_vspace, &[], &[0, 64]), illegal());
        assert_eq!(system.call(vspace, of_frame, &[], &[AT, AT + 64]), illegal());
    }
}

#[test]
fn a_pool_that_goes_takes_its_running_vspace_from_the_cpu() {
    let mut system = System::boot();
    let page = system.make(ObjectType::Untyped, 12);
    let pool = system.free_slot();
    system.done(ASID_CONTROL, Label::AsidControlMakePool, &[page, INIT_CNODE], &[pool, DEPTH]);
    let vspace = system.make(ObjectType::VSpace, 0);
    system.done(pool, Label::AsidPoolAssign, &[vspace], &[]);
    system.tables(vspace, AT);
    let frame = system.make(ObjectType::SmallPage, 0);
    assert_eq!(system.map(frame, vspace, AT, 3, 3), ok());
    system.run_in(vspace);
    assert_eq!(system.revoke(page), ok());
    assert_eq!(system.machine().tlb.loaded().map(|(_, vmid)| vmid), Some(0));
    assert!(system.machine().tlb.entries().keys().all(|(_, va)| *va != AT));
}

#[test]
fn a_pool_has_512_asids() {
    let mut system = System::boot();
    let parent = system.make(ObjectType::Untyped, 21);
    let page = system.make(ObjectType::Untyped, 12);
    let pool = system.free_slot();
    system.done(ASID_CONTROL, Label::AsidControlMakePool, &[page, INIT_CNODE], &[pool, DEPTH]);
    let spaces: Vec<u64> = (0..512).map(|_| system.make_from(parent, ObjectType::VSpace, 0)).collect();
    for vspace in &spaces {
        system.done(pool, Label::AsidPoolAssign, &[*vspace], &[]);
    }
    let one_more = system.make(ObjectType::VSpace, 0);
    assert_eq!(system.call(pool, Label::AsidPoolAssign, &[one_more], &[]), delete_first());
    assert_eq!(system.delete(spaces[7]), ok());
    assert_eq!(system.call(pool, Label::AsidPoolAssign, &[one_more], &[]), ok());
}

#[test]
fn more_vspaces_than_tags_share_them_without_a_trace() {
    let mut system = System::boot();
    let parent = system.make(ObjectType::Untyped, 21);
    // One thread that changes its VSpace again and again.
    let thread = system.thread(255);
    system.resume(thread);
    let spaces: Vec<u64> = (0..280).map(|_| system.make_from(parent, ObjectType::VSpace, 0)).collect();
    for vspace in &spaces {
        system.done(INIT_ASID_POOL, Label::AsidPoolAssign, &[*vspace], &[]);
    }
    system.machine().take_log();
    for vspace in &spaces {
        system.syscall(sluice_abi::Syscall::Yield, 0, 0, &[], &[]);
        let words = [0, 0, 0];
        system.done(thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, *vspace], &words);
        assert_eq!(system.current(), thread.tcb);
        assert_eq!(system.machine().tlb.loaded().map(|(root, _)| root.0), Some(system.base(*vspace)));
        system.syscall(sluice_abi::Syscall::Yield, 0, 0, &[], &[]);
        assert_eq!(system.current(), system.root);
    }
    let stolen =
        system.machine().take_log().iter().filter(|effect| matches!(effect, Effect::InvalidateVmid(_))).count();
    // 280 and the root task's; 255 tags. The root task's is stolen once too, and has to steal another.
    assert_eq!(stolen, 281 + 1 - 255);
    assert_eq!(system.base(INIT_VSPACE), system.machine().tlb.loaded().map_or(0, |(root, _)| root.0));
}

#[test]
fn the_tag_of_the_loaded_vspace_is_taken_only_when_it_is_not_loaded_any_more() {
    let mut system = System::boot();
    let thread = system.thread(255);
    let parent = system.make(ObjectType::Untyped, 21);
    let spaces: Vec<u64> = (0..255).map(|_| system.make_from(parent, ObjectType::VSpace, 0)).collect();
    let (_, tag) = system.machine().tlb.loaded().expect("the root task's VSpace");
    for (index, vspace) in spaces.iter().enumerate() {
        system.done(INIT_ASID_POOL, Label::AsidPoolAssign, &[*vspace], &[]);
        system.done(thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, *vspace], &[0, 0, 0]);
        if index == 0 {
            system.resume(thread);
        }
        // From the root task's VSpace straight to one without a tag.
        system.syscall(sluice_abi::Syscall::Yield, 0, 0, &[], &[]);
        assert_eq!(system.current(), thread.tcb);
        let loaded = system.machine().tlb.loaded().expect("a VSpace");
        assert_eq!(loaded.0.0, system.base(*vspace));
        assert_eq!(loaded.1 == tag, index == 254, "the 255th takes the tag of the one it is switched to from");
        system.syscall(sluice_abi::Syscall::Yield, 0, 0, &[], &[]);
        assert_eq!(system.current(), system.root);
    }
}

#[test]
fn maintenance_of_a_large_frame_stops_for_interrupts_and_does_no_line_twice() {
    const START: u64 = 0x1040;
    const END: u64 = 0x8080;
    for looks in 0..9 {
        let mut system = System::boot();
        let (vspace, _) = system.space_around(AT);
        let frame = system.make(ObjectType::LargePage, 0);
        let beside = (AT & !0x1f_ffff) + 0x20_0000;
        assert_eq!(system.map(frame, vspace, beside, READ_WRITE, DEFAULT), ok());
        let base = system.base(frame);
        system.machine().take_log();
        system.machine().interrupt_after(looks);
        system.done(frame, Label::PageCleanData, &[], &[START, END]);
        let mut next = base + START;
        for effect in system.machine().take_log() {
            if let Effect::Maintain { operation, at, bytes } = effect {
                assert_eq!((operation, at.0), (CacheOp::Clean, next), "after {looks} looks");
                assert!(bytes <= 0x1000, "{bytes:#x} bytes at once");
                next += bytes;
            }
        }
        assert_eq!(next, base + END, "after {looks} looks");
    }
}

#[test]
fn a_pool_goes_whole_whenever_an_interrupt_comes() {
    for looks in 0..6 {
        let mut system = System::boot();
        let page = system.make(ObjectType::Untyped, 12);
        let pool = system.free_slot();
        system.done(ASID_CONTROL, Label::AsidControlMakePool, &[page, INIT_CNODE], &[pool, DEPTH]);
        let spaces: Vec<u64> = (0..4).map(|_| system.make(ObjectType::VSpace, 0)).collect();
        for vspace in &spaces {
            system.done(pool, Label::AsidPoolAssign, &[*vspace], &[]);
        }
        let before = system.machine().looks();
        system.machine().interrupt_after(looks);
        assert_eq!(system.delete(pool), ok());
        assert!(system.machine().looks() - before >= 4, "one look for each ASID");
        system.machine().quiet();
        // A new pool gets the same ASIDs, and nobody has one of them.
        assert_eq!(system.revoke(page), ok());
        system.done(ASID_CONTROL, Label::AsidControlMakePool, &[page, INIT_CNODE], &[pool, DEPTH]);
        let fresh = system.make(ObjectType::VSpace, 0);
        system.done(pool, Label::AsidPoolAssign, &[fresh], &[]);
    }
}
