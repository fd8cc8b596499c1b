//! Every record format, the queue's wrap and its overflow.

use crate::rig::{Rig, SID, Tables, VMID};
use sluice_abi::smmu::{Record, event};
use sluice_abi::{Iova, PhysAddr};
use sluice_smmu::{Class, Event};
use sluice_smmu_model::Identity;

/// Every field set: SSV, SSID 0xabcde, SID 0x12345678; STALL, PnU, InD, RnW, S2, CLASS=IN; an address; and 0x0000_0bad_cafe_f000
/// where translation faults have the intermediate and the others a physical address.
const fn full(kind: u64) -> [u64; 4] {
    [
        kind | 1 << 11 | 0xabcde << 12 | 0x1234_5678 << 32,
        0x1234 | 1 << 31 | 1 << 33 | 1 << 34 | 1 << 35 | 1 << 39 | 2 << 40,
        0xffff_8000_dead_beef,
        0x0000_0bad_cafe_f000,
    ]
}

const STREAM_ONLY: [u64; 9] = [
    event::C_BAD_STREAMID,
    event::F_STE_FETCH,
    event::C_BAD_STE,
    event::F_STREAM_DISABLED,
    event::C_BAD_SUBSTREAMID,
    event::F_CD_FETCH,
    event::C_BAD_CD,
    event::F_CFG_CONFLICT,
    sluice_smmu::regs::kind::F_VMS_FETCH,
];
const FAULTS: [u64; 5] =
    [event::F_TRANSLATION, event::F_ADDR_SIZE, event::F_ACCESS, event::F_PERMISSION, event::F_TLB_CONFLICT];

#[test]
fn records_about_a_stream_have_nothing_else() {
    for kind in STREAM_ONLY.into_iter().chain([0xe0, 0x7f]) {
        let event = Event::decode(full(kind));
        assert_eq!((event.kind, event.sid, event.ssid), (kind, 0x1234_5678, Some(0xabcde)));
        assert_eq!((event.iova, event.ipa, event.class), (Iova(0), None, None));
        assert!(!event.read && !event.instruction && !event.privileged && !event.stage2 && !event.stalled);
    }
}

#[test]
fn translation_faults_have_everything() {
    for kind in FAULTS {
        let event = Event::decode(full(kind));
        let expected = Event {
            kind,
            sid: 0x1234_5678,
            ssid: Some(0xabcde),
            iova: Iova(0xffff_8000_dead_beef),
            ipa: Some(0x0bad_cafe_f000),
            read: true,
            instruction: true,
            privileged: true,
            stage2: true,
            stalled: true,
            class: Some(Class::Input),
        };
        assert_eq!(event, expected);
        let record = event.record(3, 17);
        let flags = 1 | 2 | 4 | 8 | 2 << 4 | 1 << 6 | 1 << 7 | 0xabcde << 32;
        assert_eq!(record.words(), [kind, 3 << 32 | 0x1234_5678, 0xffff_8000_dead_beef, 0x0bad_cafe_f000, flags, 17]);
    }
}

#[test]
fn an_intermediate_address_needs_a_stage_2_fault() {
    let mut words = full(event::F_TRANSLATION);
    words[1] &= !(1 << 39);
    let event = Event::decode(words);
    assert_eq!((event.stage2, event.ipa), (false, None));
    assert_eq!(event.record(0, 0).flags & Record::STAGE2, 0);
}

#[test]
fn partial_formats_take_only_their_fields() {
    let walk = Event::decode(full(event::F_WALK_EABT));
    assert_eq!((walk.ipa, walk.stage2, walk.class), (None, true, Some(Class::Input)));
    let upstream = Event::decode(full(event::F_UUT));
    assert_eq!((upstream.iova, upstream.class), (Iova(0xffff_8000_dead_beef), None));
    assert!(upstream.read && upstream.instruction && upstream.privileged && !upstream.stage2 && !upstream.stalled);
    let forbidden = Event::decode(full(event::F_TRANSL_FORBIDDEN));
    assert!(forbidden.read && !forbidden.instruction && !forbidden.privileged);
    assert_eq!(forbidden.iova, Iova(0xffff_8000_dead_beef));
    for kind in [event::F_BAD_ATS_TREQ, event::E_PAGE_REQUEST] {
        let request = Event::decode(full(kind));
        assert!(!request.read && request.iova == Iova(0xffff_8000_dead_beef) && request.class.is_none());
    }
}

#[test]
fn no_record_carries_a_fetch_address() {
    const FETCH: u64 = 0x0bad_cafe_f000;
    for kind in (0..=0xff).filter(|kind| !FAULTS.contains(kind)) {
        let words = Event::decode(full(kind)).record(0, 0).words();
        assert!(!words.contains(&FETCH), "{kind:#x}");
    }
}

#[test]
fn classes_and_missing_substreams_decode() {
    for (bits, class) in [(0, Class::ContextDescriptor), (1, Class::TableWalk), (2, Class::Input), (3, Class::Reserved)]
    {
        let event = Event::decode([event::F_PERMISSION | 7 << 32, bits << 40, 0, 0]);
        assert_eq!((event.class, event.ssid, event.sid), (Some(class), None, 7));
        assert_eq!(event.record(0, 0).flags, bits << Record::CLASS_SHIFT);
    }
    assert_eq!(Event::decode([event::C_BAD_SUBSTREAMID | 5 << 12, 0, 0, 0]).ssid, Some(5));
}

/// An event queue of four entries.
const SHORT: Identity = Identity { idr1: 0x0273_0010 & !(0x1f << 16) | 2 << 16, ..Identity::QEMU };

#[test]
fn faults_arrive_in_order_across_the_wrap() {
    let rig = Rig::enabled(SHORT);
    let tables = Tables::new(&rig.model, PhysAddr(0x6000_0000));
    rig.write(&rig.stage2(VMID, tables.root)).expect("bind");
    assert_eq!(rig.smmu.next_event(&*rig.model), None);
    for round in 0..11u64 {
        for page in 0..3 {
            assert!(rig.model.access(SID, Iova(round << 20 | page << 12), page == 1).is_err());
        }
        for page in 0..3 {
            let event = rig.smmu.next_event(&*rig.model).expect("recorded");
            assert_eq!((event.kind, event.sid), (event::F_TRANSLATION, SID));
            assert_eq!(event.iova, Iova(round << 20 | page << 12));
            assert_eq!((event.read, event.stage2), (page != 1, true));
        }
        assert_eq!(rig.smmu.next_event(&*rig.model), None);
    }
    assert_eq!(rig.smmu.take_losses(), 0);
}

#[test]
fn an_overflow_is_counted_and_acknowledged_each_time() {
    let rig = Rig::enabled(SHORT);
    for round in 1..=4 {
        for number in 0..7 {
            rig.model.record([event::C_BAD_STE | number << 32, 0, 0, 0]);
        }
        let sids: Vec<u32> = std::iter::from_fn(|| rig.smmu.next_event(&*rig.model)).map(|event| event.sid).collect();
        assert_eq!(sids, [0, 1, 2, 3], "round {round}: the oldest stay");
        assert_eq!(rig.smmu.take_losses(), 1);
    }
}

#[test]
fn unknown_streams_are_recorded_and_silent_ones_are_not() {
    let rig = Rig::enabled(Identity::QEMU);
    assert!(rig.model.access(0x2_0000, Iova(0x40), true).is_err());
    let event = rig.smmu.next_event(&*rig.model).expect("RECINVSID");
    assert_eq!((event.kind, event.sid), (event::C_BAD_STREAMID, 0x2_0000));
    assert!(rig.model.access(SID, Iova(0x40), true).is_err());
    assert_eq!(rig.smmu.next_event(&*rig.model), None);
}
