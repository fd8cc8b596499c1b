//! Blobs whose form is broken: each defect by hand with its line, and thousands at random without a panic.

use std::ops::ControlFlow;

use crate::edit::{self, Node, cells};
use fdt::Fdt;
use fdt::node::FdtNode;
use proptest::prelude::*;
use sluice_platform::{Machine, PciAddress, Pin, Tree, option, validate};

const REAL: [&[u8]; 5] = [
    include_bytes!("../data/qemu-virt.dtb"),
    include_bytes!("../data/qemu-gicv2.dtb"),
    include_bytes!("../data/qemu-twocores.dtb"),
    include_bytes!("../data/two-smmus.dtb"),
    include_bytes!("../data/fvp-like.dtb"),
];

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// A blob of the given structure block and the strings "reg" (at 0), "phandle" (at 4) and "x" (at 12).
fn blob(structure: &[u32]) -> Vec<u8> {
    let strings = b"reg\0phandle\0x\0bad\xff\0unterminated";
    let structure = cells(structure);
    let header = [
        0xd00d_feed,
        56 + structure.len() + strings.len(),
        56,
        56 + structure.len(),
        40,
        17,
        16,
        0,
        strings.len(),
        structure.len(),
    ];
    let mut bytes = cells(&header.map(|word| word as u32));
    bytes.extend([0; 16]);
    bytes.extend(structure);
    bytes.extend(strings);
    bytes
}

#[track_caller]
fn refused(bytes: &[u8], line: &str) {
    let error = validate(bytes).expect_err("a blob that is refused");
    assert_eq!(error.to_string(), format!("device tree blob: {line}"));
}

/// A real blob with one word of its header changed.
fn with_header(index: usize, word: u32) -> Vec<u8> {
    let mut bytes = REAL[0].to_vec();
    bytes[index * 4..index * 4 + 4].copy_from_slice(&word.to_be_bytes());
    bytes
}

#[test]
fn headers() {
    refused(&[], "0 bytes where 40 are needed");
    refused(&REAL[0][..39], "39 bytes where 40 are needed");
    let total = REAL[0].len();
    refused(&REAL[0][..total - 1], &format!("{} bytes where {total} are needed", total - 1));
    refused(&with_header(0, 0xedfe_0dd0), "starts with 0xedfe0dd0, not 0xd00dfeed");
    refused(&with_header(1, 0x20_0001), "2097153 bytes, more than the 2097152 a boot loader may pass");
    refused(&with_header(5, 16), "version 16 (compatible with 16) cannot be read, only 17");
    refused(&with_header(6, 18), "version 17 (compatible with 18) cannot be read, only 17");
    refused(&with_header(2, 0x3a), "the structure block is misaligned");
    refused(&with_header(2, 0x4), "the structure block lies outside the blob");
    refused(&with_header(2, 0xffff_fffc), "the structure block lies outside the blob");
    refused(&with_header(9, u32::MAX), "the structure block lies outside the blob");
    refused(&with_header(3, u32::MAX), "the strings block lies outside the blob");
    refused(&with_header(8, u32::MAX), "the strings block lies outside the blob");
    refused(&with_header(4, 44), "the reservation block is misaligned");
    refused(&with_header(4, 0x8000_0000), "the reservation block lies outside the blob");
}

#[test]
fn a_longer_buffer_is_no_harm() {
    let mut bytes = REAL[0].to_vec();
    bytes.extend([0xff; 100]);
    assert_eq!(validate(&bytes).expect("a blob and more").bytes(), REAL[0]);
}

#[test]
fn reservations() {
    let mut bytes = blob(&[BEGIN_NODE, 0, END_NODE, END]);
    bytes[40..56].copy_from_slice(&[0xff; 16]);
    refused(&bytes, "the reservation at offset 0x28 ends beyond 2^64");
    bytes[40..56].copy_from_slice(&cells(&[0, 0x1000, 0, 0x1000]));
    refused(&bytes, "the reservation block has no end");
}

#[test]
fn structures() {
    assert!(validate(&blob(&[BEGIN_NODE, 0, END_NODE, END])).is_ok());
    let a = u32::from_be_bytes(*b"a\0\0\0");
    refused(&blob(&[]), "the structure block ends inside what begins at offset 0x38");
    refused(&blob(&[BEGIN_NODE]), "the structure block ends inside what begins at offset 0x3c");
    refused(&blob(&[BEGIN_NODE, 0]), "the structure block ends inside what begins at offset 0x40");
    refused(&blob(&[BEGIN_NODE, 0, END_NODE]), "the structure block ends inside what begins at offset 0x44");
    refused(&blob(&[BEGIN_NODE, a, END_NODE, END]), "bad node name at offset 0x3c");
    refused(&blob(&[END, 0, 0]), "unexpected token 0x9 at offset 0x38");
    refused(&blob(&[BEGIN_NODE, 0, 5, END_NODE, END]), "unexpected token 0x5 at offset 0x40");
    refused(&blob(&[BEGIN_NODE, 0, END_NODE, BEGIN_NODE, 0]), "unexpected token 0x1 at offset 0x44");
    refused(&blob(&[BEGIN_NODE, 0, END]), "unexpected token 0x9 at offset 0x40");
    let nop = "recompile the tree with dtc";
    refused(&blob(&[NOP, BEGIN_NODE, 0, END_NODE, END]), &format!("NOP token at offset 0x38; {nop}"));
    refused(&blob(&[BEGIN_NODE, 0, NOP, END_NODE, END]), &format!("NOP token at offset 0x40; {nop}"));
    refused(&blob(&[BEGIN_NODE, 0, END_NODE, NOP, END]), &format!("NOP token at offset 0x44; {nop}"));
    let late = [BEGIN_NODE, 0, BEGIN_NODE, a, END_NODE, PROP, 0, 0, END_NODE, END];
    refused(&blob(&late), "unexpected token 0x3 at offset 0x4c");
    refused(&blob(&[BEGIN_NODE, 0, BEGIN_NODE, 0, END_NODE, END_NODE, END]), "bad node name at offset 0x44");
    let slash = u32::from_be_bytes(*b"a/b\0");
    refused(&blob(&[BEGIN_NODE, 0, BEGIN_NODE, slash, END_NODE, END_NODE, END]), "bad node name at offset 0x44");
    let unterminated = u32::from_be_bytes(*b"abcd");
    refused(
        &blob(&[BEGIN_NODE, 0, BEGIN_NODE, unterminated]),
        "the structure block ends inside what begins at offset 0x44",
    );
}

#[test]
fn properties() {
    let with = |body: &[u32]| blob(&[&[BEGIN_NODE, 0], body, &[END_NODE, END]].concat());
    assert!(validate(&with(&[PROP, 4, 4, 1])).is_ok());
    refused(&with(&[PROP, 13, 0]), "the structure block ends inside what begins at offset 0x4c");
    refused(&with(&[PROP, u32::MAX, 0]), "the structure block ends inside what begins at offset 0x4c");
    refused(&with(&[PROP, 0, 14]), "bad property name at offset 0x40");
    refused(&with(&[PROP, 0, 19]), "bad property name at offset 0x40");
    refused(&with(&[PROP, 0, 3]), "bad property name at offset 0x40");
    refused(&with(&[PROP, 0, u32::MAX]), "bad property name at offset 0x40");
    refused(&with(&[PROP, 0, 4]), "property at offset 0x40 is not one 32-bit word");
    refused(&with(&[PROP, 0, 0, PROP, 0, 12, PROP, 0, 0]), "duplicate property at offset 0x58");
}

#[test]
fn depth_and_width() {
    let nested = |levels: u32| {
        let chain = (1..levels).fold(Node::new("n", &[]), |inner, _| Node::new("n", &[]).with_child(inner));
        let mut tree = edit::Tree::read(&blob(&[BEGIN_NODE, 0, END_NODE, END]));
        tree.add("/", chain);
        tree.write()
    };
    let deep = nested(15);
    let blob_of_16 = validate(&deep).expect("16 levels with the root");
    let deepest = Tree::new(&blob_of_16).visit(|node| {
        let end = node.child("n").is_none();
        if end { ControlFlow::Break(node.place().to_string()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(deepest, Some("/n".repeat(15)));
    refused(&nested(16), "nodes nested deeper than 16 at offset 0xb8");

    let wide = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("p{n}")).collect();
        let mut tree = edit::Tree::read(&blob(&[BEGIN_NODE, 0, END_NODE, END]));
        names.iter().for_each(|name| tree.set("/", name, Vec::new()));
        tree.write()
    };
    assert!(validate(&wide(64)).is_ok());
    refused(&wide(65), "more than 64 properties in the node around offset 0x340");
}

/// Everything a user of the crate can ask of a blob that passed.
fn exhaust(bytes: &[u8]) {
    let Ok(blob) = validate(bytes) else { return };
    let tree = Tree::new(&blob);
    let mut nodes = 0;
    tree.visit(|node| {
        nodes += 1;
        // a path is found by another visit of the tree: not for every node of every case
        if nodes % 16 == 1 {
            let path = node.place();
            assert!(path.is(&path.to_string()));
            assert_eq!(path.node().name(), node.name());
        }
        ControlFlow::<()>::Continue(())
    });
    assert!(nodes > 0);
    let machine = match Machine::from_blob(&blob) {
        Ok(machine) => machine,
        Err(error) => {
            let line = error.to_string();
            assert!(line.starts_with("device tree: /") && !line.contains('\n'), "{line}");
            return;
        }
    };
    assert!(!format!("{machine:?}").is_empty());
    machine.visit_devices(|device| {
        let (registers, interrupts, streams) = (device.registers(), device.interrupts(), device.streams());
        for error in [registers.err(), interrupts.err(), streams.err()].into_iter().flatten() {
            assert!(error.to_string().starts_with("device tree: /"));
        }
        assert!(machine.device(&device.path().to_string()).is_some() || device.path().is("/"));
    });
    if let Err(error) = machine.visit_unconfined_masters(|device, binding| {
        assert!(device.compatible().any(|name| name == binding));
    }) {
        assert!(error.to_string().starts_with("device tree: /"));
    }
    for host in machine.pci_hosts.iter() {
        for rid in [0, 8, 0x10, 0x100, 0xffff] {
            let stream = machine.stream_of(host, rid).expect("maps were checked");
            assert!(stream.is_none_or(|stream| usize::from(stream.smmu) < machine.smmus.len()));
            let function = PciAddress::from_rid(rid);
            if let Ok(interrupt) = machine.interrupt_of(host, function, Pin::A) {
                assert!((16..1020).contains(&interrupt.intid));
            }
            let configuration = host.configuration(function);
            assert!(configuration.is_none_or(|at| at >= host.ecam.base() && at < host.ecam.end()));
        }
    }
    let ends = machine.memory.iter().map(|region| (region.base(), region.end()));
    assert!(ends.clone().zip(ends.skip(1)).all(|(first, second)| first.1 < second.0));
    assert_eq!(option(machine.bootargs, ""), None);
}

/// Thousands, or as many as `PROPTEST_CASES` says.
fn cases() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { config } else { ProptestConfig { cases: 4000, ..config } }
}

#[derive(Clone, Debug)]
enum Damage {
    Flip { at: prop::sample::Index, bit: u8 },
    Word { at: prop::sample::Index, word: u32 },
    Swap { a: prop::sample::Index, b: prop::sample::Index },
    Splice { from: prop::sample::Index, to: prop::sample::Index, words: usize },
    Truncate { at: prop::sample::Index },
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let index = any::<prop::sample::Index>;
    let telling = prop::sample::select(vec![0, 1, 2, 3, 4, 5, 9, 16, 0x7fff_ffff, 0x8000_0000, u32::MAX]);
    let damage = prop_oneof![
        4 => (index(), 0u8..8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        4 => (index(), prop_oneof![telling, any::<u32>()]).prop_map(|(at, word)| Damage::Word { at, word }),
        2 => (index(), index()).prop_map(|(a, b)| Damage::Swap { a, b }),
        2 => (index(), index(), 1usize..16).prop_map(|(from, to, words)| Damage::Splice { from, to, words }),
        1 => index().prop_map(|at| Damage::Truncate { at }),
    ];
    prop::collection::vec(damage, 1..4)
}

fn word_at(at: prop::sample::Index, bytes: &[u8]) -> Option<usize> {
    let words = bytes.len() / 4;
    (words > 0).then(|| at.index(words) * 4)
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) -> Option<()> {
    match *damage {
        Damage::Flip { at, bit } => {
            let at = (!bytes.is_empty()).then(|| at.index(bytes.len()))?;
            bytes[at] ^= 1 << bit;
        }
        Damage::Word { at, word } => {
            let at = word_at(at, bytes)?;
            bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
        }
        Damage::Swap { a, b } => {
            let (a, b) = (word_at(a, bytes)?, word_at(b, bytes)?);
            (0..4).for_each(|byte| bytes.swap(a + byte, b + byte));
        }
        Damage::Splice { from, to, words } => {
            let (from, to) = (word_at(from, bytes)?, word_at(to, bytes)?);
            let end = (from + words * 4).min(bytes.len() - bytes.len() % 4);
            let piece = bytes[from..end].to_vec();
            let room = piece.len().min(bytes.len() - to);
            bytes[to..to + room].copy_from_slice(&piece[..room]);
        }
        Damage::Truncate { at } => {
            let at = word_at(at, bytes)?;
            bytes.truncate(at);
        }
    }
    Some(())
}

/// Offsets of the words that lie wholly in values of properties.
fn value_words(blob: &[u8]) -> Vec<usize> {
    fn collect(blob: &[u8], node: FdtNode<'_, '_>, offsets: &mut Vec<usize>) {
        for property in node.properties() {
            let start = property.value.as_ptr().addr() - blob.as_ptr().addr();
            offsets.extend((start..start + property.value.len() / 4 * 4).step_by(4));
        }
        node.children().for_each(|child| collect(blob, child, offsets));
    }
    let mut offsets = Vec::new();
    let fdt = Fdt::new(blob).expect("a blob");
    collect(blob, fdt.find_node("/").expect("a root"), &mut offsets);
    offsets
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn damage_anywhere_never_panics(which in 0..REAL.len(), damages in damages()) {
        let mut bytes = REAL[which].to_vec();
        for damage in &damages {
            apply(&mut bytes, damage);
        }
        exhaust(&bytes);
    }

    /// Damage that leaves the form alone, so that it is the meaning that has to hold out.
    #[test]
    fn damaged_values_never_panic(which in 0..REAL.len(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>(), 0u8..4), 1..4)) {
        let mut bytes = REAL[which].to_vec();
        let values = value_words(&bytes);
        for (at, word, kind) in edits {
            let at = values[at.index(values.len())];
            let old = u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
            let new = match kind {
                0 => word,
                1 => word % 10,
                2 => old ^ 1 << (word % 32),
                _ => u32::MAX - word % 2,
            };
            bytes[at..at + 4].copy_from_slice(&new.to_be_bytes());
        }
        prop_assert!(validate(&bytes).is_ok());
        exhaust(&bytes);
    }
}

#[test]
fn the_real_ones_pass() {
    for (index, bytes) in REAL.into_iter().enumerate() {
        let blob = validate(bytes).expect("a valid blob");
        let refused = Machine::from_blob(&blob).err();
        assert_eq!(refused.is_some(), index == 1, "the GICv2 machine alone is refused: {refused:?}");
        exhaust(bytes);
    }
}
