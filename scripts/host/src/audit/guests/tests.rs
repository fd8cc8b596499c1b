//! Each way to differ, on two guests and what their VMMs have.

use super::super::told::moments;
use super::*;

const AUDIT: &str = r#"{
    "parties": [
        { "name": "a", "kind": "vmm", "drives": [] },
        { "name": "a", "kind": "guest", "drives": ["a.disk"] },
        { "name": "a.disk", "kind": "device", "drives": [], "mode": "nested", "streams": ["0:0x0010"] },
        { "name": "b", "kind": "vmm", "drives": [] },
        { "name": "b", "kind": "guest", "drives": [] },
        { "name": "net", "kind": "component", "drives": ["net.net"] }
    ],
    "memories": [
        { "name": "a.ram", "bytes": 16384, "private": false },
        { "name": "b.ram", "bytes": 8192, "private": false },
        { "name": "a.smmu0", "bytes": 4096, "private": true }
    ],
    "reach": [
        { "party": "a", "kind": "guest", "memory": "a.ram", "rights": "rwx", "by": "cpu", "at": 1073741824 },
        { "party": "a", "kind": "guest", "memory": "a.smmu0", "rights": "r", "by": "cpu", "at": 151322624 },
        { "party": "a", "kind": "guest", "memory": "a.ram", "rights": "rw", "by": "dma", "at": 1073741824,
          "stages": [1, 2], "through": "a.disk" },
        { "party": "b", "kind": "guest", "memory": "b.ram", "rights": "rwx", "by": "cpu", "at": 1073741824 }
    ]
}"#;

const PLACES: &str = "root region a.ram 0x0 0x3000 0x50000
root region a.ram 0x3000 0x1000 0x90000
root region b.ram 0x0 0x2000 0x70000
root registers a.disk 0x10004000 0x3000
root registers net.net 0x10010000 0x1000
";

const GUESTS: &str = "root made a
kernel memory 0x100000 0x10000
kernel tables 0x100000
kernel reach space 0x400000 0x1000 rx 0x101000 normal
kernel tables 0x102000
kernel reach space 0x9050000 0x1000 r 0x108000 normal
kernel reach space 0x10000000 0x3000 rw 0x10004000 device
kernel reach space 0x40000000 0x3000 rwx 0x50000 normal
kernel reach space 0x40003000 0x1000 rwx 0x90000 normal
kernel memory 0x50000 0x10000
root made b
kernel memory 0x200000 0x10000
kernel tables 0x200000
kernel tables 0x202000
kernel reach space 0x40000000 0x2000 rwx 0x70000 normal
kernel processor 0x103000 tables 0x102000
kernel processor 0x104000 tables 0x102000
kernel processor 0x203000 tables 0x202000
";

/// What VMMs and a component have for themselves before they run.
const BEFORE: &str = "root space a
kernel tables 0x100000
kernel reach space 0x400000 0x1000 rx 0x101000 normal
root made a
kernel memory 0x100000 0x10000
kernel tables 0x100000
kernel reach space 0x400000 0x1000 rx 0x101000 normal
root space b
kernel tables 0x200000
root space net
kernel tables 0x300000
kernel reach space 0x400000 0x1000 rx 0x301000 normal
";

fn moment(name: &str, lines: &str) -> Moment {
    let line = |line: &str| {
        let (who, rest) = line.split_once(' ').unwrap();
        format!("{who:8}| AUDIT {rest}\n")
    };
    let lines: String = PLACES.lines().chain(lines.lines()).map(line).collect();
    let lines = format!("root    | AUDIT begin {name}\n{lines}root    | AUDIT end\n");
    moments(lines.lines()).unwrap().remove(0)
}

fn at(name: &str, lines: &str, lent: &[String]) -> Vec<String> {
    let audit = Audit::read(AUDIT).unwrap();
    let start = moment(START, BEFORE);
    differences(&audit, &moment(name, lines), &Known::new(&audit, &start, lent))
}

/// The differences when the guest has been made, where `from`, which is there once, is replaced.
fn with(from: &str, to: &str) -> Vec<String> {
    assert_eq!(GUESTS.matches(from).count(), 1, "{from}");
    at("a made", &GUESTS.replace(from, to), &[])
}

/// As [`with`], with one more piece in the guest's address space.
fn with_more(piece: &str) -> Vec<String> {
    with("kernel memory 0x50000", &format!("kernel reach space {piece}\nkernel memory 0x50000"))
}

#[test]
fn a_guest_that_is_as_the_audit_says_has_no_differences() {
    for name in ["a made", "b made", "a.disk", "a over", "end"] {
        assert_eq!(at(name, GUESTS, &[]), [""; 0], "{name}");
    }
    assert_eq!(at(START, BEFORE, &[]), [""; 0]);
    let unplaced = with("kernel reach space 0x10000000 0x3000 rw 0x10004000 device\n", "");
    assert_eq!(unplaced, [""; 0], "the guest may have its registers nowhere");
    let (audit, start) = (Audit::read(AUDIT).unwrap(), moment(START, BEFORE));
    assert_eq!(compared(&moment("end", GUESTS), &Known::new(&audit, &start, &[])), 2);
}

#[test]
fn a_page_too_much_is_named_whoever_has_it() {
    for (piece, what) in [
        ("0x48000000 0x1000 rw 0x109000 normal", "memory of no region, 0x109000"),
        ("0x48000000 0x1000 r 0x101000 normal", "memory of no region, 0x101000"),
        ("0x48000000 0x1000 r 0x71000 normal", "b.ram+0x1000"),
        ("0x48000000 0x1000 rwx 0x52000 normal", "a.ram+0x2000"),
        ("0x48000000 0x1000 rw 0x10010000 device", "registers of net.net"),
        ("0x48000000 0x1000 rw 0x8000000 device", "memory of no region, 0x8000000"),
        ("0x48000000 0x1000 rw 0x10004000 normal", "registers of a.disk"),
        ("0x48000000 0x1000 rw 0x50000 device", "a.ram+0x0"),
    ] {
        let rights = piece.split(' ').nth(2).unwrap();
        let line = format!("a (guest) reaches 0x48000000+0x1000 ({what}, {rights}), which it should not");
        assert_eq!(with_more(piece), [line.as_str()]);
        let more =
            GUESTS.replace("kernel memory 0x50000", &format!("kernel reach space {piece}\nkernel memory 0x50000"));
        for later in ["a.disk", "a over", "end"] {
            assert_eq!(at(later, &more, &[]), [line.as_str()], "{later}");
        }
        assert_eq!(at("b made", &more, &[]), [""; 0]);
    }
}

#[test]
fn memory_that_is_missing_elsewhere_or_has_other_rights_is_named() {
    for (from, to, line) in [
        ("0x3000 rwx 0x50000", "0x2000 rwx 0x50000", "does not reach 0x40002000+0x1000 (a.ram+0x2000, rwx)"),
        ("rwx 0x90000", "rwx 0x52000", "reaches at 0x40003000+0x1000 a.ram+0x2000 instead of a.ram+0x3000"),
        ("rwx 0x90000", "rwx 0x70000", "reaches at 0x40003000+0x1000 b.ram+0x0 instead of a.ram+0x3000"),
        (
            "rwx 0x90000",
            "rwx 0x109000",
            "reaches at 0x40003000+0x1000 memory of no region, 0x109000 instead of a.ram+0x3000",
        ),
        ("rwx 0x90000", "rw 0x90000", "reaches 0x40003000+0x1000 (a.ram+0x3000) with rw instead of rwx"),
        ("r 0x108000", "rw 0x108000", "reaches 0x9050000+0x1000 (memory of no region, 0x108000) with rw instead of r"),
    ] {
        let seen: Vec<String> = if from == "r 0x108000" {
            at("a made", &GUESTS.replace("0x9050000 0x1000 r ", "0x9050000 0x1000 rw "), &[])
        } else {
            with(from, to)
        };
        assert_eq!(seen, [format!("a (guest) {line}")]);
    }
    let short = GUESTS.replace("0x3000 rwx 0x50000", "0x2000 rwx 0x50000");
    assert_eq!(at("a.disk", &short, &[]).len(), 1);
    for later in ["a over", "end"] {
        assert_eq!(at(later, &short, &[]), [""; 0], "a VMM may be making its guest, or have gone: {later}");
    }
    let told = GUESTS.to_owned() + "root region b.ram 0x2000 0x1000 0x80000\n";
    assert_eq!(at("b made", &told, &[]), ["b (guest) reaches b.ram, of which 0x3000 bytes have a place"]);
}

#[test]
fn pages_that_a_vmm_shows_are_its_own_and_not_its_stack() {
    let of = |physical: &str| {
        at("a made", &GUESTS.replace("0x9050000 0x1000 r 0x108000", &format!("0x9050000 0x1000 r {physical}")), &[])
    };
    assert_eq!(of("0x10f000"), [""; 0]);
    assert_eq!(of("0x101000"), ["a (guest) reaches at 0x9050000 a's own memory (0x101000)"]);
    assert_eq!(of("0x301000"), ["a (guest) reaches at 0x9050000 net's own memory (0x301000)"]);
    assert_eq!(of("0x20f000"), ["a (guest) reaches at 0x9050000 memory of others (0x20f000)"]);
    let region = of("0x70000");
    assert_eq!(region[0], "a (guest) reaches at 0x9050000+0x1000 b.ram+0x0 instead of memory of its VMM's");
}

#[test]
fn a_page_is_lent_by_those_who_say_so_behind_their_memory() {
    let more = GUESTS.replace(
        "kernel memory 0x50000",
        "kernel reach space 0x40004000 0x1000 rwx 0x109000 normal\nkernel memory 0x50000",
    );
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(at("a made", &more, &names(&["a"])), [""; 0]);
    assert_eq!(at("a made", &more, &names(&["b"])).len(), 1);
    assert_eq!(at("a made", GUESTS, &names(&["a"])).len(), 1, "it has to be there");
    assert_eq!(at("a made", &more.replace("0x109000", "0x301000"), &names(&["a"])).len(), 1);
    assert_eq!(at("a made", &more.replace("0x40004000", "0x40005000"), &names(&["a"])).len(), 2);
}

#[test]
fn registers_are_in_one_piece_in_order() {
    let bar = "kernel reach space 0x10000000 0x3000 rw 0x10004000 device";
    let swapped = "kernel reach space 0x10000000 0x1000 rw 0x10004000 device\n\
        kernel reach space 0x10001000 0x1000 rw 0x10006000 device\nkernel reach space 0x10002000 0x1000 rw 0x10005000 device";
    let found = with(bar, swapped);
    assert_eq!(found, ["a (guest) reaches registers of a.disk (0x10004000) at 0x10001000, +0x2000, out of order"]);
    let twice = format!("{bar}\nkernel reach space 0x20000000 0x1000 rw 0x10004000 device");
    assert_eq!(with(bar, &twice).len(), 1);
    let part = with(bar, &bar.replace("0x3000", "0x2000"));
    assert_eq!(part, ["a (guest) reaches 2 pages of registers of a.disk (0x10004000)"]);
    assert_eq!(at("end", &GUESTS.replace(bar, &bar.replace("0x3000", "0x2000")), &[]), [""; 0]);
    let executed = with(bar, &bar.replace("rw", "rwx"));
    assert_eq!(executed, ["a (guest) reaches registers of a.disk at 0x10000000 with rwx instead of rw"]);
    assert_eq!(with(bar, &bar.replace("0x10000000", "0x20000000")), [""; 0], "the guest says where");
}

#[test]
fn every_processor_runs_with_the_tables_of_its_own_guest() {
    let others = with("0x104000 tables 0x102000", "0x104000 tables 0x202000");
    assert_eq!(others, ["a (guest) has a processor (0x104000) with tables (0x202000) that are not the guest's"]);
    let strange = GUESTS.replace("0x104000 tables 0x102000", "0x104000 tables 0x202000");
    assert_eq!(at("b made", &strange, &[]), ["b (guest) has a processor (0x104000) that its VMM did not make"]);
    let vmms = with("0x104000 tables 0x102000", "0x104000 tables 0x100000");
    assert_eq!(vmms, ["a (guest) has a processor (0x104000) with tables (0x100000) that are not the guest's"]);
    let nowhere = with("0x104000 tables 0x102000", "0x104000 tables none");
    assert_eq!(nowhere, ["a (guest) has a processor (0x104000) that reaches nothing"]);
    let foreign = GUESTS.replace("processor 0x104000", "processor 0x404000");
    assert_eq!(at("a over", &foreign, &[]), ["a (guest) has a processor (0x404000) that its VMM did not make"]);
    assert_eq!(at("end", &foreign, &[])[1..], ["a virtual processor (0x404000) is no VMM's"]);
    let none = GUESTS.lines().filter(|line| !line.starts_with("kernel processor 0x10"));
    let none: String = none.map(|line| format!("{line}\n")).collect();
    assert_eq!(at("a made", &none, &[]), ["a (guest) has no processor"]);
    assert_eq!(at("a over", &none, &[]), [""; 0]);
}

#[test]
fn a_guest_has_one_address_space_and_only_after_the_start() {
    let second = with("kernel memory 0x50000", "kernel tables 0x10a000\nkernel memory 0x50000");
    assert_eq!(second[0], "a (guest) has 2 address spaces");
    let (first, _) = GUESTS.split_once("root made b").unwrap();
    assert_eq!(at("end", first, &[]), ["b (guest) has no address space that was looked at"]);
    assert_eq!(at("a made", BEFORE, &[]), ["a (guest) has 0 address spaces", "a (guest) has no processor"]);
    let early = BEFORE.replace("root space b", "kernel tables 0x109000\nroot space b");
    assert_eq!(at(START, &early, &[]), ["a has a guest before it has run"]);
    for strange in ["foreign space 0x50000 0x1000 0x3", "incomplete space"] {
        let line = format!("kernel tables 0x102000\nkernel {strange}");
        assert_eq!(with("kernel tables 0x102000", &line), [format!("a (guest) {strange}")]);
    }
}
