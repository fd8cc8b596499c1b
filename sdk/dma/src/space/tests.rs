use super::*;
use crate::testing::{Fake, frame};
use alloc::vec::Vec;

const PAGE: u64 = FrameSize::Small.bytes();

fn space(address_bits: u8) -> Space<Fake> {
    Space::new(Fake::default(), address_bits, []).expect("nothing is taken")
}

fn reached(space: &Space<Fake>) -> Vec<(u64, u64)> {
    space.translation.reached.iter().map(|(at, memory)| (at.0, *memory)).collect()
}

#[test]
fn scattered_pages_lie_in_one_row() {
    let mut space = space(40);
    let (first, second) = ([frame(7), frame(3)], [frame(9)]);
    let extents = [Extent::of(&first, FrameSize::Small), Extent::of(&second, FrameSize::Small)];
    let mapping = space.show(&extents, Access::ReadWrite).expect("room");
    assert_eq!((mapping.iova(), mapping.bytes()), (Iova(KEEP_CLEAR), 3 * PAGE));
    let at = KEEP_CLEAR;
    assert_eq!(reached(&space), [(at, 7), (at + PAGE, 3), (at + 2 * PAGE, 9)]);
}

#[test]
fn one_frame_is_shown_to_two_devices_and_taken_from_one() {
    let (mut one, mut other) = (space(40), space(40));
    let frames = [frame(7)];
    let extent = Extent::of(&frames, FrameSize::Small);
    let mapping = one.show(&[extent], Access::Read).expect("room");
    let kept = other.show(&[extent], Access::ReadWrite).expect("room");
    one.hide(mapping).expect("is mapped");
    assert_eq!((reached(&one), reached(&other)), (Vec::new(), [(kept.iova().0, 7)].to_vec()));
}

#[test]
fn a_refusal_midway_leaves_nothing_behind() {
    let mut space = space(40);
    space.translation.refuse_after = Some(2);
    let frames = [frame(1), frame(2), frame(3)];
    let refused = space.show(&[Extent::of(&frames, FrameSize::Small)], Access::Read);
    assert!(refused.is_err());
    assert_eq!(reached(&space), []);
    assert!(space.translation.derived.is_empty(), "every derived capability is deleted");
    space.translation.refuse_after = None;
    let mapping = space.show(&[Extent::of(&frames, FrameSize::Small)], Access::Read).expect("room");
    assert_eq!(mapping.iova(), Iova(KEEP_CLEAR), "the addresses are free again");
}

#[test]
fn addresses_stay_within_the_device_s_width() {
    // 17 bits: 64 KiB are left above what is kept clear.
    let mut space = space(17);
    let frames: Vec<_> = (0..16).map(frame).collect();
    let mapping = space.show(&[Extent::of(&frames, FrameSize::Small)], Access::Read).expect("just fits");
    assert_eq!(mapping.iova().0 + mapping.bytes(), 1 << 17);
    let one = [frame(99)];
    let full = space.show(&[Extent::of(&one, FrameSize::Small)], Access::Read);
    assert_eq!(full, Err(DmaError::Range(crate::ranges::RangeError::Full)));
    let beyond = space.map_at(Frame::from(99), FrameSize::Small, Iova(1 << 17), Access::Read);
    assert_eq!(beyond, Err(DmaError::Range(crate::ranges::RangeError::Taken)));
}

#[test]
fn large_frames_are_aligned_to_their_size_and_not_mixed() {
    let mut space = space(40);
    let (large, small) = ([frame(5), frame(6)], [frame(7)]);
    let large = Extent::of(&large, FrameSize::Large);
    let mapping = space.show(&[large], Access::Read).expect("room");
    assert_eq!((mapping.iova(), mapping.bytes()), (Iova(FrameSize::Large.bytes()), 2 * FrameSize::Large.bytes()));
    let mixed = space.show(&[large, Extent::of(&small, FrameSize::Small)], Access::Read);
    assert_eq!(mixed, Err(DmaError::MixedSizes));
    assert_eq!(space.show(&[], Access::Read), Err(DmaError::Empty));
}

#[test]
fn only_devices_that_snoop_nothing_cost_cache_maintenance() {
    let frames = [frame(1), frame(2)];
    for coherent in [true, false] {
        let mut space = Space { coherent, ..space(40) };
        let mapping = space.show(&[Extent::of(&frames, FrameSize::Small)], Access::ReadWrite).expect("room");
        space.sync_for_device(&mapping).expect("mapped");
        let pages = if coherent { 0 } else { 2 };
        assert_eq!((space.translation.cleaned.len(), space.translation.dropped.len()), (pages, 0));
        space.sync_for_cpu(&mapping).expect("mapped");
        assert_eq!((space.translation.cleaned.len(), space.translation.dropped.len()), (pages, pages));
    }
}

#[test]
fn what_the_spec_maps_is_taken() {
    let mut space = Space::new(Fake::default(), 40, [(Iova(KEEP_CLEAR), PAGE), (Iova(0), PAGE)]).expect("apart");
    let mapped = space.map(Frame::from(4), FrameSize::Small, Access::Read);
    assert_eq!(mapped, Ok(Iova(KEEP_CLEAR + PAGE)));
}
