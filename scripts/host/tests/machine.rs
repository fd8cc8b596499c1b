//! Runs real machines with a stand-in for a system: a few instructions that print a given text and power off.
//!
//! What a boot test believes is thereby tested with QEMU in between, and without a kernel that could be at fault.

use std::path::PathBuf;

use sluice_scripts::disk::Disk;
use sluice_scripts::report::Tally;
use sluice_scripts::run::{Choices, run};
use sluice_scripts::tree::{System, Tree};

/// Bytes of the arm64 boot header (Linux documentation, "Booting AArch64 Linux", section 4).
const HEADER: usize = 64;

/// Prints the zero-terminated text behind it on the PL011 at 0x9000000, then PSCI SYSTEM_OFF.
const PRINT_AND_POWER_OFF: [u32; 10] = [
    0x1000_0141, // adr x1, text
    0xd2a1_2002, // mov x2, #0x9000000
    0x3840_1423, // next: ldrb w3, [x1], #1
    0x3400_0063, // cbz w3, off
    0xb900_0043, // str w3, [x2]
    0x17ff_fffd, // b next
    0x52b0_8000, // off: mov w0, #0x84000000
    0x7280_0100, // movk w0, #8
    0xd400_0003, // smc #0
    0x1400_0000, // b .
];

fn image(text: &str) -> Vec<u8> {
    let mut image = vec![0; HEADER];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &0x1400_0010u32.to_le_bytes()); // b HEADER
    put(16, &0x1_0000u64.to_le_bytes());
    put(24, &0xau64.to_le_bytes());
    put(56, b"ARM\x64");
    image.extend(PRINT_AND_POWER_OFF.iter().flat_map(|instruction| instruction.to_le_bytes()));
    image.extend(text.bytes());
    image.resize(0x1_0000, 0);
    image
}

/// A system in a folder of its own, gone with the value.
struct Fake {
    folder: PathBuf,
    system: System,
}

impl Fake {
    fn new(name: &str, checks: &str, devices: &str, text: &str) -> Self {
        let name = format!("machine-test-{name}");
        let folder = std::env::temp_dir().join(format!("sluice-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let write = |extension: &str, content: &[u8]| {
            std::fs::write(folder.join(&name).with_extension(extension), content).expect("a file");
        };
        write("toml", b"platform = \"qemu-virt\"\n");
        write("checks", checks.as_bytes());
        write("qemu", devices.as_bytes());
        write("img", &image(text));
        write("audit.json", AUDIT.as_bytes());
        let system = System::at(&folder.join(&name).with_extension("toml")).expect("a system");
        Self { folder, system }
    }

    fn run(&self, disk: Option<PathBuf>) -> Tally {
        let tree = Tree::of_this_program().expect("a source tree");
        let image = self.system.spec.with_extension("img");
        let choices = Choices { disk, ..Choices::default() };
        run(&tree, &self.system, &image, &choices).expect("a machine")
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

const CHECKS: &str = "edu works\nkernel kernel-canary-intact\n";
/// One device, which has a stream and reaches nothing.
const AUDIT: &str = r#"{ "memories": [], "reach": [], "parties": [
    { "name": "edu.edu", "kind": "device", "drives": [], "mode": "s2", "streams": ["0:0x0008"] } ] }"#;
const GOOD: &str = "root    | AUDIT begin start\r\nkernel  | AUDIT stream 0:0x0008 entry 0x9000 stage 2\r\n\
    kernel  | AUDIT smmu 0 abort 255\r\nroot    | AUDIT end\r\nedu     | CHECK pass works: yes\r\nroot    | RESULT 1 passed, 0 failed\r\n\
    kernel  | CHECK pass kernel-canary-intact: same\r\n";

#[test]
fn a_machine_that_prints_what_it_must_is_good() {
    let fake = Fake::new("good", CHECKS, "-device\nedu,addr=1\n", GOOD);
    assert_eq!(fake.run(None), Tally { passed: 3, failed: 0 });
}

#[test]
fn a_component_that_speaks_for_the_root_task_does_not_pass() {
    let text = GOOD.replace("root    | RESULT", "edu     | root    | RESULT");
    let fake = Fake::new("forged", CHECKS, "", &text);
    assert_eq!(fake.run(None).failed, 1);
}

#[test]
fn a_failed_check_fails_the_run() {
    let text = GOOD.replace("CHECK pass works", "CHECK FAIL works").replace("1 passed, 0", "0 passed, 1");
    let fake = Fake::new("failed", CHECKS, "", &text);
    assert_eq!(fake.run(None), Tally { passed: 2, failed: 1 });
}

#[test]
fn streams_that_do_not_do_what_the_audit_says_fail_the_run() {
    let account = GOOD.find("edu     |").expect("what comes behind the account");
    for (name, text) in [
        ("bypass", GOOD.replace("stage 2", "bypass")),
        ("silent", GOOD[account..].to_owned()),
        ("forged-account", GOOD.replace("kernel  | AUDIT stream", "edu     | AUDIT stream")),
    ] {
        assert_eq!(Fake::new(name, CHECKS, "", &text).run(None), Tally { passed: 2, failed: 1 }, "{name}");
    }
}

#[test]
fn a_device_that_qemu_does_not_have_fails_the_run() {
    let fake = Fake::new("device", CHECKS, "-device\nno-such-device\n", GOOD);
    let tally = fake.run(None);
    assert!(tally.failed > 2, "{tally:?}");
}

#[test]
fn the_digest_is_compared_with_the_disk() {
    let devices = "-drive\nif=none,id=disk,file=${DISK},format=raw,readonly=on\n-device\nnvme,serial=disk,drive=disk\n";
    let content = Fake::new("disk-content", CHECKS, "", GOOD);
    let file = content.folder.join("disk");
    std::fs::write(&file, vec![0x5a; 8192]).expect("a file");
    let tree = Tree::of_this_program().expect("a source tree");
    let digest = Disk::from_file(&tree, &file).expect("a disk").digest().expect("a digest");
    let text = |hex: &str| format!("nvme    | SHA256 {hex} 8192\n{GOOD}");
    let right = Fake::new("digest-right", CHECKS, devices, &text(&digest.hex));
    assert_eq!(right.run(Some(file.clone())), Tally { passed: 4, failed: 0 });
    let wrong = Fake::new("digest-wrong", CHECKS, devices, &text(&"0".repeat(64)));
    assert_eq!(wrong.run(Some(file)), Tally { passed: 3, failed: 1 });
}

#[test]
fn a_scratch_disk_that_nobody_wrote_fails_the_run() {
    let devices = "-drive\nif=none,id=s,file=${SCRATCH},format=raw\n-device\nnvme,serial=s,drive=s\n";
    let fake = Fake::new("scratch", CHECKS, devices, GOOD);
    assert_eq!(fake.run(None), Tally { passed: 3, failed: 1 });
}
