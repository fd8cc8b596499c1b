//! The driver against QEMU's SMMUv3 and a device that does DMA. Its stream table has two levels.

use sluice_abi::{FrameSize, Iova, PhysAddr, smmu::event};
use sluice_paging::{Access, Format, Leaf, MemoryType, TableMemory};
use sluice_smmu::{Event, Features, Memory, Smmu, Ste, memory_needed};

use crate::bench::BASE;
use crate::machine::{BOTH_STAGES, Qemu, SID};

const STREAMS: PhysAddr = PhysAddr(0x4800_0000);
const ROOT: PhysAddr = PhysAddr(0x4900_0000);
const FRAME: u64 = 0x4a00_0000;
const IOVA: u64 = 0x12_3456_7000;

/// What arrives at the frame when the device copies from `iova` and back to it.
fn copies(qemu: &Qemu, iova: u64, value: u32, smmu: &Smmu) -> bool {
    qemu.store32(FRAME, value);
    qemu.device_reads(iova);
    qemu.store32(FRAME, 0);
    qemu.device_writes(iova);
    while smmu.next_event(qemu).is_some() {}
    qemu.load32(FRAME) == value
}

fn map(qemu: &Qemu, write: bool) {
    let mut table = ROOT;
    for level in 0..3u8 {
        let next = ROOT.offset(0x1000 * (u64::from(level) + 1));
        qemu.store(table.offset(8 * Format::index(level, IOVA)), Format::STAGE2.encode_table(next));
        table = next;
    }
    let access = Access { read: true, write, execute: false };
    let leaf = Leaf { address: PhysAddr(FRAME), size: FrameSize::Small, access, memory: MemoryType::Normal };
    qemu.store(slot(), Format::STAGE2.encode_leaf(&leaf));
}

fn slot() -> PhysAddr {
    ROOT.offset(0x3000 + 8 * Format::index(3, IOVA))
}

#[test]
fn a_device_reaches_what_its_entry_says() {
    let qemu = &Qemu::start(BOTH_STAGES);
    let features = Features::read(qemu, BASE).expect("supported");
    let needs = memory_needed(&features, 0xff);
    let memory = Memory { strtab: PhysAddr(0x4500_0000), cmdq: PhysAddr(0x4600_0000), evtq: PhysAddr(0x4700_0000) };
    let smmu = Smmu::new(BASE, features, needs, memory);
    assert!(copies(qemu, FRAME, 0x1111_2222, &smmu), "out of reset the device is bypassed");

    smmu.enable(qemu).expect("enable");
    let entry = STREAMS.offset(u64::from(SID) * 64);
    qemu.store32(FRAME, 7);
    qemu.device_writes(FRAME);
    assert_eq!(smmu.next_event(qemu).map(|event| event.kind), Some(event::C_BAD_STREAMID));
    while smmu.next_event(qemu).is_some() {}
    smmu.install_stream_table(qemu, 0, STREAMS).expect("install");
    qemu.device_writes(FRAME);
    assert_eq!(smmu.next_event(qemu), None, "abort is silent");
    assert_eq!(qemu.load32(FRAME), 7);

    map(qemu, true);
    smmu.write_ste(qemu, SID, entry, &Ste::stage2(&features, 9, ROOT)).expect("bind");
    assert!(copies(qemu, IOVA, 0x5555_6666, &smmu), "stage 2 translates both ways");

    qemu.device_writes(IOVA + 0x1000);
    let fault = smmu.next_event(qemu).expect("recorded");
    assert_eq!((fault.kind, fault.sid, fault.iova), (event::F_TRANSLATION, SID, Iova(IOVA + 0x1000)));
    assert_eq!((fault.read, fault.stage2, fault.ipa), (false, true, Some(IOVA + 0x1000)));
    while smmu.next_event(qemu).is_some() {}

    map(qemu, false);
    smmu.invalidate_range(qemu, 9, IOVA, 0x1000, 12).expect("invalidate");
    qemu.store32(FRAME, 7);
    qemu.device_writes(IOVA);
    assert_eq!(smmu.next_event(qemu).map(|event: Event| (event.kind, event.read)), Some((event::F_PERMISSION, false)));
    while smmu.next_event(qemu).is_some() {}
    assert_eq!(qemu.load32(FRAME), 7, "read-only");

    map(qemu, true);
    smmu.invalidate_range(qemu, 9, IOVA, 0x20_0000, 12).expect("invalidate a range");
    assert!(copies(qemu, IOVA, 1, &smmu));
    qemu.store(slot(), 0);
    assert!(copies(qemu, IOVA, 2, &smmu), "without TLBI the page stays");
    smmu.invalidate_range(qemu, 9, IOVA & !0x3fff, 0x2_0000, 12).expect("invalidate a range");
    assert!(!copies(qemu, IOVA, 3, &smmu), "with it the page is gone");

    map(qemu, true);
    assert!(copies(qemu, IOVA, 4, &smmu));
    smmu.write_ste(qemu, SID, entry, &Ste::abort()).expect("unbind");
    assert!(!copies(qemu, IOVA, 5, &smmu), "unbound");
    smmu.write_ste(qemu, SID, entry, &Ste::bypass()).expect("bypass");
    assert!(copies(qemu, FRAME, 6, &smmu));
    smmu.disable(qemu).expect("disable");
    assert!(!copies(qemu, FRAME, 7, &smmu), "down is abort");
    smmu.leave_bypassed(qemu).expect("off");
    assert!(copies(qemu, FRAME, 8, &smmu));
    assert_eq!(smmu.global_errors(qemu).active, 0);
}
