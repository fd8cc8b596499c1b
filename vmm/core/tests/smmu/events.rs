//! Fault records: whose they are, and how the guest's queue takes them.

use sluice_abi::smmu::{Record, event};
use sluice_smmu::{Class, Event};
use sluice_vmm::layout::{RAM_BASE, intid};
use sluice_vmm::smmu::{Delivery, Interrupt};

use crate::guest::{BEYOND, EVENTS, FEATURES, Guest, at};
use crate::world::Call;

const SID: u64 = 0x18;
const INPUT: u64 = 2 << Record::CLASS_SHIFT;
const WALK: u64 = 1 << Record::CLASS_SHIFT;
const DESCRIPTOR: u64 = 0;
const IOVA: u64 = 0xffff_1234_5678;

fn guest() -> Guest {
    Guest::running(FEATURES, &[0x10, SID as u32])
}

/// What the guest reads of a fault, or whose it is instead.
fn reads(event: u64, flags: u64) -> Result<[u64; 4], Delivery> {
    let mut guest = guest();
    match guest.fault(1, event, flags, 0x4567_8000) {
        Delivery::Guest => {
            assert_eq!(guest.calls(), [Call::Interrupt(Interrupt::Events)]);
            assert_eq!((guest.read(at::EVENTQ_PROD), guest.machine.ram.written.as_slice()), (1, [EVENTS].as_slice()));
            Ok([0, 8, 16, 24].map(|at| guest.machine.ram.load(EVENTS + at)))
        }
        other @ (Delivery::Lost | Delivery::Owner) => {
            assert_eq!((guest.calls(), guest.read(at::EVENTQ_PROD), guest.machine.ram.written.len()), (vec![], 0, 0));
            Err(other)
        }
    }
}

#[test]
fn faults_of_stage_1_are_the_guests() {
    let head = |kind| SID << 32 | kind;
    for kind in [event::F_TRANSLATION, event::F_ADDR_SIZE, event::F_ACCESS, event::F_PERMISSION] {
        assert_eq!(reads(kind, INPUT), Ok([head(kind), 2 << 40, IOVA, 0]));
        let access = Record::READ | Record::INSTRUCTION | Record::PRIVILEGED;
        assert_eq!(reads(kind, INPUT | access), Ok([head(kind), 2 << 40 | 0b111 << 33, IOVA, 0]));
        let substream = Record::SUBSTREAM_VALID | 0xabcde << Record::SUBSTREAM_SHIFT;
        assert_eq!(reads(kind, INPUT | substream), Ok([head(kind) | 0xabcd_e000 | 1 << 11, 2 << 40, IOVA, 0]));
        // Stage 2 refused what stage 1 came to.
        assert_eq!(reads(kind, INPUT | Record::STAGE2), Err(Delivery::Owner));
        assert_eq!(reads(kind, 3 << Record::CLASS_SHIFT), Err(Delivery::Owner));
    }
    assert_eq!(reads(event::C_BAD_CD, 0), Ok([head(event::C_BAD_CD), 0, 0, 0]));
    let substream = Record::SUBSTREAM_VALID | 5 << Record::SUBSTREAM_SHIFT;
    assert_eq!(reads(event::C_BAD_SUBSTREAMID, substream), Ok([head(event::C_BAD_SUBSTREAMID) | 5 << 12, 0, 0, 0]));
}

#[test]
fn a_fetch_that_stage_2_refuses_is_one_that_failed() {
    for kind in [event::F_TRANSLATION, event::F_ADDR_SIZE, event::F_ACCESS, event::F_PERMISSION] {
        for stage2 in [0, Record::STAGE2] {
            let walk = [SID << 32 | event::F_WALK_EABT, 1 << 40 | 1 << 35, IOVA, 0x4567_8000];
            assert_eq!(reads(kind, WALK | stage2 | Record::READ), Ok(walk));
            let descriptor = [SID << 32 | event::F_CD_FETCH, 0, 0, 0x4567_8000];
            assert_eq!(reads(kind, DESCRIPTOR | stage2 | Record::READ), Ok(descriptor));
        }
    }
}

#[test]
fn all_else_is_the_owners() {
    let guests = [0x10, 0x11, 0x12, 0x13, 0x0a, 0x08];
    for kind in (0..0x100).filter(|kind| !guests.contains(kind)) {
        for flags in [INPUT, WALK, DESCRIPTOR, INPUT | Record::STAGE2] {
            assert_eq!(reads(kind, flags), Err(Delivery::Owner), "{kind:#x}");
        }
    }
    assert_eq!(guest().fault(2, event::F_TRANSLATION, INPUT, 0), Delivery::Owner, "a stream that is not there");
}

#[test]
fn records_read_as_the_kernels_decoder_reads_those_of_silicon() {
    let flags = INPUT | Record::READ | Record::PRIVILEGED | Record::SUBSTREAM_VALID | 7 << Record::SUBSTREAM_SHIFT;
    let event = Event::decode(reads(event::F_PERMISSION, flags).expect("the guest's"));
    assert_eq!((event.kind, event.sid, event.ssid, event.iova.0), (event::F_PERMISSION, SID as u32, Some(7), IOVA));
    assert!(event.read && event.privileged && !event.instruction && !event.stage2 && !event.stalled);
    assert_eq!(event.class, Some(Class::Input));
    assert_eq!(event.record(0, 0).flags, flags);
    let walk = Event::decode(reads(event::F_TRANSLATION, WALK | Record::STAGE2).expect("the guest's"));
    assert_eq!((walk.kind, walk.class, walk.stage2), (event::F_WALK_EABT, Some(Class::TableWalk), false));
}

#[test]
fn a_full_queue_toggles_the_overflow_flag_once() {
    let mut guest = guest();
    let fault = |guest: &mut Guest| guest.fault(1, event::F_ACCESS, INPUT, 0);
    for count in 1..=128 {
        assert_eq!((fault(&mut guest), guest.read(at::EVENTQ_PROD)), (Delivery::Guest, count));
    }
    guest.calls();
    for _ in 0..3 {
        assert_eq!((fault(&mut guest), guest.read(at::EVENTQ_PROD)), (Delivery::Lost, 1 << 31 | 128));
    }
    assert_eq!((guest.calls(), guest.errors()), (vec![], 0));
    // One is read, and the loss not acknowledged yet: there is room for one more.
    guest.write(at::EVENTQ_CONS, 1);
    assert_eq!((fault(&mut guest), guest.read(at::EVENTQ_PROD)), (Delivery::Guest, 1 << 31 | 129));
    assert_eq!((fault(&mut guest), guest.read(at::EVENTQ_PROD)), (Delivery::Lost, 1 << 31 | 129));
    // Acknowledged: the next loss toggles it back.
    guest.write(at::EVENTQ_CONS, 1 << 31 | 1);
    assert_eq!((fault(&mut guest), guest.read(at::EVENTQ_PROD)), (Delivery::Lost, 129));
    // Indices wrap at twice the entries.
    guest.write(at::EVENTQ_CONS, 129);
    for count in 130..256 {
        assert_eq!((fault(&mut guest), guest.read(at::EVENTQ_PROD)), (Delivery::Guest, count));
    }
    assert_eq!((fault(&mut guest), guest.read(at::EVENTQ_PROD)), (Delivery::Guest, 0));
    let end = EVENTS + 128 * 32;
    assert!(guest.machine.ram.written.iter().all(|at| (EVENTS..end).contains(at)));
}

#[test]
fn a_queue_outside_memory_is_an_error_told_once() {
    for base in [0, BEYOND, RAM_BASE - 0x1000, (1 << 44) - 0x1000] {
        let mut guest = guest();
        guest.write(at::CR0, 0x9);
        guest.write64(at::EVENTQ_BASE, base | 7);
        guest.write(at::CR0, 0xd);
        for expected in [vec![Call::Interrupt(Interrupt::Errors)], vec![]] {
            assert_eq!(guest.fault(1, event::F_ACCESS, INPUT, 0), Delivery::Lost);
            assert_eq!((guest.calls(), guest.errors(), guest.read(at::EVENTQ_PROD)), (expected, 4, 0));
        }
        guest.write(at::GERRORN, 4);
        assert_eq!(guest.errors(), 0);
        assert_eq!(guest.fault(1, event::F_ACCESS, INPUT, 0), Delivery::Lost);
        assert_eq!((guest.calls(), guest.errors()), (vec![Call::Interrupt(Interrupt::Errors)], 4));
    }
}

#[test]
fn interrupts_and_records_are_for_those_who_enabled_them() {
    let mut guest = guest();
    guest.write(at::IRQ_CTRL, 1);
    assert_eq!(guest.fault(1, event::F_ACCESS, INPUT, 0), Delivery::Guest);
    assert_eq!((guest.calls(), guest.read(at::EVENTQ_PROD)), (vec![], 1));
    guest.write(at::IRQ_CTRL, 4);
    assert_eq!(guest.calls(), [], "an edge that was not sent is not made up for");
    guest.write(at::CR0, 0x9);
    assert_eq!(guest.fault(1, event::F_ACCESS, INPUT, 0), Delivery::Lost);
    assert_eq!((guest.calls(), guest.read(at::EVENTQ_PROD)), (vec![], 1));
}

#[test]
fn lines_have_their_numbers() {
    let numbers = [Interrupt::Events, Interrupt::Sync, Interrupt::Errors].map(Interrupt::intid);
    assert_eq!(numbers, [intid::SMMU_EVENTS, intid::SMMU_SYNC, intid::SMMU_ERRORS]);
}
