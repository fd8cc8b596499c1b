//! Specs against golden files: each of `tests/bad` is refused with its diagnostic, each of `tests/good` becomes its
//! system. `BLESS=1` rewrites the golden files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{component, components, golden, kernel, root_task};

/// Fewest malformed specs: a wrong folder must not pass for a clean run.
const BAD: usize = 50;
const GOOD: usize = 4;

fn capdl_gen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_capdl-gen"))
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"))
        .output()
        .expect("the command runs")
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("text")
}

/// The specs in a folder of `tests`, by file name.
fn specs(folder: &str) -> Vec<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let entries = fs::read_dir(tests.join(folder)).expect("a folder");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| Path::new(folder).join(entry.expect("an entry").file_name()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    paths
}

fn golden_file(spec: &Path, extension: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(spec.with_extension(extension))
}

#[test]
fn every_bad_spec_has_its_diagnostic() {
    let folder = components("bad");
    let specs = specs("bad");
    assert!(specs.len() >= BAD, "only {} specs", specs.len());
    let mut differences = Vec::new();
    for spec in &specs {
        let name = spec.to_str().expect("a name");
        let folder = folder.to_str().expect("a path");
        let output = capdl_gen(&["check", name, "--components", folder, "--files", folder]);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "", "{name}");
        differences.extend(golden(&golden_file(spec, "stderr"), text(&output.stderr)).err());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_good_spec_becomes_its_system() {
    let folder = components("good");
    let specs = specs("good");
    assert!(specs.len() >= GOOD, "only {} specs", specs.len());
    let mut differences = Vec::new();
    for spec in &specs {
        let name = spec.to_str().expect("a name");
        let folder = folder.to_str().expect("a path");
        let output = capdl_gen(&["check", name, "--components", folder, "--files", folder]);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "{name}");
        differences.extend(golden(&golden_file(spec, "stdout"), text(&output.stdout)).err());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_systems_of_the_project_are_good() {
    let systems = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systems");
    // What guests boot is fetched from elsewhere; made-up files do here.
    let files = components("systems");
    let files = files.to_str().expect("a path");
    let mut count = 0;
    for entry in fs::read_dir(systems).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let output = capdl_gen(&["check", path.to_str().expect("a name"), "--files", files]);
            assert!(output.status.success(), "{}", text(&output.stderr));
            count += 1;
        }
    }
    assert!(count >= 2, "only {count} systems");
    for (system, device, place, irq, sid) in [
        ("confined-disk", "edu", "00:01.0", 36, "0:0x0008"),
        ("confined-disk", "disk", "00:02.0", 37, "0:0x0010"),
        ("confined-disk", "scratch", "00:06.0", 37, "0:0x0030"),
        ("far-device", "edu", "05:00.0", 35, "0:0x0500"),
        ("far-device", "disk", "04:00.0", 38, "0:0x0400"),
        ("far-device", "scratch", "03:00.0", 37, "0:0x0300"),
    ] {
        let output = capdl_gen(&["check", &format!("../../systems/{system}.toml")]);
        let shown = text(&output.stdout);
        let line = shown.lines().find(|line| line.trim_start().starts_with(&format!("device {device} at {place} ")));
        let line = line.unwrap_or_else(|| panic!("no {device} at {place} in\n{shown}"));
        assert!(line.contains(&format!("irq {irq} level, sid {sid} ")), "{line}");
    }
}

#[test]
fn a_missing_file_of_a_guest_is_named_with_where_it_was_looked_for() {
    let folder = components("missing");
    let spec = folder.join("missing.toml");
    fs::write(&spec, "platform = 'odd'\n[vm.linux]\nkernel = 'nothing'\nram = '64M'\npriority = 1\n").expect("a file");
    let (spec, files) = (spec.to_str().expect("a path"), folder.join("elsewhere"));
    let output = capdl_gen(&["check", spec, "--platforms", "platforms", "--files", files.to_str().expect("a path")]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in ["the file `nothing` is not there", "elsewhere", "scripts/guest"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn devices_shows_what_a_platform_offers() {
    for platform in ["odd", "qemu-virt", "fvp-base"] {
        let folder = if platform == "odd" { "platforms" } else { "../../platforms" };
        let output = capdl_gen(&["devices", platform, "--platforms", folder]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        golden(&golden_file(Path::new(&format!("devices/{platform}")), "stdout"), text(&output.stdout)).expect("same");
    }
    let by_file = capdl_gen(&["devices", "platforms/odd/odd.dtb"]);
    let by_name = capdl_gen(&["devices", "odd"]);
    assert_eq!(by_file, by_name);
}

#[test]
fn a_built_image_is_reproducible_and_can_be_inspected() {
    let folder = components("build");
    let file = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
    fs::write(file("kernel.elf"), kernel().bytes()).expect("a file");
    fs::write(file("root.elf"), root_task().bytes()).expect("a file");
    let (kernel, root) = (file("kernel.elf"), file("root.elf"));
    build("good/everything.toml", &folder, &kernel, &root, &file("a.img"));
    // Copies elsewhere, by other names of folders, with other times.
    let other = components("build-elsewhere/in/a/deeper/folder");
    let copy = |name: &str| other.join(name).to_str().expect("a path").to_owned();
    fs::copy(golden_file(Path::new("good/everything.toml"), "toml"), copy("system.toml")).expect("a copy");
    for name in ["root.elf", "kernel.elf"] {
        fs::copy(file(name), copy(name)).expect("a copy");
    }
    build(&copy("system.toml"), &other, &copy("kernel.elf"), &copy("root.elf"), &copy("b.img"));
    assert_eq!(fs::read(file("a.img")).expect("an image"), fs::read(copy("b.img")).expect("an image"));

    let inspected = capdl_gen(&["inspect", &file("a.img")]);
    golden(&golden_file(Path::new("good/everything.toml"), "inspect"), text(&inspected.stdout)).expect("same");

    let bare =
        capdl_gen(&["image", "--root-task", &root, "--kernel", &kernel, "-o", &file("c.img"), "--cnode-bits", "15"]);
    assert!(bare.status.success(), "{}", text(&bare.stderr));
    let inspected = capdl_gen(&["inspect", &file("c.img")]);
    assert!(text(&inspected.stdout).contains("2^15 slots"), "{}", text(&inspected.stdout));
    assert!(text(&inspected.stdout).ends_with("no payload: a root task without a spec\n"));
}

fn build(spec: &str, components: &Path, kernel: &str, root_task: &str, output: &str) {
    let components = components.to_str().expect("a path");
    let inputs = ["--kernel", kernel, "--root-task", root_task, "--components", components, "--files", components];
    let run = capdl_gen(&[&["build", spec, "--platforms", "platforms"][..], &inputs, &["-o", output]].concat());
    assert!(run.status.success(), "{}", text(&run.stderr));
}

/// A platform that the scripts do not launch is derived for all the same.
#[test]
fn a_system_for_arms_base_platform_is_built() {
    let folder = components("fvp");
    let file = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
    fs::write(file("kernel.elf"), kernel().bytes()).expect("a file");
    fs::write(file("root.elf"), root_task().bytes()).expect("a file");
    let (kernel, root, components) = (file("kernel.elf"), file("root.elf"), folder.to_str().expect("a path"));
    for image in [file("a.img"), file("b.img")] {
        let inputs = ["--kernel", &kernel, "--root-task", &root, "--components", components];
        let spec = ["build", "fvp/disk.toml", "--platforms", "../../platforms"];
        let run = capdl_gen(&[&spec[..], &inputs, &["-o", &image]].concat());
        assert!(run.status.success(), "{}", text(&run.stderr));
    }
    assert_eq!(fs::read(file("a.img")).expect("an image"), fs::read(file("b.img")).expect("an image"));
    let shown = capdl_gen(&["check", "fvp/disk.toml", "--platforms", "../../platforms", "--components", components]);
    golden(&golden_file(Path::new("fvp/disk.toml"), "stdout"), text(&shown.stdout)).expect("same");
}

#[test]
fn one_byte_of_one_file_is_seen_in_an_image() {
    let folder = components("changed");
    let file = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
    fs::write(file("kernel.elf"), kernel().bytes()).expect("a file");
    fs::write(file("root.elf"), root_task().bytes()).expect("a file");
    let inspect = |image: &str| {
        build("good/everything.toml", &folder, &file("kernel.elf"), &file("root.elf"), image);
        text(&capdl_gen(&["inspect", image]).stdout).to_owned()
    };
    let before = inspect(&file("a.img"));
    fs::write(file("driver"), component(0xd2).bytes()).expect("a file");
    let after = inspect(&file("b.img"));
    let differences: Vec<&str> =
        after.lines().zip(before.lines()).filter(|(after, before)| after != before).map(|(after, _)| after).collect();
    assert_eq!(differences.len(), 2, "{differences:?}");
    assert!(differences[0].starts_with("checksum"), "{differences:?}");
    assert!(differences[1].ends_with(" of driver"), "{differences:?}");
}

#[test]
fn the_capabilities_of_every_good_spec_are_as_recorded() {
    let files = components("cdl");
    let mut differences = Vec::new();
    for spec in specs("good") {
        let name = spec.to_str().expect("a name");
        let output = capdl_gen(&["cdl", name, "--files", files.to_str().expect("a path")]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
        differences.extend(golden(&golden_file(&spec, "cdl"), text(&output.stdout)).err());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn capabilities_are_to_objects_that_are_there() {
    for spec in specs("good") {
        let file = golden_file(&spec, "cdl");
        let shown = fs::read_to_string(&file).expect("a record");
        let (objects, caps) = shown.split_once("\ncaps {\n").expect("two parts");
        let name = |text: &str| text.trim().split([' ', '[']).next().unwrap_or_default().to_owned();
        let declared: Vec<String> = objects.lines().filter_map(|line| Some(name(line.split_once(" = ")?.0))).collect();
        let lines = caps.lines().map(str::trim).filter(|line| !line.starts_with("--"));
        // `slot: object (attributes)`, `object (attributes)` where only the machine tells the slot, `object {`, `}`.
        let named = lines.filter(|line| !line.is_empty() && *line != "}").map(|line| {
            let capability = line.split(" (").next().unwrap_or_default();
            name(capability.split_once(": ").map_or(capability, |(_, object)| object))
        });
        let missing: Vec<String> = named.filter(|named| !declared.contains(named)).collect();
        assert!(!declared.is_empty() && missing.is_empty(), "{}: {missing:?}", file.display());
    }
}

#[test]
fn nothing_is_written_for_a_bad_spec() {
    let folder = components("unwritten");
    let output = folder.join("no.img");
    let run = capdl_gen(&[
        "build",
        "bad/unknown-region.toml",
        "--kernel",
        "none",
        "--root-task",
        "none",
        "--components",
        folder.to_str().expect("a path"),
        "-o",
        output.to_str().expect("a path"),
    ]);
    assert_eq!(run.status.code(), Some(1));
    assert!(text(&run.stderr).contains("there is no memory region"), "{}", text(&run.stderr));
    assert!(!output.exists());
}

#[test]
fn files_that_are_not_there_are_named() {
    let message = |arguments: &[&str]| text(&capdl_gen(arguments).stderr).trim_end().to_owned();
    assert_eq!(message(&["inspect", "nowhere.img"]), "nowhere.img: No such file or directory (os error 2)");
    assert_eq!(
        message(&["inspect", "bad/unknown-region.toml"]),
        "bad/unknown-region.toml: no boot image: no page of it is a boot header that fits its length"
    );
    assert_eq!(message(&["devices", "nowhere", "--platforms", "platforms"]), "there is no platform `nowhere`");
    assert_eq!(
        message(&["image", "--kernel", "nowhere", "--root-task", "nowhere", "-o", "x.img"]),
        "nowhere: No such file or directory (os error 2)"
    );
}

#[test]
fn a_blob_that_is_no_device_tree_is_one_line() {
    let output = capdl_gen(&["devices", "bad/not-toml.toml"]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.starts_with("platform `not-toml`: device tree blob: "), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

/// `good/everything.toml` has every key of the language, and so must the reference.
#[test]
fn the_reference_has_every_key() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let spec = fs::read_to_string(tests.join("good/everything.toml")).expect("a spec");
    let reference = fs::read_to_string(tests.join("../../docs/SYSTEM-SPEC.md")).expect("the reference");
    let word = |c: char| c.is_ascii_lowercase() || c == '_';
    let mut keys = 0;
    for (at, _) in spec.match_indices(" = ") {
        let key = spec[..at].rsplit(|c: char| !word(c)).next().unwrap_or_default();
        if !["depth", "colour"].contains(&key) {
            let said =
                reference.split('`').skip(1).step_by(2).any(|code| code.split(|c| !word(c)).any(|part| part == key));
            assert!(said, "`{key}` is not in the reference");
            keys += 1;
        }
    }
    assert!(keys > 50, "only {keys} keys");
}

#[test]
fn the_reach_of_every_good_spec_is_as_recorded() {
    for spec in specs("good") {
        let json = std::env::temp_dir().join(format!("sluice-audit-{}.json", std::process::id()));
        let name = spec.to_str().expect("a name");
        let files = components("audit");
        let files = files.to_str().expect("a path");
        let output = capdl_gen(&["audit", name, "--files", files, "--json", json.to_str().expect("a path")]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
        golden(&golden_file(&spec, "audit"), text(&output.stdout)).expect("same reach");
        golden(&golden_file(&spec, "audit.json"), &fs::read_to_string(&json).expect("a file")).expect("same reach");
        fs::remove_file(json).expect("it was there");
    }
}

#[test]
fn a_spec_that_breaks_its_policy_has_no_audit() {
    let output = capdl_gen(&["audit", "bad/policy-breach.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("breaks its rule"), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn the_picture_in_the_docs_is_that_of_the_demonstration() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let svg = std::env::temp_dir().join(format!("sluice-audit-{}.svg", std::process::id()));
    let spec = tree.join("systems/confined-disk.toml");
    let output = capdl_gen(&["audit", spec.to_str().expect("a path"), "--svg", svg.to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let drawn = fs::read_to_string(&svg).expect("a file");
    golden(&tree.join("docs/pictures/confined-disk.svg"), &drawn).expect("the same picture");
    fs::remove_file(svg).expect("it was there");
}
