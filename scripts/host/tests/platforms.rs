//! A platform's device tree is three things that must be one: the blob, its readable source, and, where QEMU emulates the
//! platform, what QEMU describes.

use std::path::{Path, PathBuf};
use std::process::Command;

use sluice_scripts::device_tree::to_source;
use sluice_scripts::platform::Platform;

/// Set to write the readable sources anew from the blobs.
const BLESS: &str = "SLUICE_BLESS";

/// Every platform there is, with its folder.
fn platforms() -> Vec<(PathBuf, Platform)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../platforms");
    let entries = std::fs::read_dir(folder).expect("the platforms");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("a platform").path()).collect();
    folders.sort();
    assert!(!folders.is_empty());
    let read = |folder: PathBuf| (folder.clone(), Platform::read(&folder).expect("a platform file"));
    folders.into_iter().map(read).collect()
}

fn shown(folder: &Path, platform: &Platform) -> String {
    let blob = std::fs::read(folder.join(&platform.device_tree)).expect("the platform's device tree");
    to_source(&blob).expect("a well-formed tree")
}

/// Both texts in full are too long for a message: the first differing line says what changed.
fn assert_same(left_name: &str, left: &str, right_name: &str, right: &str) {
    let differing = left.lines().zip(right.lines()).enumerate().find(|(_, (left, right))| left != right);
    if let Some((number, (left, right))) = differing {
        panic!("line {}: {left_name} has `{left}`, {right_name} has `{right}`", number + 1);
    }
    assert_eq!(left.lines().count(), right.lines().count(), "{left_name} or {right_name} is longer");
}

#[test]
fn the_readable_source_is_that_of_the_blob() {
    for (folder, platform) in platforms() {
        let path = folder.join(&platform.device_tree).with_extension("dts");
        let shown = shown(&folder, &platform);
        if std::env::var_os(BLESS).is_some() {
            std::fs::write(&path, &shown).expect("a writable tree");
        }
        let kept = std::fs::read_to_string(&path).expect("the readable source");
        assert_same(&path.display().to_string(), &kept, &platform.device_tree, &shown);
    }
}

#[test]
fn qemu_still_describes_the_same_machines() {
    for (folder, platform) in platforms() {
        let dump = std::env::temp_dir().join(format!("sluice-{}-{}", std::process::id(), platform.device_tree));
        let machine = format!("{},dumpdtb={}", platform.qemu.machine, dump.display());
        let output = Command::new(&platform.qemu.program)
            .args(["-M", &machine, "-cpu", &platform.qemu.cpu, "-m", &platform.qemu.memory])
            .args(&platform.qemu.arguments)
            .output()
            .unwrap_or_else(|error| panic!("{} does not start ({error}): run scripts/setup", platform.qemu.program));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let described = to_source(&std::fs::read(&dump).expect("QEMU's dump")).expect("a well-formed tree");
        std::fs::remove_file(&dump).expect("the dump is ours");
        assert_same(&platform.device_tree, &shown(&folder, &platform), "QEMU", &described);
    }
}
