//! What `DebugSnapshot` prints of streams, threads and Untypeds: what an SMMU or a processor would find, whoever wrote it.

use sluice_abi::bootinfo::slot::{INIT_ASID_POOL, INIT_VSPACE};
use sluice_paging::TableMemory;
use sluice_smmu::{Ruling, Ste};

use super::*;

impl System {
    /// The lines about streams, without what all have in front.
    fn look(&mut self) -> Vec<String> {
        self.look_at(0)
    }

    /// The lines when this capability is named.
    fn look_at(&mut self, named: u64) -> Vec<String> {
        self.machine().take_console();
        self.syscall(Syscall::DebugSnapshot, named, 0, &[], &[]);
        let printed = self.machine().take_console();
        printed.lines().filter_map(|line| line.strip_prefix("kernel  | AUDIT ")).map(str::to_owned).collect()
    }

    /// The entry of a stream in the only second-level table.
    fn entry(&self, stream: u64) -> PhysAddr {
        STREAM_TABLE.offset(stream * 64)
    }

    /// Overwrites it, as nobody should.
    fn write_entry(&self, stream: u64, words: &[u64]) {
        let at = self.entry(stream);
        words.iter().zip(0..).for_each(|(word, index)| self.machine().store(at.offset(8 * index), *word));
    }
}

/// The pages of `reach 0:0x0010 IOVA BYTES RIGHTS PHYSICAL`.
fn printed(lines: &[String]) -> BTreeSet<Page> {
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let mut pages = BTreeSet::new();
    for line in lines.iter().filter_map(|line| line.strip_prefix("reach 0:0x0010 ")) {
        let [iova, bytes, rights, physical] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (read, write) = (rights.contains('r'), rights.contains('w'));
        pages.extend((0..number(bytes) >> 12).map(|page| Page {
            iova: number(iova) + (page << 12),
            address: PhysAddr(number(physical) + (page << 12)),
            read,
            write,
        }));
    }
    pages
}

#[test]
fn what_is_printed_is_what_the_modelled_smmu_reaches_on_every_kind() {
    for identity in variants::ALL {
        let mut device = Device::bound_to(identity);
        let (vspace, sid) = (device.vspace, device.sid);
        // Two pages in one piece, and one that only reads.
        for (at, rights) in [(AT + 0x1000, 3), (AT + 0x2000, 3), (AT + 0x3000, 2)] {
            let frame = device.system.make(ObjectType::SmallPage, 0);
            assert_eq!(device.system.map(frame, vspace, at, rights, 7), ok());
        }
        let lines = device.system.look();
        assert_eq!(printed(&lines), device.system.reached(STREAM));
        assert_eq!(printed(&lines).len(), 4);
        let count = |line: &String| line.strip_prefix("smmu 0 abort ").unwrap().parse::<u64>().unwrap();
        let others = lines.last().map(count).expect("a last line");
        device.system.done(sid, Label::SidUnbindCb, &[], &[]);
        assert_eq!(device.system.look(), [format!("smmu 0 abort {}", others + 1)]);
    }
}

#[test]
fn an_entry_that_nobody_asked_for_is_printed_for_what_it_is() {
    let mut device = Device::bound();
    let system = &mut device.system;
    let other = STREAM + 1;
    let stream = format!("stream 0:0x0010 entry {} stage 2", system.entry(STREAM));
    let bound = system.look();
    assert_eq!((bound.len(), bound[0].as_str()), (3, stream.as_str()));
    let entry = |system: &System, from: PhysAddr| -> Vec<u64> {
        (0..8).map(|word| system.machine().load(from.offset(8 * word))).collect()
    };
    let copied = entry(system, system.entry(STREAM));
    system.write_entry(other, &copied);
    let reach = bound[1].replace("0x0010", "0x0011");
    let stage2 = format!("stream 0:0x0011 entry {} stage 2", system.entry(other));
    assert_eq!(system.look(), [&stream, &bound[1], &stage2, &reach, "smmu 0 abort 254"]);
    system.write_entry(other, &Ste::bypass().words());
    assert_eq!(system.look()[2], stage2.replace("stage 2", "bypass"));
    for unknown in [[0; 8], [copied[0] | 1 << 58, copied[1], copied[2], copied[3], 0, 0, 0, 0]] {
        system.write_entry(other, &unknown);
        assert_eq!(system.look()[2..4], [stage2.replace("stage 2", "unknown"), "smmu 0 abort 254".to_owned()]);
    }
    system.write_entry(other, &[copied[0], copied[1], copied[2], 0xfff_f000_0000, 0, 0, 0, 0]);
    assert_eq!(system.look()[2..4], [stage2, "incomplete 0:0x0011".to_owned()]);
}

#[test]
fn a_descriptor_that_nobody_encodes_is_told_apart_from_none() {
    let mut device = Device::bound();
    let Cap::VSpace(vspace) = device.system.cap(device.vspace) else { panic!("no VSpace") };
    let slot = sluice_paging::lookup(device.system.machine(), Format::STAGE2, vspace.root, AT).slot;
    let word = device.system.machine().load(slot);
    let replace = |system: &System, word: u64| {
        system.machine().store(slot, 0);
        system.machine().store(slot, word);
    };
    replace(&device.system, word | 1 << 55);
    let foreign = format!("foreign 0:0x0010 {AT:#x} 0x1000 {:#x}", word | 1 << 55);
    assert_eq!(device.system.look()[1..], [foreign, "smmu 0 abort 255".to_owned()]);
    replace(&device.system, word & !1);
    assert_eq!(device.system.look()[1..], ["smmu 0 abort 255"]);
}

#[test]
fn a_table_that_is_its_own_next_level_has_an_end() {
    let mut device = Device::bound();
    let frame = device.system.make(ObjectType::SmallPage, 0);
    let root = PhysAddr(device.system.base(frame));
    let words = Ste::stage2(&Features::read(device.system.machine(), SMMU).unwrap(), 9, root).words();
    for at in (0..0x1000).step_by(8) {
        device.system.machine().store(root.offset(at), Format::STAGE2.encode_table(root));
    }
    device.system.write_entry(STREAM + 1, &words);
    let lines = device.system.look();
    assert!(lines.contains(&"incomplete 0:0x0011".to_owned()) && lines.len() < 1000, "{} lines", lines.len());
}

#[test]
fn registers_decide_whether_there_is_a_table() {
    let mut device = Device::bound();
    let unit = device.system.kernel.smmu_driver(0).expect("an SMMU");
    assert!(matches!(unit.ruling(device.system.machine()), Ruling::Table(_)));
    device.system.done(SID_CONTROL, Label::SidControlDisableSmmu, &[], &[0]);
    assert_eq!(device.system.look(), ["smmu 0 off abort"]);
}

#[test]
fn of_a_thread_the_tables_that_it_runs_with_are_printed() {
    let mut system = System::boot();
    let thread = system.thread(1);
    let (vspace, _) = system.space_around(AT);
    system.done(thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, vspace], &[0, 0, 0]);
    let tables = format!("tables {}", PhysAddr(system.base(vspace)));
    assert_eq!(system.look_at(thread.cptr), std::slice::from_ref(&tables));
    // Two pages that stay apart, as the second is registers', and rights of each kind.
    let mut lines = vec![tables];
    for (index, (rights, attributes, said)) in [
        (3, 3, "rwx # normal"),
        (3, 6, "rw # device"),
        (2, 7, "r # normal"),
        (2, 3, "rx # normal"),
        (0, 7, "- # normal"),
    ]
    .into_iter()
    .enumerate()
    {
        let at = AT + 0x1000 * index as u64;
        let frame = system.make(ObjectType::SmallPage, 0);
        assert_eq!(system.map(frame, vspace, at, rights, attributes), ok());
        let physical = PhysAddr(system.base(frame));
        lines.push(format!("reach space {at:#x} 0x1000 {}", said.replace('#', &physical.to_string())));
    }
    assert_eq!(system.look_at(thread.cptr), lines);
    // What is named is a thread or an Untyped, or nothing is.
    assert_eq!(system.look_at(vspace), system.look());
    let without = system.make(ObjectType::Tcb, 0);
    assert_eq!(system.look_at(without), ["tables none"]);
}

/// An address space made of the Untyped `memory`, with one page, and the lines about it.
fn space_of(system: &mut System, memory: u64) -> (u64, [String; 2]) {
    let vspace = system.make_from(memory, ObjectType::VSpace, 0);
    system.done(INIT_ASID_POOL, Label::AsidPoolAssign, &[vspace], &[]);
    for _ in 0..3 {
        let table = system.make_from(memory, ObjectType::PageTable, 0);
        system.done(table, Label::PageTableMap, &[vspace], &[AT, 0]);
    }
    let frame = system.make(ObjectType::SmallPage, 0);
    assert_eq!(system.map(frame, vspace, AT, 3, 7), ok());
    let (root, page) = (PhysAddr(system.base(vspace)), PhysAddr(system.base(frame)));
    (vspace, [format!("tables {root}"), format!("reach space {AT:#x} 0x1000 rw {page} normal")])
}

#[test]
fn of_an_untyped_every_address_space_is_printed_that_was_made_of_it_by_whomever() {
    let mut system = System::boot();
    let given = system.make(ObjectType::Untyped, 17);
    let (first, of_first) = space_of(&mut system, given);
    // Somebody divides what was given, and keeps the parts elsewhere.
    let part = system.make_from(given, ObjectType::Untyped, 15);
    let moved = system.free_slot();
    assert_eq!(system.move_to(part, moved), ok());
    let (second, of_second) = space_of(&mut system, moved);
    let all = system.untyped;
    let (_, of_others) = space_of(&mut system, all);
    // One that nothing can run in, as it has no ASID.
    system.make_from(given, ObjectType::VSpace, 0);
    // Copies, a thread's among them, are the same address space.
    let thread = system.thread(1);
    system.done(thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, first], &[0, 0, 0]);
    system.copied(second);
    let memory = |system: &System, of, bytes: u64| format!("memory {} {bytes:#x}", PhysAddr(system.base(of)));
    let lines = system.look_at(given);
    assert_eq!(lines[0], memory(&system, given, 1 << 17));
    let mut spaces: Vec<&[String]> = lines[1..].chunks(2).collect();
    spaces.sort();
    let mut wanted = [&of_first[..], &of_second];
    wanted.sort();
    assert_eq!(spaces, wanted);
    assert_eq!(system.look_at(moved), [&[memory(&system, moved, 1 << 15)], &of_second[..]].concat());
    assert!(system.look_at(all).windows(2).any(|lines| *lines == of_others), "it holds all of them");
    // What is gone is not printed.
    assert_eq!(system.revoke(moved), ok());
    assert_eq!(system.look_at(given)[1..], of_first);
}

#[test]
fn every_processor_is_printed_with_the_tables_that_its_thread_runs_with() {
    let mut system = System::boot();
    let (endpoint, memory) = (system.make(ObjectType::Endpoint, 0), system.untyped);
    let guests = [(); 2].map(|()| system.guest(1, endpoint));
    let (vspace, [tables, _]) = space_of(&mut system, memory);
    system.done(guests[0].thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, vspace], &[0, 0, 0]);
    let processor = |system: &System, vcpu| format!("processor {}", system.processor(vcpu).at());
    let own = format!("{} {tables}", processor(&system, guests[0].vcpu));
    let roots = format!("{} tables {}", processor(&system, guests[1].vcpu), PhysAddr(system.base(INIT_VSPACE)));
    // A capability more is no processor more, and one without thread runs nowhere.
    system.make(ObjectType::Vcpu, 0);
    let copy = system.copied(guests[1].vcpu);
    let seen = |system: &mut System| -> BTreeSet<String> { system.look().into_iter().collect() };
    assert_eq!(seen(&mut system), [own.clone(), roots.clone()].into());
    assert_eq!(system.delete(vspace), ok());
    assert_eq!(seen(&mut system), [own.clone(), roots].into(), "the thread has a capability of its own");
    for gone in [copy, guests[1].vcpu] {
        assert_eq!(system.delete(gone), ok());
    }
    assert_eq!(seen(&mut system), [own.clone()].into());
    let (thread, vcpu) = (system.make(ObjectType::Tcb, 0), system.make(ObjectType::Vcpu, 0));
    system.done(vcpu, Label::VcpuSetTcb, &[thread], &[]);
    let nowhere = format!("{} tables none", processor(&system, vcpu));
    assert_eq!(seen(&mut system), [own, nowhere].into());
}
