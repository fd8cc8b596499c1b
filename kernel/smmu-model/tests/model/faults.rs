//! Configuration faults, substreams, stalls and the records of all of them.

use sluice_abi::smmu::event;
use sluice_abi::{Iova, PhysAddr};
use sluice_paging::TableMemory;
use sluice_smmu::Bus;
use sluice_smmu::regs::{GERROR, config, offset, opcode, s1dss, s1fmt};
use sluice_smmu_model::{Abort, Identity, Model, Transaction};

use crate::bench::{BASE, Bench};
use crate::encode::{CdFields, SteFields, table};
use crate::machine::RAM;

const SID: u32 = 8;
const IOVA: u64 = 0x4_0000_1000;
/// Context descriptors, tables of stage 1 and of stage 2, all in RAM and where stage 2 leaves them.
const CDS: u64 = 0x4880_0000;
const STAGE1: u64 = 0x4890_0000;
const STAGE2: u64 = 0x4900_0000;
const FRAME: u64 = 0x4a00_0000;

/// QEMU's SMMU with 256 substreams, two-level tables of context descriptors, and streams that may stall.
const RICH: Identity = Identity {
    idr0: Identity::QEMU.idr0 & !(3 << 24) & !(1 << 26) | 1 << 19,
    idr1: Identity::QEMU.idr1 | 8 << 6,
    ..Identity::QEMU
};

/// An SMMU whose stage 1 maps [`IOVA`] to [`FRAME`], for substream 0 and, with the next frame, for substream 5.
fn started(identity: Identity) -> Model {
    let model = Model::new(BASE, identity);
    model.limit_memory(vec![RAM]);
    let bench = Bench::start(&model);
    for (number, tables) in [(0, STAGE1), (5, STAGE1 + 0x10_0000)] {
        let mut cd = CdFields::plain(number, tables);
        cd.low.size = 25;
        bench.store_words(CDS + 64 * number, &cd.words());
        bench.store_words(tables + 8 * (IOVA >> 30), &[table::table(tables + 0x1000)]);
        bench.store_words(tables + 0x1000, &[table::table(tables + 0x2000)]);
        bench.store_words(tables + 0x2000 + 8, &[table::stage1(FRAME + 0x1000 * number, true)]);
    }
    // Stage 2 maps all RAM by one block to itself.
    bench.store_words(STAGE2, &[table::table(STAGE2 + 0x1000)]);
    bench.store_words(STAGE2 + 0x1000 + 8, &[table::stage2(0x4000_0000, true) & !2]);
    bench.configure(SID, &SteFields::stage1(CDS));
    model
}

fn access(ssid: Option<u32>) -> Transaction {
    Transaction { ssid, ..Transaction::new(SID, Iova(IOVA), true) }
}

/// The kind of the only record there is.
fn record(model: &Model) -> [u64; 4] {
    let records = Bench::resume(model).events();
    assert_eq!(records.len(), 1, "{records:x?}");
    records[0]
}

#[test]
fn an_entry_that_is_illegal_is_reported_as_one() {
    let plain = SteFields::nested(3, STAGE2, CDS);
    let illegal = [
        SteFields { valid: false, ..plain },
        SteFields { cd_max: 1, ..plain },
        SteFields { never_stall: true, ..plain },
        SteFields { stall: true, ..plain },
        SteFields { aarch64: false, ..plain },
        SteFields { endian: true, ..plain },
        SteFields { granule: 3, ..plain },
        SteFields { sl0: 3, ..plain },
        SteFields { sl0: 1, ..plain },
        SteFields { t0sz: 19, ..plain },
        SteFields { t0sz: 40, ..plain },
        SteFields { root: 1 << 44, ..plain },
    ];
    let model = started(Identity::QEMU);
    let bench = Bench::resume(&model);
    bench.configure(SID, &plain);
    assert_eq!(model.transact(&access(None)), Ok(PhysAddr(FRAME)));
    for entry in illegal {
        bench.configure(SID, &entry);
        assert_eq!(model.transact(&access(None)), Err(Abort::Event(event::C_BAD_STE)), "{entry:?}");
        assert_eq!(record(&model), [event::C_BAD_STE | u64::from(SID) << 32, 0, 0, 0]);
    }
    for kind in 0..4 {
        bench.configure(SID, &SteFields { config: kind, ..plain });
        assert_eq!(model.transact(&access(None)), Err(Abort::Configured));
        assert!(bench.events().is_empty());
    }
    for (stage, missing) in [(config::STAGE1, 2), (config::STAGE2, 1), (config::NESTED, 1), (config::NESTED, 2)] {
        let single = started(Identity { idr0: Identity::QEMU.idr0 & !missing, ..Identity::QEMU });
        Bench::resume(&single).configure(SID, &SteFields { config: stage, ..plain });
        assert_eq!(single.transact(&access(None)), Err(Abort::Event(event::C_BAD_STE)));
    }
}

#[test]
fn a_context_descriptor_that_is_illegal_is_reported_as_one() {
    let mut plain = CdFields::plain(0, STAGE1);
    plain.low.size = 25;
    let with_low = |change: fn(&mut CdFields)| {
        let mut cd = plain;
        change(&mut cd);
        cd
    };
    let illegal = [
        with_low(|cd| cd.valid = false),
        with_low(|cd| cd.aarch64 = false),
        with_low(|cd| cd.abort = false),
        with_low(|cd| cd.stall = true),
        with_low(|cd| cd.endian = true),
        with_low(|cd| cd.updates = 1),
        with_low(|cd| cd.updates = 2),
        with_low(|cd| cd.low.size = 15),
        with_low(|cd| cd.low.size = 40),
        with_low(|cd| cd.low.granule = 3),
        with_low(|cd| cd.low.root = 1 << 44),
        with_low(|cd| (cd.high.disabled, cd.high.granule) = (false, 0)),
    ];
    for cd in illegal {
        let model = started(Identity::QEMU);
        Bench::resume(&model).store_words(CDS, &cd.words());
        assert_eq!(model.transact(&access(None)), Err(Abort::Event(event::C_BAD_CD)), "{cd:?}");
        assert_eq!(record(&model)[0], event::C_BAD_CD | u64::from(SID) << 32);
    }
    // What a half that is disabled says means nothing.
    let model = started(Identity::QEMU);
    let mut cd = plain;
    (cd.high.granule, cd.high.size, cd.high.root) = (0, 0, 1 << 44);
    Bench::resume(&model).store_words(CDS, &cd.words());
    assert!(model.transact(&access(None)).is_ok());
}

#[test]
fn fetches_where_no_memory_answers_say_what_was_fetched_and_where() {
    const NOWHERE: u64 = 0x7000_0040;
    let model = started(Identity::QEMU);
    let bench = Bench::resume(&model);
    bench.configure(SID, &SteFields::stage1(NOWHERE));
    assert_eq!(model.transact(&access(None)), Err(Abort::Event(event::F_CD_FETCH)));
    assert_eq!(record(&model), [event::F_CD_FETCH | u64::from(SID) << 32, 0, 0, NOWHERE]);
    bench.configure(SID, &SteFields { root: NOWHERE & !0xfff, ..SteFields::stage2(3, 0) });
    assert_eq!(model.transact(&access(None)), Err(Abort::Event(event::F_WALK_EABT)));
    let words = record(&model);
    assert_eq!((words[0] & 0xff, words[2], words[3]), (event::F_WALK_EABT, IOVA, NOWHERE & !0xfff));
    let bits = words[1] >> 39 & 1 | words[1] >> 39 & 6;
    assert_eq!(bits, 1 | 2 << 1, "stage 2, for the input address");
    bench.configure(SID, &SteFields::stage1(CDS));
    model.store(PhysAddr(STAGE1 + 8 * (IOVA >> 30)), table::table(NOWHERE & !0xfff));
    assert_eq!(model.transact(&access(None)), Err(Abort::Event(event::F_WALK_EABT)));
    assert_eq!((record(&model)[1] >> 39 & 7, 0), (1 << 1, 0), "stage 1, for a table");
}

#[test]
fn a_stream_number_out_of_range_is_recorded_if_that_is_wanted() {
    let model = started(Identity::QEMU);
    let beyond = Transaction::new(0x100, Iova(0), false);
    assert_eq!(model.transact(&beyond), Err(Abort::Event(event::C_BAD_STREAMID)));
    assert_eq!(record(&model), [event::C_BAD_STREAMID | 0x100 << 32, 0, 0, 0]);
    model.write32(BASE.offset(offset::CR2), 0);
    assert_eq!(model.transact(&beyond), Err(Abort::Event(event::C_BAD_STREAMID)));
    assert!(Bench::resume(&model).events().is_empty());
}

#[test]
fn substreams_choose_descriptors() {
    let model = started(RICH);
    let bench = Bench::resume(&model);
    let refused = |kind| Err(Abort::Event(kind));
    // No substreams: descriptor 0, and a substream is out of range.
    assert_eq!(model.transact(&access(None)), Ok(PhysAddr(FRAME)));
    assert_eq!(model.transact(&access(Some(5))), refused(event::C_BAD_SUBSTREAMID));
    assert_eq!(record(&model), [event::C_BAD_SUBSTREAMID | 5 << 12 | u64::from(SID) << 32, 0, 0, 0]);
    let with = |cd_max, dss| SteFields { cd_max, dss, ..SteFields::stage1(CDS) };
    for (dss, none, zero) in [
        (s1dss::TERMINATE, refused(event::F_STREAM_DISABLED), Ok(PhysAddr(FRAME))),
        (s1dss::BYPASS, Ok(PhysAddr(IOVA)), Ok(PhysAddr(FRAME))),
        (s1dss::SUBSTREAM0, Ok(PhysAddr(FRAME)), refused(event::C_BAD_SUBSTREAMID)),
    ] {
        bench.configure(SID, &with(3, dss));
        assert_eq!(model.transact(&access(None)), none);
        assert_eq!(model.transact(&access(Some(0))), zero);
        assert_eq!(model.transact(&access(Some(5))), Ok(PhysAddr(FRAME + 0x5000)));
        assert_eq!(model.transact(&access(Some(6))), refused(event::C_BAD_CD));
        assert_eq!(model.transact(&access(Some(8))), refused(event::C_BAD_SUBSTREAMID));
        bench.events();
    }
    // More than the SMMU has, and a stream without stage 1.
    bench.configure(SID, &with(9, s1dss::BYPASS));
    assert_eq!(model.transact(&access(None)), refused(event::C_BAD_STE));
    bench.configure(SID, &SteFields::stage2(3, STAGE2));
    assert_eq!(model.transact(&access(Some(5))), refused(event::C_BAD_SUBSTREAMID));
}

#[test]
fn tables_of_descriptors_may_have_two_levels() {
    let model = started(RICH);
    let bench = Bench::resume(&model);
    for (format, leaf_bits) in [(s1fmt::TWO_LEVEL_4K, 6u64), (s1fmt::TWO_LEVEL_64K, 10)] {
        let first = 0x48a0_0000;
        // The same descriptors serve the first substreams; none serve those behind them.
        bench.store_words(first, &[CDS | 1, 0]);
        let entry = SteFields { cd_max: 8, cd_format: format, dss: s1dss::SUBSTREAM0, ..SteFields::stage1(first) };
        bench.configure(SID, &entry);
        assert_eq!(model.transact(&access(None)), Ok(PhysAddr(FRAME)));
        assert_eq!(model.transact(&access(Some(5))), Ok(PhysAddr(FRAME + 0x5000)));
        let behind = (1 << leaf_bits) + 5;
        assert_eq!(model.transact(&access(Some(behind))), Err(Abort::Event(event::C_BAD_SUBSTREAMID)));
    }
    let single = started(Identity { idr0: RICH.idr0 & !(1 << 19), ..RICH });
    let entry = SteFields { cd_max: 8, cd_format: s1fmt::TWO_LEVEL_4K, ..SteFields::stage1(CDS) };
    Bench::resume(&single).configure(SID, &entry);
    assert_eq!(single.transact(&access(None)), Err(Abort::Event(event::C_BAD_STE)));
}

#[test]
fn a_stalled_transaction_waits_for_a_decision() {
    let model = started(RICH);
    let bench = Bench::resume(&model);
    let mut cd = CdFields { stall: true, ..CdFields::plain(0, STAGE1) };
    cd.low.size = 25;
    bench.store_words(CDS, &cd.words());
    let slot = STAGE1 + 0x2000 + 8;
    model.store(PhysAddr(slot), 0);
    for tag in 0..3 {
        assert_eq!(model.transact(&access(None)), Err(Abort::Stalled(tag)));
        let words = record(&model);
        assert_eq!((words[0] & 0xff, words[1] & 0xffff, words[1] >> 31 & 1), (event::F_TRANSLATION, tag.into(), 1));
    }
    let resume =
        |sid: u32, tag: u64, retry: bool| [opcode::RESUME | u64::from(sid) << 32 | u64::from(retry) << 12, tag];
    bench.run(&[resume(SID + 1, 0, true), resume(SID, 2, false)]);
    assert_eq!((model.stalled(), model.retry()), (2, vec![]), "another stream's tag, and an end");
    model.store(PhysAddr(slot), table::stage1(FRAME, true));
    bench.run(&[resume(SID, 0, true)]);
    assert_eq!(model.retry(), [(access(None), Ok(PhysAddr(FRAME)))]);
    bench.run(&[[opcode::STALL_TERM | u64::from(SID + 1) << 32, 0]]);
    assert_eq!(model.stalled(), 1);
    bench.run(&[[opcode::STALL_TERM | u64::from(SID) << 32, 0]]);
    assert_eq!(model.stalled(), 0);
    // An entry that forbids stalls makes the descriptor illegal.
    bench.configure(SID, &SteFields { never_stall: true, ..SteFields::stage1(CDS) });
    assert_eq!(model.transact(&access(None)), Err(Abort::Event(event::C_BAD_CD)));
}

#[test]
fn a_fault_is_hidden_from_the_device_or_from_the_queue_as_configured() {
    let model = started(RICH);
    let bench = Bench::resume(&model);
    let elsewhere = Transaction::new(SID, Iova(IOVA + 0x1000), false);
    for (abort, record) in [(true, false), (false, true), (false, false)] {
        let mut cd = CdFields { abort, record, ..CdFields::plain(0, STAGE1) };
        cd.low.size = 25;
        bench.store_words(CDS, &cd.words());
        bench.configure(SID, &SteFields::stage1(CDS));
        let expected = if abort { Abort::Configured } else { Abort::Ignored };
        assert_eq!(model.transact(&elsewhere), Err(expected));
        assert_eq!(bench.events().len(), usize::from(record));
    }
    bench.configure(SID, &SteFields { record: false, ..SteFields::stage2(3, STAGE2) });
    assert_eq!(model.transact(&Transaction::new(SID, Iova(0), false)), Err(Abort::Configured));
    assert!(bench.events().is_empty());
}

#[test]
fn a_record_that_cannot_be_written_is_a_global_error() {
    // Without the queue.
    const STRUCTURES: std::ops::Range<u64> = CDS..FRAME;
    let model = started(Identity::QEMU);
    let read = |register| model.read32(BASE.offset(register));
    model.limit_memory(vec![STRUCTURES]);
    let before = read(offset::EVENTQ_PROD);
    model.record([event::C_BAD_STE, 0, 0, 0]);
    assert_eq!(read(offset::EVENTQ_PROD), before);
    let active = read(offset::GERROR) ^ read(offset::GERRORN);
    assert_eq!(active, GERROR::EVENTQ_ABT.val(1).value);
    // Active until it is acknowledged, and not toggled back by the next one.
    model.record([event::C_BAD_STE, 0, 0, 0]);
    assert_eq!(read(offset::GERROR) ^ read(offset::GERRORN), active);
    model.write32(BASE.offset(offset::GERRORN), read(offset::GERROR));
    model.record([event::C_BAD_STE, 0, 0, 0]);
    assert_eq!(read(offset::GERROR) ^ read(offset::GERRORN), active);
}
