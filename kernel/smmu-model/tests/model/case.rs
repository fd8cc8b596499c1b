//! Random configurations: an entry, a context descriptor, tables of both stages, and what a device then does.
//!
//! All translations keep the offset in a gigabyte, so that a block fits wherever a page would. What makes a descriptor
//! odd is a byte of a list that is consumed in turn: 0, to which proptest shrinks, is plain.

use proptest::prelude::*;
use sluice_smmu::regs::config;

use crate::encode::{CdFields, HalfFields, SteFields};

/// Where things lie in memory, by their offset in the gigabyte.
pub(crate) const CD_AT: u64 = 0x0880_0040;
pub(crate) const STAGE1_AT: u64 = 0x0890_0000;
pub(crate) const STAGE2_AT: u64 = 0x0900_0000;
pub(crate) const FRAMES_AT: u64 = 0x0a00_0000;
pub(crate) const FRAMES: u64 = 4;
/// Start of RAM, a multiple of 1 GiB.
pub(crate) const RAM_AT: u64 = 0x4000_0000;

/// One access of the device.
#[derive(Clone, Debug)]
pub(crate) struct Touch {
    /// The frame that it means.
    pub(crate) frame: u64,
    /// Offset in the frame.
    pub(crate) offset: u64,
    /// What is above the gigabyte, in the address the device uses.
    pub(crate) above: u64,
    /// An address of the upper half.
    pub(crate) high: bool,
    /// Its tables are not built.
    pub(crate) astray: bool,
    pub(crate) write: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) ste: SteFields,
    pub(crate) cd: CdFields,
    /// The gigabyte in which stage 1's outputs lie: memory's own without stage 2.
    pub(crate) gigabyte: u64,
    pub(crate) touches: Vec<Touch>,
    /// Oddities of stage-1 and stage-2 descriptors, in the order in which they are built.
    pub(crate) odd1: Vec<u8>,
    pub(crate) odd2: Vec<u8>,
}

/// Mostly the first, sometimes any of the others.
fn mostly<T: Clone + std::fmt::Debug + 'static>(usual: T, odd: impl Strategy<Value = T> + 'static) -> BoxedStrategy<T> {
    prop_oneof![30 => Just(usual), 1 => odd].boxed()
}

fn ste(stages: u64) -> impl Strategy<Value = SteFields> {
    let translating = match stages {
        1 => prop_oneof![Just(config::STAGE1)].boxed(),
        2 => prop_oneof![Just(config::STAGE2)].boxed(),
        _ => prop_oneof![1 => Just(config::STAGE1), 1 => Just(config::STAGE2), 2 => Just(config::NESTED)].boxed(),
    };
    let kind = prop_oneof![20 => translating, 1 => 0..8u64];
    // Granule, S2T0SZ and S2SL0 that belong together, and any.
    let sizes = prop_oneof![
        20 => prop_oneof![
            6 => prop_oneof![Just((0, 20, 2)), Just((0, 24, 2)), Just((0, 25, 1)), Just((0, 28, 1)), Just((0, 31, 1))],
            2 => prop_oneof![Just((2, 20, 2)), Just((2, 24, 2)), Just((2, 28, 1))],
            2 => prop_oneof![Just((1, 20, 2)), Just((1, 22, 1)), Just((1, 28, 1))],
            // Concatenated.
            1 => prop_oneof![Just((0, 24, 1)), Just((0, 32, 0)), Just((2, 24, 1)), Just((1, 20, 1))],
        ],
        1 => (0..4u64, 16..40u64, 0..4u64),
        1 => (0..3u64, 0..64u64, 0..3u64),
    ];
    let flags = (mostly(true, Just(false)), any::<bool>(), any::<bool>(), mostly(true, any::<bool>()));
    let rare = (
        mostly(0u64, 0..32u64),
        mostly(0u64, 0..4u64),
        mostly(false, Just(true)),
        mostly(false, Just(true)),
        mostly(false, Just(true)),
        mostly(0u64, (48..52u32).prop_map(|bit| 1 << bit)),
    );
    (kind, sizes, 0..0x1_0000u64, prop_oneof![4 => Just(4u64), 1 => 0..6u64], flags, rare, 0..4u64).prop_map(
        |(config, (granule, t0sz, sl0), vmid, ps, (valid, affd, ptw, record), rare, dss)| {
            let (cd_max, cd_format, never_stall, stall, endian, far) = rare;
            SteFields {
                valid,
                config,
                cd_max,
                cd_format,
                dss,
                never_stall,
                vmid,
                t0sz,
                sl0,
                granule,
                ps,
                endian,
                affd,
                ptw,
                stall,
                record,
                root: far | RAM_AT | STAGE2_AT,
                ..SteFields::plain(config)
            }
        },
    )
}

fn half(granules: [u64; 3]) -> impl Strategy<Value = HalfFields> {
    let granule = prop_oneof![6 => Just(granules[0]), 2 => Just(granules[1]), 2 => Just(granules[2]), 1 => 0..4u64];
    let size = prop_oneof![8 => 16..34u64, 1 => 34..40u64, 1 => 0..64u64];
    (size, granule, mostly(false, Just(true)), any::<bool>()).prop_map(|(size, granule, disabled, flat)| HalfFields {
        size,
        granule,
        disabled,
        root: 0,
        flat,
    })
}

fn cd() -> impl Strategy<Value = CdFields> {
    let flags = (
        mostly(true, Just(false)),
        mostly(true, Just(false)),
        any::<bool>(),
        any::<bool>(),
        mostly(true, Just(false)),
        mostly(true, Just(false)),
    );
    let rare = (mostly(false, Just(true)), mostly(0u64, 0..4u64), mostly(false, Just(true)));
    let ips = prop_oneof![6 => Just(4u64), 2 => Just(5u64), 1 => 0..6u64];
    (half([0, 1, 2]), half([2, 1, 3]), 0..0x1_0000u64, ips, 0..4u64, flags, rare).prop_map(
        |(low, high, asid, ips, tbi, (valid, aarch64, affd, wxn, abort, record), (endian, updates, stall))| CdFields {
            valid,
            aarch64,
            asid,
            low,
            high,
            ips,
            tbi,
            affd,
            wxn,
            endian,
            updates,
            abort,
            stall,
            record,
        },
    )
}

fn touch() -> impl Strategy<Value = Touch> {
    let above = prop_oneof![6 => Just(0u64), 6 => 0..0x10u64, 2 => 0..0x4_0000u64, 1 => any::<u64>()];
    (0..FRAMES, 0..0x400u64, above, prop_oneof![3 => Just(false), 1 => Just(true)], any::<bool>(), 0..16u8).prop_map(
        |(frame, word, above, high, write, astray)| Touch {
            frame,
            offset: 4 * word,
            above,
            high,
            astray: astray == 15,
            write,
        },
    )
}

/// Configurations for an SMMU with stage 1 (1), stage 2 (2) or both (3).
pub(crate) fn cases(stages: u64) -> impl Strategy<Value = Case> {
    let odd = || proptest::collection::vec(prop_oneof![16 => Just(0u8), 3 => 0..128u8, 1 => any::<u8>()], 24);
    (
        ste(stages),
        cd(),
        prop_oneof![4 => 0..4u64, 1 => 0..0x200u64],
        proptest::collection::vec(touch(), 1..5),
        odd(),
        odd(),
    )
        .prop_map(|(ste, cd, gigabyte, touches, odd1, odd2)| {
            let gigabyte = if ste.config == config::NESTED { gigabyte } else { RAM_AT >> 30 };
            Case { ste, cd, gigabyte, touches, odd1, odd2 }
        })
}
