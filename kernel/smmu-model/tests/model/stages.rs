//! Stage 1, and stage 1 under stage 2.

use sluice_abi::smmu::event;
use sluice_abi::{Iova, PhysAddr};
use sluice_paging::TableMemory;
use sluice_smmu::regs::{EVT1, EVT3, opcode};
use sluice_smmu_model::{Abort, Identity, Model, Page, Reach};

use crate::bench::{BASE, Bench};
use crate::encode::{CdFields, SteFields, command, table};

const SID: u32 = 8;
const VMID: u64 = 7;
const ASID: u64 = 3;
/// Stage 1 as the device sees it: one page.
const IOVA: u64 = 0x12_3456_7000;
/// Where stage 1 is, by the addresses it is found at: descriptor, tables of four levels, and what it maps.
const CD: u64 = 0x8000_0040;
const TABLES: u64 = 0x8000_1000;
const TARGET: u64 = 0x9000_0000;
/// Where stage 2 is, and where in memory it puts what stage 1 says: elsewhere by this much.
const ROOT: u64 = 0x5000_0000;
const SHIFT: u64 = 0x1000_0000;

struct Rig {
    model: Model,
}

impl Rig {
    fn bench(&self) -> Bench<'_, Model> {
        Bench::start(&self.model)
    }

    /// Stage-1 structures at their addresses plus `shift`.
    fn new(shift: u64) -> Self {
        let rig = Self { model: Model::new(BASE, Identity::QEMU) };
        rig.store(CD + shift, &CdFields::plain(ASID, TABLES).words());
        for level in 0..3 {
            rig.store(rig.slot(level) + shift, &[table::table(TABLES + 0x1000 * (level + 1))]);
        }
        rig.map(shift, table::stage1(TARGET, true));
        rig
    }

    fn store(&self, at: u64, words: &[u64]) {
        for (word, offset) in words.iter().zip((0..).step_by(8)) {
            self.model.store(PhysAddr(at + offset), *word);
        }
    }

    /// Address of the descriptor for [`IOVA`] at a level.
    fn slot(&self, level: u64) -> u64 {
        TABLES + 0x1000 * level + 8 * (IOVA >> (39 - 9 * level) & 0x1ff)
    }

    fn map(&self, shift: u64, word: u64) {
        self.store(self.slot(3) + shift, &[word]);
    }

    /// Stage-2 tables: 1 GiB of intermediate addresses from 0x8000_0000, each page 256 MiB further up.
    fn stage2(&self) {
        self.store(ROOT, &[table::table(ROOT + 0x1000)]);
        self.store(ROOT + 0x1000 + 8 * 2, &[table::table(ROOT + 0x2000)]);
        for (number, ipa) in
            [CD & !0xfff, TABLES, TABLES + 0x1000, TABLES + 0x2000, TABLES + 0x3000, TARGET].iter().enumerate()
        {
            self.page2(*ipa, table::stage2(ipa + SHIFT, number == 5));
        }
    }

    fn page2(&self, ipa: u64, word: u64) {
        // One table of level 3 for each 2 MiB, behind the one of level 2.
        let index = ipa >> 21 & 0x1ff;
        let last = ROOT + 0x1_0000 + 0x1000 * index;
        self.store(ROOT + 0x2000 + 8 * index, &[table::table(last)]);
        self.store(last + 8 * (ipa >> 12 & 0x1ff), &[word]);
    }

    fn write(&self) -> Result<PhysAddr, Abort> {
        self.model.access(SID, Iova(IOVA + 8), true)
    }

    fn read(&self) -> Result<PhysAddr, Abort> {
        self.model.access(SID, Iova(IOVA + 8), false)
    }
}

fn nested() -> Rig {
    let rig = Rig::new(SHIFT);
    rig.stage2();
    rig.bench().configure(SID, &SteFields::nested(VMID, ROOT, CD));
    rig
}

fn page(iova: u64, address: u64, write: bool) -> Page {
    Page { iova, address: PhysAddr(address), read: true, write }
}

#[test]
fn stage_1_translates_low_addresses_by_the_first_table() {
    let rig = Rig::new(0);
    let bench = rig.bench();
    bench.configure(SID, &SteFields::stage1(CD));
    assert_eq!(rig.write(), Ok(PhysAddr(TARGET + 8)));
    assert_eq!(rig.model.reach(SID), Reach::Pages([page(IOVA, TARGET, true)].into()));
    assert_eq!(rig.model.access(SID, Iova(IOVA + 0x1000), false), Err(Abort::Event(event::F_TRANSLATION)));
    assert_eq!(rig.model.access(SID, Iova(IOVA | 1 << 63), false), Err(Abort::Event(event::F_TRANSLATION)));
    let record = bench.events()[0];
    assert_eq!((EVT1::S2.read(record[1]), EVT1::CLASS.read(record[1]), EVT1::RNW.read(record[1])), (0, 2, 1));
    assert_eq!((record[0], record[2]), (event::F_TRANSLATION | u64::from(SID) << 32, IOVA + 0x1000));
}

#[test]
fn stage_1_translates_high_addresses_by_the_second_table() {
    let rig = Rig::new(0);
    let bench = rig.bench();
    let mut cd = CdFields::plain(ASID, 0);
    (cd.high.root, cd.high.disabled, cd.low.disabled) = (TABLES, false, true);
    cd.high.size = 25;
    // Three levels: the walk starts at the second table.
    cd.high.root = TABLES + 0x1000;
    rig.store(CD, &cd.words());
    bench.configure(SID, &SteFields::stage1(CD));
    let high = u64::MAX << 39 | IOVA & ((1 << 39) - 1);
    assert_eq!(rig.model.access(SID, Iova(high), true), Ok(PhysAddr(TARGET)));
    assert_eq!(rig.model.reach(SID), Reach::Pages([page(high, TARGET, true)].into()));
    assert_eq!(rig.model.access(SID, Iova(high & !(1 << 50)), true), Err(Abort::Event(event::F_TRANSLATION)));
    assert_eq!(rig.write(), Err(Abort::Event(event::F_TRANSLATION)), "the first table is disabled");
}

#[test]
fn both_stages_translate_descriptor_tables_and_target() {
    let rig = nested();
    assert_eq!(rig.write(), Ok(PhysAddr(TARGET + SHIFT + 8)));
    assert_eq!(rig.model.reach(SID), Reach::Pages([page(IOVA, TARGET + SHIFT, true)].into()));
    let Reach::Pages(under) = rig.model.stage2_reach(SID) else { panic!("bypass") };
    assert_eq!(under.len(), 6);
    assert!(under.contains(&page(TARGET, TARGET + SHIFT, true)));
    assert!(under.contains(&page(TABLES, TABLES + SHIFT, false)));
}

#[test]
fn a_structure_that_stage_2_does_not_map_faults_there() {
    for (ipa, class, at) in [(CD & !0xfff, 0, CD), (TABLES + 0x2000, 1, 0), (TARGET, 2, TARGET)] {
        let rig = nested();
        let bench = Bench::resume(&rig.model);
        rig.page2(ipa, 0);
        assert_eq!(rig.write(), Err(Abort::Event(event::F_TRANSLATION)));
        let record = bench.events()[0];
        assert_eq!((EVT1::S2.read(record[1]), EVT1::CLASS.read(record[1])), (1, class));
        let expected = if at == 0 { rig.slot(2) } else { at };
        assert_eq!((record[2], EVT3::IPA.read(record[3]) << 12), (IOVA + 8, expected & !0xfff));
    }
}

#[test]
fn each_stage_refuses_what_it_does_not_permit() {
    for (upper, lower, stage2) in [(false, true, 0), (true, false, 1), (false, false, 0)] {
        let rig = nested();
        let bench = Bench::resume(&rig.model);
        rig.map(SHIFT, table::stage1(TARGET, upper));
        rig.page2(TARGET, table::stage2(TARGET + SHIFT, lower));
        assert!(rig.read().is_ok());
        assert_eq!(rig.write(), Err(Abort::Event(event::F_PERMISSION)));
        assert_eq!(EVT1::S2.read(bench.events()[0][1]), stage2);
        assert_eq!(rig.model.reach(SID), Reach::Pages([page(IOVA, TARGET + SHIFT, false)].into()));
    }
}

#[test]
fn stage_2_alone_does_not_forget_what_both_give_together() {
    let rig = nested();
    assert!(rig.write().is_ok());
    let bench = Bench::resume(&rig.model);
    rig.page2(TARGET, 0);
    bench.run(&[command::page(opcode::TLBI_S2_IPA, VMID, 0, TARGET, true)]);
    assert!(rig.write().is_ok(), "the combined entry is stage 1's to forget");
    assert!(rig.model.stage2_reach(SID).within(&nested().model.stage2_reach(SID)));
    bench.run(&[command::tag(opcode::TLBI_NH_ALL, VMID, 0)]);
    assert_eq!(rig.write(), Err(Abort::Event(event::F_TRANSLATION)));
}

#[test]
fn stage_1_forgets_by_address_asid_and_vmid() {
    let named = [
        command::page(opcode::TLBI_NH_VA, VMID, ASID, IOVA, true),
        command::page(opcode::TLBI_NH_VAA, VMID, 0, IOVA, true),
        command::range(command::page(opcode::TLBI_NH_VA, VMID, ASID, IOVA & !0xffff, true), 15, 0, 3),
        command::tag(opcode::TLBI_NH_ASID, VMID, ASID),
        command::tag(opcode::TLBI_NH_ALL, VMID, 0),
        command::tag(opcode::TLBI_S12_VMALL, VMID, 0),
        command::NSNH_ALL,
    ];
    let others = [
        command::page(opcode::TLBI_NH_VA, VMID, ASID + 1, IOVA, true),
        command::page(opcode::TLBI_NH_VA, VMID + 1, ASID, IOVA, true),
        command::page(opcode::TLBI_NH_VAA, VMID, 0, IOVA + 0x1000, true),
        // A hint of the wrong level names no page.
        command::range(command::page(opcode::TLBI_NH_VA, VMID, ASID, IOVA, true), 0, 0, 2),
        command::tag(opcode::TLBI_NH_ASID, VMID, ASID + 1),
        command::tag(opcode::TLBI_NH_ALL, VMID + 1, 0),
        command::page(opcode::TLBI_S2_IPA, VMID, 0, TARGET, false),
        command::cd(SID, 0),
        command::ste(SID),
    ];
    for (commands, forgotten) in [(&named[..], true), (&others[..], false)] {
        for words in commands {
            let rig = nested();
            assert!(rig.write().is_ok());
            rig.map(SHIFT, 0);
            Bench::resume(&rig.model).run(&[*words]);
            assert_eq!(rig.write().is_err(), forgotten, "{words:x?}");
        }
    }
}

#[test]
fn what_serves_every_asid_is_not_forgotten_with_one() {
    let rig = nested();
    rig.map(SHIFT, table::stage1(TARGET, true) & !(1 << 11));
    assert!(rig.write().is_ok());
    rig.map(SHIFT, 0);
    let bench = Bench::resume(&rig.model);
    bench.run(&[command::tag(opcode::TLBI_NH_ASID, VMID, ASID)]);
    assert!(rig.write().is_ok());
    bench.run(&[command::page(opcode::TLBI_NH_VA, VMID, ASID + 1, IOVA, true)]);
    assert!(rig.write().is_err(), "an address is forgotten in every ASID that it serves");
}

#[test]
fn a_table_unlinked_stays_in_use_until_more_than_leaves_is_forgotten() {
    let rig = nested();
    assert!(rig.write().is_ok());
    // The last table of stage 1 goes, and its page is put to another use.
    rig.store(rig.slot(2) + SHIFT, &[0]);
    rig.map(SHIFT, table::stage1(TARGET, false));
    let bench = Bench::resume(&rig.model);
    bench.run(&[command::page(opcode::TLBI_NH_VA, VMID, ASID, IOVA, true)]);
    assert_eq!(rig.read(), Ok(PhysAddr(TARGET + SHIFT + 8)), "the table is cached");
    assert_eq!(rig.model.reach(SID), Reach::Pages([page(IOVA, TARGET + SHIFT, false)].into()));
    bench.run(&[command::page(opcode::TLBI_NH_VA, VMID, ASID, IOVA, false)]);
    assert_eq!(rig.read(), Err(Abort::Event(event::F_TRANSLATION)));
    assert_eq!(rig.model.reach(SID), Reach::nothing());
}

#[test]
fn a_context_descriptor_stays_until_it_is_forgotten() {
    let rig = nested();
    assert!(rig.write().is_ok());
    let bench = Bench::resume(&rig.model);
    rig.store(CD + SHIFT, &[0]);
    bench.run(&[command::cd(SID + 1, 0), command::cd(SID, 1), command::cd_all(SID + 1)]);
    assert!(rig.write().is_ok());
    bench.run(&[command::cd(SID, 0)]);
    assert_eq!(rig.write(), Err(Abort::Event(event::C_BAD_CD)));
}

#[test]
fn a_table_of_stage_2_unlinked_stays_in_use_until_more_than_leaves_is_forgotten() {
    let rig = Rig::new(SHIFT);
    rig.stage2();
    let bench = rig.bench();
    bench.configure(SID, &SteFields::stage2(VMID, ROOT));
    let access = || rig.model.access(SID, Iova(TARGET + 0x1000), true);
    assert_eq!(access(), Err(Abort::Event(event::F_TRANSLATION)));
    let index = TARGET >> 21 & 0x1ff;
    rig.store(ROOT + 0x2000 + 8 * index, &[0]);
    // What was a table is written as if it were memory.
    rig.store(ROOT + 0x1_0000 + 0x1000 * index + 8, &[table::stage2(0x7000_0000, true)]);
    bench.run(&[command::page(opcode::TLBI_S2_IPA, VMID, 0, TARGET + 0x1000, true)]);
    assert_eq!(access(), Ok(PhysAddr(0x7000_0000)));
    bench.run(&[command::page(opcode::TLBI_S2_IPA, VMID, 0, TARGET, false)]);
    assert!(access().is_ok(), "the leaf is another address's");
    bench.run(&[command::page(opcode::TLBI_S2_IPA, VMID, 0, TARGET + 0x1000, false)]);
    assert_eq!(access(), Err(Abort::Event(event::F_TRANSLATION)));
}
