//! Room that a loader left behind a tree is cut off, and nothing else.

use proptest::prelude::*;
use sluice_platform::{Machine, cut_slack, validate};

use crate::edit::Tree;

const REAL: &[u8] = include_bytes!("../data/qemu-virt.dtb");
const TOTAL_SIZE: core::ops::Range<usize> = 4..8;

/// The blob with `room` more bytes behind it.
fn with_room(blob: &[u8], room: usize) -> Vec<u8> {
    let mut blob = blob.to_vec();
    blob.resize(blob.len() + room, 0xa5);
    let total = blob.len() as u32;
    blob[TOTAL_SIZE].copy_from_slice(&total.to_be_bytes());
    blob
}

#[test]
fn a_megabyte_of_room_is_cut_off() {
    let mut blob = with_room(REAL, (1 << 20) - REAL.len());
    let kept = cut_slack(&mut blob);
    assert_eq!(kept, REAL.len().next_multiple_of(8));
    let valid = validate(&blob).expect("a valid blob");
    assert_eq!(valid.bytes().len(), kept);
    assert_eq!(valid.bytes()[8..REAL.len()], REAL[8..]);
    assert!(Machine::from_blob(&valid).is_ok());
    assert_eq!(Tree::read(valid.bytes()).write(), Tree::read(REAL).write());
}

#[test]
fn a_blob_that_fits_stays_as_it_is() {
    let mut blob = REAL.to_vec();
    assert_eq!(cut_slack(&mut blob), REAL.len());
    assert_eq!(blob, REAL);
}

/// The reservations may stand behind everything else: two words of zero end them.
#[test]
fn the_last_block_is_kept_whichever_it_is() {
    let at = REAL.len().next_multiple_of(8);
    let mut blob = with_room(REAL, at + 16 - REAL.len());
    blob[at..].fill(0);
    blob[16..20].copy_from_slice(&(at as u32).to_be_bytes());
    assert_eq!(cut_slack(&mut blob), at + 16);
    let mut longer = with_room(&blob, 100);
    assert_eq!(cut_slack(&mut longer), at + 16);
    assert!(validate(&longer).is_ok());
}

#[test]
fn a_broken_header_is_left_for_the_validator() {
    for at in [0, 4, 8, 12, 16, 24] {
        let mut blob = with_room(REAL, 64);
        blob[at] = 0xff;
        let before = blob.clone();
        assert_eq!(cut_slack(&mut blob), before.len());
        assert_eq!(blob, before);
    }
    assert_eq!(cut_slack(&mut []), 0);
}

proptest! {
    #[test]
    fn any_room_gives_the_same_blob(room in 0usize..5000) {
        let mut blob = with_room(REAL, room);
        let kept = cut_slack(&mut blob);
        prop_assert!(kept < REAL.len() + 8);
        prop_assert_eq!(&blob[8..REAL.len()], &REAL[8..]);
        prop_assert!(validate(&blob).is_ok());
    }
}
