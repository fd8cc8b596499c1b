//! Identification registers, accepted and refused.

use crate::rig::{BASE, PLAIN, Rig};
use sluice_smmu::{Features, StreamTableFormat, Unsupported, memory_needed};
use sluice_smmu_model::{Identity, Model};

fn read(identity: Identity) -> Result<Features, Unsupported> {
    Features::read(&Model::new(BASE, identity), BASE)
}

#[test]
fn qemu_is_decoded() {
    let features = read(Identity::QEMU).expect("supported");
    assert_eq!(
        features.to_string(),
        "SMMUv3.1 stages 1+2, SID 16 SSID 0 OAS 44 VMID 16 ASID 16 bits, coherent, range invalidation, two-level stream table"
    );
    assert_eq!(features.contexts(), 1024);
    let needs = memory_needed(&features, 0xff);
    assert_eq!((needs.format, needs.stream_bits, needs.strtab_bytes), (StreamTableFormat::TwoLevel, 16, 2048));
    assert_eq!((needs.cmdq_bytes, needs.evtq_bytes), (1 << 14, 1 << 15));
    let line = Rig::new(Identity::QEMU).smmu.to_string();
    assert!(line.ends_with("; 65536 streams in two levels, command queue 1024, event queue 1024, 1024 contexts"));
}

#[test]
fn a_linear_table_covers_the_streams_named() {
    let features = read(PLAIN).expect("supported");
    for (highest, bits) in [(0, 8), (0xff, 8), (0x100, 9), (0xffff, 16), (0xffff_ffff, 16)] {
        let needs = memory_needed(&features, highest);
        assert_eq!((needs.format, needs.stream_bits), (StreamTableFormat::Linear, bits));
        assert_eq!(needs.strtab_bytes, 64 << bits);
    }
}

#[test]
fn eight_bit_tags_bound_the_contexts() {
    let narrow = Identity { idr0: Identity::QEMU.idr0 & !(1 << 18), ..Identity::QEMU };
    assert_eq!(read(narrow).expect("supported").contexts(), 256);
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let qemu = Identity::QEMU;
    let cases = [
        (Identity { aidr: 0x10, ..qemu }, Unsupported::Version(4)),
        (Identity { idr0: qemu.idr0 & !3, ..qemu }, Unsupported::NoStage),
        (Identity { idr0: qemu.idr0 & !(3 << 2) | 1 << 2, ..qemu }, Unsupported::NoAarch64Tables),
        (Identity { idr0: qemu.idr0 | 3 << 21, ..qemu }, Unsupported::BigEndianTables),
        (Identity { idr5: 0x64, ..qemu }, Unsupported::NoSmallGranule),
        (Identity { idr5: 0x72, ..qemu }, Unsupported::OutputSize(40)),
        (Identity { idr1: qemu.idr1 & !0x3f | 33, ..qemu }, Unsupported::StreamBits(33)),
        (Identity { idr1: qemu.idr1 | 1 << 30, ..qemu }, Unsupported::PresetTables),
        (Identity { idr1: qemu.idr1 | 1 << 29, ..qemu }, Unsupported::PresetQueues),
        (Identity { idr1: qemu.idr1 & !(0x1f << 21), ..qemu }, Unsupported::ShortQueues),
    ];
    for (identity, error) in cases {
        assert_eq!(read(identity), Err(error));
        assert!(!error.to_string().contains('\n'));
    }
}
