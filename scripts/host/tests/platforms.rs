//! A platform's device tree is three things that must be one: the blob, its readable source, and, where QEMU emulates the
//! platform, what QEMU describes.

use std::path::{Path, PathBuf};
use std::process::Command;

use sluice_scripts::device_tree::to_source;
use sluice_scripts::platform::Platform;

/// Set to write the readable sources anew from the blobs.
const BLESS: &str = "SLUICE_BLESS";

/// The folder of every platform there is.
fn folders() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../platforms");
    let entries = std::fs::read_dir(folder).expect("the platforms");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("a platform").path()).collect();
    folders.sort();
    folders
}

/// The device tree in a folder, which names it.
fn blob(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(folder.join("platform.toml")).expect("a platform file");
    let table: toml::Table = text.parse().expect("TOML");
    folder.join(table["device_tree"].as_str().expect("a device tree"))
}

fn shown(blob: &Path) -> String {
    to_source(&std::fs::read(blob).expect("the platform's device tree")).expect("a well-formed tree")
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
    for blob in folders().iter().map(|folder| blob(folder)) {
        let (path, shown) = (blob.with_extension("dts"), shown(&blob));
        if std::env::var_os(BLESS).is_some() {
            std::fs::write(&path, &shown).expect("a writable tree");
        }
        let kept = std::fs::read_to_string(&path).expect("the readable source");
        assert_same(&path.display().to_string(), &kept, "the blob", &shown);
    }
}

#[test]
fn a_platform_that_is_not_emulated_says_where_to_look() {
    let fvp = folders().into_iter().find(|folder| folder.ends_with("fvp-base")).expect("the platform");
    let error = Platform::read(&fvp).expect_err("nothing to launch").to_string();
    assert!(error.contains("its README tells how to launch"), "{error}");
}

#[test]
fn qemu_still_describes_the_same_machines() {
    let emulated = ["qemu-virt", "qemu-virt-8g"];
    for folder in folders().iter().filter(|folder| emulated.iter().any(|name| folder.ends_with(name))) {
        let platform = Platform::read(folder).expect("a platform file");
        let dump = std::env::temp_dir().join(format!("sluice-{}-{}", std::process::id(), platform.device_tree));
        let machine = format!("{},dumpdtb={}", platform.qemu.machine, dump.display());
        let output = Command::new(&platform.qemu.program)
            .args(["-M", &machine, "-cpu", &platform.qemu.cpu, "-m", &platform.qemu.memory])
            .args(&platform.qemu.arguments)
            .output()
            .unwrap_or_else(|error| panic!("{} does not start ({error}): run scripts/setup", platform.qemu.program));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let described = shown(&dump);
        std::fs::remove_file(&dump).expect("the dump is ours");
        assert_same(&platform.device_tree, &shown(&blob(folder)), "QEMU", &described);
    }
}
