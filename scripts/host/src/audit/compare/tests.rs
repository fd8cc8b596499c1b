//! Each way to differ, on a system with a driver, a device that masters nothing, one that bypasses, and a guest.

use super::super::told::moments;
use super::*;

const AUDIT: &str = r#"{
    "parties": [
        { "name": "nvme", "kind": "component", "drives": ["nvme.disk"] },
        { "name": "nvme.disk", "kind": "device", "drives": [], "mode": "s2", "streams": ["0:0x0010"] },
        { "name": "nvme.idle", "kind": "device", "drives": [], "mode": "none", "streams": ["0:0x0018"] },
        { "name": "nvme.free", "kind": "device", "drives": [], "mode": "bypass", "streams": ["0:0x0020"] },
        { "name": "guest0", "kind": "vmm", "drives": [] },
        { "name": "guest0", "kind": "guest", "drives": ["guest0.edu", "guest0.net"] },
        { "name": "guest0.edu", "kind": "device", "drives": ["guest0.net"], "mode": "nested", "streams": ["0:0x0028"] },
        { "name": "guest0.net", "kind": "device", "drives": ["guest0.edu"], "mode": "s2", "streams": ["0:0x0030"] }
    ],
    "memories": [
        { "name": "ring", "bytes": 16384, "private": false },
        { "name": "table", "bytes": 4096, "private": false },
        { "name": "guest0.ram", "bytes": 8192, "private": false },
        { "name": "guest0.smmu0", "bytes": 4096, "private": true }
    ],
    "reach": [
        { "party": "nvme", "kind": "component", "memory": "ring", "rights": "rw", "by": "cpu", "at": 4096 },
        { "party": "nvme", "kind": "component", "memory": "ring", "rights": "rw", "by": "dma", "at": 65536,
          "stages": [2], "through": "nvme.disk" },
        { "party": "nvme.disk", "kind": "device", "memory": "ring", "rights": "rw", "by": "dma", "at": 65536, "stages": [2] },
        { "party": "nvme.disk", "kind": "device", "memory": "table", "rights": "r", "by": "dma", "at": 131072, "stages": [2] },
        { "party": "nvme.free", "kind": "device", "memory": "ring", "rights": "rw", "by": "bypass", "at": null },
        { "party": "guest0.edu", "kind": "device", "memory": "guest0.ram", "rights": "rw", "by": "dma", "at": 1073741824,
          "stages": [1, 2] },
        { "party": "guest0.edu", "kind": "device", "memory": "guest0.smmu0", "rights": "r", "by": "dma", "at": 151322624,
          "stages": [1, 2] }
    ]
}"#;

const PLACES: &str = "root    | AUDIT region ring 0x0 0x3000 0x50000\nroot    | AUDIT region ring 0x3000 0x1000 0x90000\n\
    root    | AUDIT region table 0x0 0x1000 0x60000\nroot    | AUDIT region guest0.ram 0x0 0x2000 0x70000\n\
    root    | AUDIT registers guest0.edu 0x10000000 0x2000\nroot    | AUDIT registers guest0.net 0x10002000 0x1000\n\
    root    | AUDIT registers nvme.disk 0x10004000 0x1000";

const DISK: &str = "stream 0:0x0010 entry 0x9000 stage 2\nreach 0:0x0010 0x10000 0x3000 rw 0x50000\n\
    reach 0:0x0010 0x13000 0x1000 rw 0x90000\nreach 0:0x0010 0x20000 0x1000 r 0x60000";
const FREE: &str = "stream 0:0x0020 entry 0x9400 bypass";
const GUESTS: &str = "stream 0:0x0028 entry 0x9500 stage 1+2\nreach 0:0x0028 0x9050000 0x1000 r 0x777000\n\
    reach 0:0x0028 0x10000000 0x3000 rw 0x10000000\nreach 0:0x0028 0x40000000 0x2000 rw 0x70000";
const REST: &str = "smmu 0 abort 250";

fn at(moment: &str, kernels: &[&str]) -> Vec<String> {
    let kernels = kernels.join("\n").lines().map(|line| format!("kernel  | AUDIT {line}\n")).collect::<String>();
    let lines = format!("root    | AUDIT begin {moment}\n{PLACES}\n{kernels}root    | AUDIT end\n");
    let moments = moments(lines.lines()).unwrap();
    differences(&Audit::read(AUDIT).unwrap(), &moments[0])
}

/// The differences at the start when the disk's lines have `from` replaced.
fn with(from: &str, to: &str) -> Vec<String> {
    assert!(DISK.contains(from), "{from}");
    at(START, &[&DISK.replace(from, to), FREE, REST])
}

#[test]
fn what_is_as_the_audit_says_has_no_differences() {
    assert_eq!(at(START, &[DISK, FREE, REST]), [""; 0]);
    assert_eq!(at("guest0.edu", &[DISK, FREE, GUESTS, REST]), [""; 0]);
    // A native driver may have taken its disk's memory away by then.
    assert_eq!(at("guest0.edu", &[GUESTS, REST]), [""; 0]);
    let moment = |name| Moment {
        name: String::from(name),
        ..moments(
            format!(
                "root    | AUDIT begin x\n{}root    | AUDIT end",
                "kernel  | AUDIT stream 0:0x0010 entry 0x1 bypass\nkernel  | AUDIT smmu 0 abort 1\n"
            )
            .lines(),
        )
        .unwrap()
        .remove(0)
    };
    let audit = Audit::read(AUDIT).unwrap();
    assert_eq!((compared(&audit, &moment(START)), compared(&audit, &moment("guest0.edu"))), (1, 0));
}

#[test]
fn more_than_the_audit_says_is_one_line_for_each_run_of_pages() {
    let more = with("0x20000 0x1000 r 0x60000", "0x20000 0x1000 r 0x60000\nreach 0:0x0010 0x30000 0x2000 rw 0x70000");
    assert_eq!(more, ["0:0x0010 (nvme.disk) reaches 0x30000+0x2000 (guest0.ram+0x0, rw), which it should not"]);
    let beyond = with("0x20000 0x1000 r 0x60000", "0x20000 0x2000 r 0x60000");
    assert_eq!(
        beyond,
        ["0:0x0010 (nvme.disk) reaches 0x21000+0x1000 (memory of no region, 0x61000, r), which it should not"]
    );
    let registers =
        with("0x20000 0x1000 r 0x60000", "0x20000 0x1000 r 0x60000\nreach 0:0x0010 0x30000 0x1000 rw 0x10004000");
    assert_eq!(registers.len(), 1, "{registers:?}");
    assert!(registers[0].contains("(registers of nvme.disk, rw), which"), "{registers:?}");
}

#[test]
fn another_right_another_place_and_less_are_told_apart() {
    assert_eq!(
        with("0x20000 0x1000 r ", "0x20000 0x1000 rw "),
        ["0:0x0010 (nvme.disk) reaches 0x20000+0x1000 (table+0x0) with rw instead of r"]
    );
    assert_eq!(
        with("rw 0x90000", "rw 0x70000"),
        ["0:0x0010 (nvme.disk) reaches at 0x13000+0x1000 guest0.ram+0x0 instead of ring+0x3000"]
    );
    assert_eq!(
        with("reach 0:0x0010 0x10000 0x3000 rw 0x50000\n", ""),
        ["0:0x0010 (nvme.disk) does not reach 0x10000+0x3000 (ring+0x0, rw)"]
    );
    let foreign = with("stage 2", "stage 2\nforeign 0:0x0010 0x50000 0x1000 0x3");
    assert_eq!(foreign, ["0:0x0010 (nvme.disk) foreign 0:0x0010 0x50000 0x1000 0x3"]);
}

#[test]
fn streams_do_what_their_devices_do_and_others_abort() {
    assert_eq!(at(START, &[FREE, REST]), ["0:0x0010 (nvme.disk) aborts instead of s2"]);
    assert_eq!(at(START, &[DISK, REST]), ["0:0x0020 (nvme.free) aborts instead of bypass"]);
    for (entry, does) in [
        ("bypass", "bypasses translation"),
        ("unknown", "has an entry that the kernel does not write"),
        ("stage 1+2", "is translated by stages 1 and 2"),
    ] {
        let line = format!("0:0x0010 (nvme.disk) {does} instead of s2");
        assert_eq!(at(START, &[&format!("stream 0:0x0010 entry 0x9000 {entry}"), FREE, REST]), [line]);
    }
    let idle = "stream 0:0x0018 entry 0x9000 stage 2";
    assert_eq!(
        at(START, &[DISK, idle, FREE, REST]),
        ["0:0x0018 (nvme.idle) is translated by stage 2 instead of aborting"]
    );
    let nobodys = "stream 0:0x0099 entry 0x9000 bypass";
    for moment in [START, "guest0.edu"] {
        assert_eq!(
            at(moment, &[DISK, FREE, nobodys, REST]),
            ["0:0x0099 bypasses translation, and no device has that stream"]
        );
    }
    assert_eq!(at("guest0.edu", &["smmu 0 off bypass"]), ["SMMU 0 is off, and every stream of it reaches all memory"]);
    assert_eq!(at("guest0.edu", &["smmu 0 incomplete", REST]).len(), 1);
    assert_eq!(at("guest0.edu", &[]), ["no SMMU was looked at"]);
}

#[test]
fn a_guests_device_waits_for_its_vmm_and_then_has_the_guests_memory_and_registers_alone() {
    assert_eq!(
        at(START, &[DISK, FREE, GUESTS, REST]),
        ["0:0x0028 (guest0.edu) is translated by stages 1 and 2 instead of aborting"]
    );
    assert_eq!(at("guest0.edu", &[REST]), [""; 0], "the guest has given it no stage 1 yet");
    assert_eq!(at("guest0.edu", &[&GUESTS.replace("stage 1+2", "stage 2"), REST]), [""; 0], "or wants none");
    assert_eq!(at("guest0.net", &[REST]), ["0:0x0030 (guest0.net) aborts instead of s2"]);
    for (from, to, part) in [
        ("r 0x777000", "rw 0x777000", "with rw instead of r"),
        ("r 0x777000", "r 0x60000", "table+0x0 instead of memory of its VMM's"),
        ("rw 0x70000", "rw 0x50000", "ring+0x0 instead of guest0.ram+0x0"),
        ("0x3000 rw 0x10000000", "0x1000 rw 0x10004000", "registers of nvme.disk, rw), which it should not"),
        ("reach 0:0x0028 0x40000000 0x2000 rw 0x70000", "", "does not reach 0x40000000+0x2000 (guest0.ram+0x0, rw)"),
    ] {
        assert!(GUESTS.contains(from));
        let lines = at("guest0.edu", &[GUESTS.replace(from, to).trim_end(), REST]);
        assert!(lines.len() == 1 && lines[0].contains(part), "{lines:?}");
    }
}

#[test]
fn a_region_without_a_place_is_no_match() {
    let lines = format!(
        "root    | AUDIT begin start\nkernel  | AUDIT {}\nroot    | AUDIT end",
        [DISK, FREE, REST].join("\n").replace('\n', "\nkernel  | AUDIT ")
    );
    let moments = moments(lines.lines()).unwrap();
    let found = differences(&Audit::read(AUDIT).unwrap(), &moments[0]);
    assert_eq!(found, ["0:0x0010 (nvme.disk) reaches ring, of which 0x0 bytes have a place"]);
}
