//! Every register, in every width, at every offset.

use fastrand::Rng;
use sluice_abi::PhysAddr;
use sluice_smmu_model::{Identity, Model};
use sluice_vmm::mmio::{Place, Width};
use sluice_vmm::smmu::{BadStreams, Features, MAX_STREAMS, Smmu, Stage1};

use crate::guest::{FEATURES, Guest, at};
use crate::world::Call;

/// Registers that can be written while nothing is enabled, and which of their bits keep what was written.
const WRITABLE: [(u64, u32); 16] = [
    (at::CR0, 0b1101),
    (at::CR1, 0xfff),
    (at::CR2, 0b110),
    (at::IRQ_CTRL, 0b101),
    (at::STRTAB_BASE, 0xffff_ffc0),
    (at::STRTAB_BASE + 4, 1 << 30 | 0xfff),
    (at::STRTAB_BASE_CFG, 0x3_07ff),
    (at::CMDQ_BASE, 0xffff_ffff),
    (at::CMDQ_BASE + 4, 1 << 30 | 0xfff),
    (at::CMDQ_PROD, 0xf_ffff),
    (at::CMDQ_CONS, 0x7f0f_ffff),
    (at::EVENTQ_BASE, 0xffff_ffff),
    (at::EVENTQ_BASE + 4, 1 << 30 | 0xfff),
    (at::EVENTQ_PROD, 0x800f_ffff),
    (at::EVENTQ_CONS, 0x800f_ffff),
    // With UPDATE, which reads as zero.
    (at::GBPA, 1 << 20),
];

fn words() -> impl Iterator<Item = u64> {
    (0..0x400u64).chain(0x1_0000..0x1_0400).step_by(4)
}

fn content(guest: &Guest) -> Vec<u32> {
    words().map(|offset| guest.read(offset)).collect()
}

#[test]
fn words_keep_the_bits_that_the_architecture_gives_them() {
    for offset in words() {
        let mut guest = Guest::new(FEATURES, &[]);
        let before = guest.read(offset);
        guest.write(offset, u32::MAX);
        let kept = WRITABLE.iter().find(|(at, _)| *at == offset).map_or(0, |(_, bits)| *bits);
        assert_eq!(guest.read(offset), before | kept, "{offset:#x}");
        guest.write(offset, if offset == at::GBPA { 1 << 31 } else { 0 });
        assert_eq!(guest.read(offset), before, "{offset:#x}");
    }
}

#[test]
fn doublewords_are_two_words() {
    for offset in words().step_by(2) {
        let value = 0xffff_fffe_ffff_fffd;
        let (mut one, mut two) = (Guest::new(FEATURES, &[]), Guest::new(FEATURES, &[]));
        one.write64(offset, value);
        two.write(offset, value as u32);
        two.write(offset + 4, (value >> 32) as u32);
        assert_eq!(content(&one), content(&two), "{offset:#x}");
        let place = Place { offset, width: Width::Double };
        assert_eq!(one.smmu.read(place), one.read64(offset));
    }
}

#[test]
fn narrow_and_misaligned_writes_are_ignored() {
    let mut guest = Guest::running(FEATURES, &[0x18]);
    let before = content(&guest);
    for offset in (0..0x110).chain(0x1_0000..0x1_0110).chain([0x2_0000, u64::MAX - 1, u64::MAX]) {
        for width in Width::ALL {
            if width < Width::Word || !(Place { offset, width }).is_aligned() {
                guest.access(offset, width, u64::MAX);
            }
        }
    }
    assert_eq!(content(&guest), before);
    assert_eq!(guest.calls(), []);
}

#[test]
fn nothing_is_behind_the_last_register() {
    let mut guest = Guest::new(FEATURES, &[]);
    let before = content(&guest);
    for offset in [0x100, 0xffc, 0x1000, 0xfffc, 0x1_0100, 0x1_fffc, 0x2_0000, 0x2_0020, 1 << 40, u64::MAX - 3] {
        guest.write(offset, u32::MAX);
        for width in Width::ALL {
            assert_eq!(guest.smmu.read(Place { offset, width }), 0, "{offset:#x}");
        }
    }
    assert_eq!(content(&guest), before);
}

#[test]
fn reads_are_of_memory() {
    let guest = Guest::new(FEATURES, &[]);
    let read = |offset, width| guest.smmu.read(Place { offset, width });
    assert_eq!(read(at::IDR0 + 3, Width::Byte), 0x0d);
    assert_eq!(read(at::IDR0 + 2, Width::Half), 0x0d40);
    assert_eq!(read(at::IDR0, Width::Double), 0x0d40_101a | guest.read64(at::IDR1) << 32);
    assert_eq!(read(at::IDR0 + 1, Width::Word), 0x0d_4010 | u64::from(guest.read(at::IDR1)) << 24 & 0xff00_0000);
}

#[test]
fn what_is_in_use_does_not_move() {
    let enabled = |cr0| {
        let mut guest = Guest::new(FEATURES, &[]);
        guest.write(at::CR0, cr0);
        let before = content(&guest);
        for (offset, _) in WRITABLE.into_iter().filter(|(offset, _)| *offset != at::CR0) {
            guest.write(offset, u32::MAX);
        }
        let after = content(&guest);
        words().zip(before).zip(after).filter(|((_, before), after)| before == after).map(|((at, _), _)| at).collect()
    };
    let moved =
        |fixed: Vec<u64>| WRITABLE.map(|(offset, _)| offset).into_iter().filter(|at| !fixed.contains(at)).collect();
    let moves = |cr0| -> Vec<u64> { moved(enabled(cr0)) };
    let fixed = |cr0| -> Vec<u64> {
        let moves = moves(cr0);
        WRITABLE.iter().map(|(offset, _)| *offset).filter(|at| *at != at::CR0 && !moves.contains(at)).collect()
    };
    assert_eq!(fixed(0), []);
    assert_eq!(fixed(1), [at::CR2, at::STRTAB_BASE, at::STRTAB_BASE + 4, at::STRTAB_BASE_CFG]);
    assert_eq!(fixed(4), [at::EVENTQ_BASE, at::EVENTQ_BASE + 4, at::EVENTQ_PROD]);
    // PROD, the last written of the queue's, finds more than the queue holds; CONS then tells the error.
    let stuck = [at::CMDQ_BASE, at::CMDQ_BASE + 4];
    assert!(stuck.iter().all(|at| fixed(8).contains(at)));
    let mut guest = Guest::new(FEATURES, &[]);
    guest.write(at::CR0, 8);
    guest.write(at::CMDQ_CONS, 1);
    assert_eq!(guest.read(at::CMDQ_CONS), 0);
    // Attributes of tables and of queues are held by what uses them.
    for (cr0, kept) in [(1, 0x03f), (4, 0xfc0), (8, 0xfc0), (0xd, 0)] {
        let mut guest = Guest::new(FEATURES, &[]);
        guest.write(at::CR0, cr0);
        guest.write(at::CR1, u32::MAX);
        assert_eq!(guest.read(at::CR1), kept);
    }
}

#[test]
fn enables_are_acknowledged_at_once() {
    let mut guest = Guest::new(FEATURES, &[]);
    for value in 0..32 {
        guest.write(at::CR0, value);
        assert_eq!((guest.read(at::CR0), guest.read(at::CR0ACK)), (value & 0xd, value & 0xd));
        guest.write(at::IRQ_CTRL, value);
        assert_eq!((guest.read(at::IRQ_CTRL), guest.read(at::IRQ_CTRLACK)), (value & 5, value & 5));
    }
}

#[test]
fn a_disabled_smmu_does_with_streams_what_gbpa_says() {
    let mut guest = Guest::new(FEATURES, &[0x18, 0x20]);
    assert_eq!(guest.machine.stage1, [Stage1::Bypass; 2]);
    guest.write(at::GBPA, 1 << 20);
    assert_eq!(guest.calls(), [], "without UPDATE the write is ignored");
    guest.write(at::GBPA, 1 << 31 | 1 << 20);
    assert_eq!(guest.read(at::GBPA), 1 << 20);
    assert_eq!(guest.calls(), [0, 1].map(|stream| Call::Stage1(stream, Stage1::Abort)));
    guest.write(at::GBPA, 1 << 31);
    assert_eq!(guest.machine.stage1, [Stage1::Bypass; 2]);
    // Enabled, its tables decide, and there are none.
    guest.write(at::CR0, 1);
    assert_eq!(guest.machine.stage1, [Stage1::Abort; 2]);
    guest.calls();
    guest.write(at::GBPA, 1 << 31 | 1 << 20);
    guest.write(at::GBPA, 1 << 31);
    assert_eq!(guest.calls(), []);
    guest.write(at::CR0, 0);
    assert_eq!(guest.machine.stage1, [Stage1::Bypass; 2]);
}

#[test]
fn what_is_offered_is_what_was_given() {
    let identity = |features| {
        let guest = Guest::new(features, &[]);
        [at::IDR0, at::IDR1, at::IDR3, at::IDR5].map(|offset| guest.read(offset))
    };
    let [idr0, idr1, _, idr5] = identity(FEATURES);
    assert_eq!(identity(Features { coherent: false, ..FEATURES })[0], idr0 & !(1 << 4));
    assert_eq!(identity(Features { wide_asids: false, ..FEATURES })[0], idr0 & !(1 << 12));
    assert_eq!(identity(Features { range_invalidation: false, ..FEATURES })[2], 0);
    assert_eq!(identity(Features { granule_16k: false, ..FEATURES })[3], idr5 & !(1 << 5));
    assert_eq!(identity(Features { granule_64k: false, ..FEATURES })[3], idr5 & !(1 << 6));
    assert_eq!(identity(Features { sid_bits: 8, ssid_bits: 4, ..FEATURES })[1], idr1 & !0x3f | 8 | 4 << 6);
    let sizes = [(0, 0), (32, 0), (35, 0), (36, 1), (40, 2), (42, 3), (43, 3), (44, 4), (52, 4)];
    for (output_bits, encoding) in sizes {
        assert_eq!(identity(Features { output_bits, ..FEATURES })[3] & 7, encoding, "{output_bits} bits");
    }
    assert_eq!(identity(Features { sid_bits: 99, ssid_bits: 99, ..FEATURES })[1] & 0x7ff, 32 | 20 << 6);
    assert_eq!(identity(Features::LEAST), [0x0d40_000a, idr1, 0, 0x14]);
}

#[test]
fn nothing_is_offered_that_the_physical_smmu_lacks() {
    const BASE: PhysAddr = PhysAddr(0x0905_0000);
    let mut rng = Rng::with_seed(1);
    let mut supported = 0;
    for _ in 0..20_000 {
        // Around what the kernel works with.
        let bits = |rng: &mut Rng| rng.u32(..) & rng.u32(..) & rng.u32(..);
        let [idr0, idr1, idr3, idr5] = [0x0d44_101b, 0x0273_0010, 0x1414, 0x74].map(|word: u32| word ^ bits(&mut rng));
        let model = Model::new(BASE, Identity { idr0, idr1, idr3, idr5, aidr: 1 });
        // One that the kernel does not work with has no guests.
        let Ok(physical) = sluice_smmu::Features::read(&model, BASE) else { continue };
        supported += 1;
        let coherent = rng.bool();
        let offered = Features::of_physical([idr0, idr1, idr3, idr5], coherent);
        let expected = Features {
            coherent: physical.coherent && coherent,
            wide_asids: physical.asid_bits == 16,
            range_invalidation: physical.range_invalidation,
            granule_16k: physical.granule_16k,
            granule_64k: physical.granule_64k,
            output_bits: 44,
            ..Features::LEAST
        };
        assert_eq!(offered, expected);
    }
    assert!(supported > 500, "{supported}");
    assert_eq!(Features::of_physical([0; 4], true), Features { output_bits: 32, ..Features::LEAST });
}

#[test]
fn lists_of_streams_are_checked() {
    let refusal = |sids: &[u32]| Smmu::new(FEATURES, sids).err();
    assert_eq!(refusal(&[1, 0x1_0000]), Some(BadStreams::Beyond(0x1_0000)));
    assert_eq!(refusal(&[1, 2, 1]), Some(BadStreams::Twice(1)));
    let many: Vec<u32> = (0..=MAX_STREAMS as u32).collect();
    assert_eq!(refusal(&many), Some(BadStreams::TooMany));
    assert_eq!(refusal(&many[1..]), None);
}
