//! Crossed-out parts of a tree are taken out, and nothing else.

use proptest::prelude::*;
use sluice_platform::{Machine, remove_nops, validate};

use crate::edit::Tree;

const REAL: &[u8] = include_bytes!("../data/qemu-virt.dtb");
const NOP: [u8; 4] = [0, 0, 0, 4];
const BEGIN_NODE: u32 = 1;
const PROP: u32 = 3;
const END: u32 = 9;

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// A well-formed blob with a NOP before every token for which `before` says so, counted from the first.
fn with_nops(blob: &[u8], before: impl Fn(usize) -> bool) -> Vec<u8> {
    let (start, len) = (word(blob, 8) as usize, word(blob, 36) as usize);
    let structure = &blob[start..start + len];
    let (mut out, mut at) = (Vec::new(), 0);
    for number in 0.. {
        if before(number) {
            out.extend(NOP);
        }
        let bytes = match word(structure, at) {
            BEGIN_NODE => 4 + structure[at + 4..].iter().position(|byte| *byte == 0).expect("an end") + 1,
            PROP => 12 + word(structure, at + 4) as usize,
            _ => 4,
        };
        let token = word(structure, at);
        let bytes = bytes.next_multiple_of(4);
        out.extend(&structure[at..at + bytes]);
        at += bytes;
        if token == END {
            break;
        }
    }
    let mut blob = blob.to_vec();
    blob.resize(blob.len().next_multiple_of(4), 0);
    let structure_at = blob.len();
    blob.extend(&out);
    for (field, value) in [(4, blob.len()), (8, structure_at), (36, out.len())] {
        blob[field..field + 4].copy_from_slice(&(value as u32).to_be_bytes());
    }
    blob
}

#[test]
fn nops_anywhere_make_no_difference() {
    let wanted = Tree::read(REAL).write();
    for before in [|_: usize| true, |number: usize| number.is_multiple_of(3), |number: usize| number == 0] {
        let mut blob = with_nops(REAL, before);
        assert!(validate(&blob).is_err());
        remove_nops(&mut blob);
        let valid = validate(&blob).expect("a valid blob");
        assert!(Machine::from_blob(&valid).is_ok());
        assert_eq!(Tree::read(&blob).write(), wanted);
    }
}

#[test]
fn a_crossed_out_property_is_gone() {
    let mut blob = REAL.to_vec();
    let mut tree = Tree::read(REAL);
    tree.clear("/psci", "method");
    let strings = &blob[word(&blob, 12) as usize..];
    let name = strings.windows(7).position(|bytes| bytes == b"method\0").expect("its name") as u32;
    let start = word(&blob, 8) as usize;
    let header = [PROP.to_be_bytes(), 4u32.to_be_bytes(), name.to_be_bytes()].concat();
    let at = start + blob[start..].windows(12).position(|bytes| bytes == header).expect("the property");
    blob[at..at + 16].copy_from_slice(&NOP.repeat(4));
    remove_nops(&mut blob);
    assert_eq!(Tree::read(&blob).write(), tree.write());
}

#[test]
fn what_has_none_or_does_not_end_is_left_alone() {
    let mut clean = REAL.to_vec();
    remove_nops(&mut clean);
    assert!(clean == REAL);
    let mut endless = with_nops(REAL, |_| true);
    let len = word(&endless, 36) - 4;
    endless[36..40].copy_from_slice(&len.to_be_bytes());
    let before = endless.clone();
    remove_nops(&mut endless);
    assert!(endless == before);
    remove_nops(&mut []);
}

proptest! {
    #[test]
    fn damage_is_survived_and_good_blobs_stay_good(
        nops in any::<u64>(), at in 0usize..12_000, value in any::<u8>(), len in 0usize..20_000,
    ) {
        let mut blob = with_nops(REAL, |number| nops >> (number % 64) & 1 == 1);
        remove_nops(&mut blob.clone());
        let at = at % blob.len();
        blob[at] = value;
        blob.truncate(len);
        remove_nops(&mut blob);
        if let Ok(valid) = validate(&blob) {
            Machine::from_blob(&valid).ok();
        }
    }
}
