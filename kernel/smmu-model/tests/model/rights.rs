//! What descriptors permit, to whom; and sizes, granules and address bits that do not matter.

use sluice_abi::smmu::event;
use sluice_abi::{Iova, PhysAddr};
use sluice_paging::TableMemory;
use sluice_smmu_model::{Abort, Identity, Model, Transaction};

use crate::bench::{BASE, Bench};
use crate::encode::{CdFields, SteFields, table};

const SID: u32 = 8;
const CD: u64 = 0x4880_0000;
const TABLES: u64 = 0x4890_0000;
const FRAME: u64 = 0x4a00_0000;
const UNPRIVILEGED: u64 = 1 << 6;
const READ_ONLY: u64 = 1 << 7;
const PXN: u64 = 1 << 53;
const UXN: u64 = 1 << 54;

/// Stage 1 with two levels for addresses below 2^30, of which the first page is mapped by `leaf` under `table`.
fn rig(above: u64, leaf: u64, change: impl Fn(&mut CdFields)) -> Model {
    let model = Model::new(BASE, Identity::QEMU);
    let bench = Bench::start(&model);
    let mut cd = CdFields::plain(1, TABLES);
    cd.low.size = 34;
    change(&mut cd);
    bench.store_words(CD, &cd.words());
    bench.store_words(TABLES, &[table::table(TABLES + 0x1000) | above]);
    bench.store_words(TABLES + 0x1000, &[FRAME | 3 | 1 << 10 | 1 << 11 | leaf]);
    bench.configure(SID, &SteFields::stage1(CD));
    model
}

/// Reads, writes and fetches that pass: unprivileged ones, then privileged ones.
fn passes(model: &Model) -> String {
    let mut passed = String::new();
    for privileged in [false, true] {
        for (name, write, instruction) in [('r', false, false), ('w', true, false), ('x', false, true)] {
            let transaction = Transaction { instruction, privileged, ..Transaction::new(SID, Iova(0), write) };
            match model.transact(&transaction) {
                Ok(at) => {
                    assert_eq!(at, PhysAddr(FRAME));
                    passed.push(name);
                }
                Err(error) => {
                    assert_eq!(error, Abort::Event(event::F_PERMISSION));
                    passed.push('-');
                }
            }
        }
    }
    passed
}

#[test]
fn a_page_of_stage_1_permits_what_it_says_under_its_tables() {
    const TABLE_READ_ONLY: u64 = 1 << 62;
    const TABLE_PRIVILEGED: u64 = 1 << 61;
    const TABLE_UXN: u64 = 1 << 60;
    const TABLE_PXN: u64 = 1 << 59;
    let cases = [
        (0, 0, "--xrwx"),
        (0, UNPRIVILEGED, "rwxrw-"),
        (0, READ_ONLY, "--xr-x"),
        (0, READ_ONLY | UNPRIVILEGED, "r-xr-x"),
        (0, READ_ONLY | UNPRIVILEGED | PXN, "r-xr--"),
        (0, READ_ONLY | UNPRIVILEGED | UXN, "r--r-x"),
        (TABLE_READ_ONLY, UNPRIVILEGED, "r-xr-x"),
        (TABLE_PRIVILEGED, UNPRIVILEGED, "--xrwx"),
        (TABLE_UXN, READ_ONLY | UNPRIVILEGED, "r--r-x"),
        (TABLE_PXN, READ_ONLY | UNPRIVILEGED, "r-xr--"),
    ];
    for (above, leaf, expected) in cases {
        assert_eq!(passes(&rig(above, leaf, |_| {})), expected, "{above:#x} {leaf:#x}");
    }
    let flat = rig(TABLE_READ_ONLY | TABLE_PRIVILEGED | TABLE_UXN, UNPRIVILEGED, |cd| cd.low.flat = true);
    assert_eq!(passes(&flat), "rwxrw-", "HAD0: tables restrict nothing");
    assert_eq!(passes(&rig(0, UNPRIVILEGED, |cd| cd.wxn = true)), "rw-rw-");
    assert_eq!(passes(&rig(0, 0, |cd| cd.wxn = true)), "--xrw-");
}

#[test]
fn a_page_of_stage_2_permits_what_it_says() {
    const NORMAL: u64 = 0xf << 2;
    let cases = [
        (0b11, 0, "rwxrwx"),
        (0b01, 0, "r-xr-x"),
        (0b10, 0, "-w--w-"),
        (0b00, 0, "------"),
        (0b11, 0b01, "rwxrw-"),
        (0b11, 0b10, "rw-rw-"),
        (0b11, 0b11, "rw-rwx"),
    ];
    for (s2ap, xn, expected) in cases {
        let model = rig(0, 0, |_| {});
        // One level of 64 KiB pages: 16 addresses bits in the page, 13 in the table.
        let root = TABLES + 0x10_0000;
        model.store(PhysAddr(root), FRAME | 3 | 1 << 10 | NORMAL | s2ap << 6 | xn << 53);
        let entry = SteFields { granule: 1, sl0: 0, t0sz: 35, ..SteFields::stage2(1, root) };
        Bench::resume(&model).configure(SID, &entry);
        assert_eq!(passes(&model), expected, "{s2ap:#b} {xn:#b}");
    }
}

#[test]
fn an_access_flag_counts_unless_it_is_not_to() {
    for (ignored, expected) in [(false, Err(Abort::Event(event::F_ACCESS))), (true, Ok(PhysAddr(FRAME)))] {
        let model = rig(0, UNPRIVILEGED, |cd| cd.affd = ignored);
        model.store(PhysAddr(TABLES + 0x1000), FRAME | 3 | UNPRIVILEGED);
        assert_eq!(model.access(SID, Iova(0), false), expected);
    }
}

#[test]
fn a_top_byte_is_ignored_where_it_is_to_be() {
    for (ignored, expected) in [(0, Err(Abort::Event(event::F_TRANSLATION))), (1, Ok(PhysAddr(FRAME)))] {
        let model = rig(0, UNPRIVILEGED, |cd| cd.tbi = ignored);
        assert_eq!(model.access(SID, Iova(0xab << 56), false), expected);
        assert_eq!(model.access(SID, Iova(1 << 50), false), Err(Abort::Event(event::F_TRANSLATION)));
    }
}

#[test]
fn an_output_beyond_the_size_faults_where_it_is_given() {
    let model = rig(0, UNPRIVILEGED, |cd| cd.ips = 0);
    assert!(model.access(SID, Iova(0), false).is_ok());
    for slot in [TABLES, TABLES + 0x1000] {
        let model = rig(0, UNPRIVILEGED, |cd| cd.ips = 0);
        let word = model.load(PhysAddr(slot));
        model.store(PhysAddr(slot), word | 1 << 32);
        assert_eq!(model.access(SID, Iova(0), false), Err(Abort::Event(event::F_ADDR_SIZE)));
    }
    let bypass = rig(0, 0, |_| {});
    Bench::resume(&bypass).configure(SID, &SteFields::plain(4));
    assert_eq!(bypass.access(SID, Iova(1 << 43), false), Ok(PhysAddr(1 << 43)));
    assert_eq!(bypass.access(SID, Iova(1 << 44), false), Err(Abort::Event(event::F_ADDR_SIZE)));
}

#[test]
fn tables_of_stage_1_do_not_lie_in_device_memory_of_stage_2_where_that_is_protected() {
    for (protected, device, passes) in [(false, true, true), (true, true, false), (true, false, true)] {
        let model = rig(0, UNPRIVILEGED, |_| {});
        let root = TABLES + 0x10_0000;
        let attributes = if device { 0 } else { 0xf << 2 };
        // One block of 1 GiB over all of it, to itself.
        model.store(PhysAddr(root), table::table(root + 0x1000));
        model.store(PhysAddr(root + 0x1008), 0x4000_0000 | 1 | 1 << 10 | 3 << 6 | attributes);
        Bench::resume(&model).configure(SID, &SteFields { ptw: protected, ..SteFields::nested(1, root, CD) });
        assert_eq!(model.access(SID, Iova(0), false).is_ok(), passes);
    }
}

#[test]
fn a_root_of_stage_2_may_be_several_tables() {
    let model = rig(0, 0, |_| {});
    let root = TABLES + 0x10_0000;
    // 40 bits from level 1 on, with two tables: the upper half of all addresses is the second one's.
    let bench = Bench::resume(&model);
    bench.configure(SID, &SteFields { t0sz: 24, sl0: 1, ..SteFields::stage2(1, root) });
    model.store(PhysAddr(root + 0x1000), table::stage2(0x8000_0000, true) & !2);
    assert_eq!(model.access(SID, Iova(1 << 39 | 0x1234), false), Ok(PhysAddr(0x8000_1234)));
    assert_eq!(model.access(SID, Iova(0x1234), false), Err(Abort::Event(event::F_TRANSLATION)));
}

#[test]
fn several_smmus_share_memory_and_nothing_else() {
    let first = rig(0, UNPRIVILEGED, |_| {});
    let second = first.beside(PhysAddr(0x0906_0000), Identity::QEMU);
    assert!(first.access(SID, Iova(0), true).is_ok());
    assert_eq!(second.access(SID, Iova(0x1234), true), Ok(PhysAddr(0x1234)), "it is still in bypass");
    first.store(PhysAddr(TABLES + 0x1000), 0);
    assert_eq!(second.load(PhysAddr(TABLES + 0x1000)), 0);
    assert!(first.access(SID, Iova(0), true).is_ok(), "cached in the first");
    Bench::resume(&first).run(&[crate::encode::command::NSNH_ALL]);
    assert_eq!(first.access(SID, Iova(0), true), Err(Abort::Event(event::F_TRANSLATION)));
}
