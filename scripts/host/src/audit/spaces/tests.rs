//! Each way to differ, on two components and a VMM.

use super::super::told::moments;
use super::*;

const AUDIT: &str = r#"{
    "parties": [
        { "name": "nvme", "kind": "component", "drives": ["nvme.disk"] },
        { "name": "nvme.disk", "kind": "device", "drives": [], "mode": "s2", "streams": ["0:0x0010"] },
        { "name": "edu", "kind": "component", "drives": ["edu.edu"] },
        { "name": "guest0", "kind": "vmm", "drives": [] },
        { "name": "guest0", "kind": "guest", "drives": ["guest0.net"] }
    ],
    "memories": [
        { "name": "ring", "bytes": 16384, "private": false },
        { "name": "table", "bytes": 4096, "private": false },
        { "name": "guest0.ram", "bytes": 8192, "private": false },
        { "name": "nvme.private", "bytes": 8192, "private": true }
    ],
    "reach": [
        { "party": "nvme", "kind": "component", "memory": "nvme.private", "rights": "rwx", "by": "cpu", "at": null },
        { "party": "nvme", "kind": "component", "memory": "ring", "rights": "rw", "by": "cpu", "at": null },
        { "party": "nvme", "kind": "component", "memory": "table", "rights": "r", "by": "cpu", "at": 1048576 },
        { "party": "nvme", "kind": "component", "memory": "guest0.ram", "rights": "rw", "by": "dma", "at": 65536,
          "stages": [2], "through": "nvme.disk" },
        { "party": "edu", "kind": "component", "memory": "ring", "rights": "r", "by": "cpu", "at": 2097152 },
        { "party": "guest0", "kind": "vmm", "memory": "guest0.ram", "rights": "rw", "by": "cpu", "at": null },
        { "party": "guest0", "kind": "guest", "memory": "guest0.ram", "rights": "rwx", "by": "cpu", "at": 1073741824 }
    ]
}"#;

const MACHINE: &str = "root region ring 0x0 0x3000 0x50000
root region ring 0x3000 0x1000 0x90000
root region table 0x0 0x1000 0x60000
root region guest0.ram 0x0 0x2000 0x70000
root registers nvme.disk 0x10004040 0x1000
root registers edu.edu 0x10008000 0x1000
root registers guest0.net 0x1000a000 0x1000
root space nvme
kernel tables 0xa0000
kernel reach space 0x40000 0x2000 rx 0x81000 normal
kernel reach space 0x100000 0x1000 r 0x60000 normal
kernel reach space 0x200000 0x3000 rw 0x50000 normal
kernel reach space 0x203000 0x1000 rw 0x90000 normal
kernel reach space 0x300000 0x2000 rw 0x10004000 device
root made nvme
kernel memory 0x81000 0x2000
root space edu
kernel tables 0xb0000
kernel reach space 0x40000 0x1000 rw 0x83000 normal
kernel reach space 0x200000 0x3000 r 0x50000 device
kernel reach space 0x203000 0x1000 r 0x90000 device
kernel reach space 0x300000 0x1000 rw 0x10008000 device
root made edu
kernel memory 0x83000 0x1000
root made guest0
kernel memory 0x84000 0x1000
kernel memory 0x70000 0x10000
root space guest0
kernel tables 0xc0000
kernel reach space 0x40000 0x1000 rwx 0x84000 normal
kernel reach space 0x50000 0x2000 rw 0x70000 normal
";

fn at(moment: &str, lines: &str) -> Vec<String> {
    let line = |line: &str| {
        let (who, rest) = line.split_once(' ').unwrap();
        format!("{who:8}| AUDIT {rest}\n")
    };
    let lines: String = lines.lines().map(line).collect();
    let lines = format!("root    | AUDIT begin {moment}\n{lines}root    | AUDIT end\n");
    differences(&Audit::read(AUDIT).unwrap(), &moments(lines.lines()).unwrap()[0])
}

/// The differences at the start when `from` is replaced, which is there once.
fn with(from: &str, to: &str) -> Vec<String> {
    assert_eq!(MACHINE.matches(from).count(), 1, "{from}");
    at(START, &MACHINE.replace(from, to))
}

/// As [`with`], with one more piece in the address space of `nvme`.
fn with_more(piece: &str) -> Vec<String> {
    with("root made nvme\n", &format!("kernel reach space {piece}\nroot made nvme\n"))
}

#[test]
fn what_is_as_the_audit_says_has_no_differences() {
    assert_eq!(at(START, MACHINE), [""; 0]);
    assert_eq!(at("guest0.net", ""), [""; 0], "later address spaces are their owners'");
}

#[test]
fn a_frame_too_much_is_named() {
    let more = with_more("0x400000 0x2000 rw 0x70000 normal");
    assert_eq!(more, ["nvme reaches 0x400000+0x2000 (guest0.ram+0x0, rw), which it should not"]);
    let twice = with_more("0x400000 0x1000 rw 0x60000 normal");
    assert_eq!(twice, ["nvme reaches 0x400000+0x1000 (table+0x0, rw), which it should not"]);
    let registers = with_more("0x400000 0x1000 rw 0x10008000 device");
    assert_eq!(registers, ["nvme reaches 0x400000+0x1000 (registers of edu.edu, rw), which it should not"]);
    let unknown = with_more("0x400000 0x1000 rw 0x20000000 device");
    assert_eq!(unknown, ["nvme reaches 0x400000 (memory of no region, 0x20000000, rw), which is no device's"]);
    let guests = with("rw 0x70000 normal", "rw 0x70000 normal\nkernel reach space 0x60000 0x1000 rw 0x1000a000 device");
    assert_eq!(guests, ["guest0 reaches 0x60000+0x1000 (registers of guest0.net, rw), which it should not"]);
}

#[test]
fn wider_and_narrower_rights_are_named() {
    for (from, to, line) in [
        ("r 0x60000", "rw 0x60000", "nvme reaches 0x100000+0x1000 (table+0x0) with rw instead of r"),
        ("r 0x60000", "rx 0x60000", "nvme reaches 0x100000+0x1000 (table+0x0) with rx instead of r"),
        ("rw 0x90000", "r 0x90000", "nvme reaches 0x203000+0x1000 (ring+0x3000) with r instead of rw"),
        ("rw 0x70000", "rwx 0x70000", "guest0 reaches 0x50000+0x2000 (guest0.ram+0x0) with rwx instead of rw"),
        ("rw 0x10008000", "r 0x10008000", "edu reaches registers of edu.edu (0x10008000) with r instead of rw"),
    ] {
        assert_eq!(with(from, to), [line]);
    }
}

#[test]
fn what_is_missing_or_elsewhere_is_named() {
    for (from, to, line) in [
        ("0x2000 rw 0x70000", "0x1000 rw 0x70000", "guest0 does not reach 0x51000+0x1000 (guest0.ram+0x1000, rw)"),
        ("kernel reach space 0x50000 0x2000 rw 0x70000 normal\n", "", "guest0 does not reach guest0.ram, rw"),
        ("0x2000 rw 0x10004000", "0x1000 rw 0x10004000", "nvme does not reach registers of nvme.disk (0x10005000, rw)"),
        ("rw 0x90000", "rw 0x60000", "nvme reaches at 0x203000+0x1000 table+0x0 instead of ring+0x3000"),
        (
            "rw 0x90000",
            "rw 0x95000",
            "nvme reaches at 0x203000+0x1000 memory of no region, 0x95000 instead of ring+0x3000",
        ),
        ("root region ring 0x3000 0x1000 0x90000\n", "", "nvme reaches ring, of which 0x3000 bytes have a place"),
    ] {
        assert_eq!(with(from, to)[0], line);
    }
    let cached = with("0x2000 rw 0x10004000 device", "0x2000 rw 0x10004000 normal");
    assert_eq!(cached.len(), 2, "{cached:?}");
    assert!(cached[1].ends_with("(registers of nvme.disk, rw) as if it were memory"), "{cached:?}");
}

#[test]
fn what_is_of_no_region_is_of_one_component_alone() {
    let others = with_more("0x400000 0x2000 r 0x83000 normal");
    let [stray, edus, guests] = &others[..] else { panic!("{others:?}") };
    assert_eq!(stray, "nvme reaches 0x400000 (memory of no region, 0x83000, r), which was not set aside for it");
    assert_eq!(edus, "edu reaches 0x1000 bytes of nvme's own memory, first at 0x40000 (0x83000, rw)");
    assert_eq!(guests, "guest0 reaches 0x1000 bytes of nvme's own memory, first at 0x40000 (0x84000, rwx)");
}

#[test]
fn what_is_of_no_region_was_set_aside_for_the_component() {
    let kernels = with_more("0x400000 0x1000 r 0x200000 normal");
    assert_eq!(kernels, ["nvme reaches 0x400000 (memory of no region, 0x200000, r), which was not set aside for it"]);
    let unsaid = with("kernel memory 0x81000 0x2000\n", "kernel memory 0x82000 0x1000\n");
    assert_eq!(unsaid, ["nvme reaches 0x40000 (memory of no region, 0x81000, rx), which was not set aside for it"]);
    let both = with("kernel memory 0x83000 0x1000\n", "kernel memory 0x80000 0x4000\n");
    assert_eq!(both, ["nvme and edu are made of the same memory"]);
    let processor = with("root made nvme\n", "kernel processor 0x82800 tables none\nroot made nvme\n");
    assert_eq!(processor, ["a virtual processor (0x82800) was there before any component"]);
}

#[test]
fn every_component_has_an_address_space_and_nobody_else_does() {
    assert_eq!(with("root space edu\n", "root space ude\n").len(), 2);
    let (first, _) = MACHINE.split_once("root space guest0").unwrap();
    assert_eq!(at(START, first), ["guest0 has no address space that was looked at"]);
    assert_eq!(with("kernel tables 0xb0000", "kernel tables none"), ["edu runs with no memory"]);
    for strange in ["foreign space 0x50000 0x1000 0x3", "incomplete space"] {
        let line = format!("kernel tables 0xb0000\nkernel {strange}");
        assert_eq!(with("kernel tables 0xb0000", &line), [format!("edu {strange}")]);
    }
}
