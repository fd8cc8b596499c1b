//! Any root task packed without a spec: where files are looked for and left, and what is refused and how.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{ElfBuilder, Segment, golden, kernel, root_task};
use capdl_gen::image::open;
use sluice_abi::USER_TOP;

/// An empty folder of one test, with a root task in it. It is not in the source tree, which may have a kernel.
fn folder(test: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("capdl-gen-{}-{test}", std::process::id()));
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an old folder gone");
    }
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("root.elf"), root_task().bytes()).expect("a file");
    folder
}

fn image(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_capdl-gen"))
        .arg("image")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the command runs")
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("text")
}

#[test]
fn the_built_kernel_is_found_and_the_image_left_here() {
    let tree = folder("root-task-defaults");
    let here = tree.join("a/b");
    fs::create_dir_all(tree.join("build")).expect("a folder");
    fs::create_dir_all(&here).expect("a folder");
    fs::write(tree.join("build/kernel-debug.elf"), kernel().bytes()).expect("a file");
    let run = image(&here, &["--root-task", "../../root.elf"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let bytes = fs::read(here.join("root.img")).expect("an image");
    assert_eq!(text(&run.stdout), format!("root.img: {} bytes\n", bytes.len()));
    let opened = open(&bytes).expect("an image");
    assert_eq!(opened.header.cnode_bits, 13, "the size that seL4 gives by default");
    assert_eq!((opened.root_task.len, opened.system), (0x5000, None));
    fs::remove_dir_all(tree).expect("the folder gone");
}

/// Each file that cannot be packed, by the name of its golden file.
fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let elf = root_task();
    let with = |change: &dyn Fn(&mut ElfBuilder)| {
        let mut elf = elf.clone();
        change(&mut elf);
        elf.bytes()
    };
    let at = |start: u64| ElfBuilder::new(start, vec![Segment::at(start, &[1; 16])]).bytes();
    vec![
        ("not-elf", b"#!/bin/sh\n".to_vec()),
        ("empty-file", Vec::new()),
        ("32-bit", with(&|elf| elf.class = 1)),
        ("big-endian", with(&|elf| elf.data = 2)),
        ("other-processor", with(&|elf| elf.machine = 62)),
        ("position-independent", with(&|elf| elf.kind = 3)),
        ("no-segments", with(&|elf| elf.segments.clear())),
        ("entry-outside", with(&|elf| elf.entry = 0x40_1000)),
        ("beyond-user-top", at(USER_TOP + 1)),
        ("kernel-address", at(0xffff_ff80_8000_0000)),
        ("no-room-behind", at(USER_TOP + 1 - 0x2000)),
        ("far-apart", with(&|elf| elf.segments.push(Segment::at(0x80_0000_0000, &[2])))),
        ("truncated", elf.bytes()[..elf.bytes().len() - 1].to_vec()),
    ]
}

#[test]
fn what_cannot_be_a_root_task_is_refused_and_nothing_written() {
    let folder = folder("root-task-refused");
    fs::write(folder.join("kernel.elf"), kernel().bytes()).expect("a file");
    let mut differences = Vec::new();
    for (name, bytes) in refused() {
        fs::write(folder.join("root.elf"), bytes).expect("a file");
        let run = image(&folder, &["--root-task", "root.elf", "--kernel", "kernel.elf"]);
        assert_eq!(run.status.code(), Some(1), "{name}");
        assert!(!folder.join("root.img").exists(), "{name}");
        differences.extend(golden(&golden_file(name), text(&run.stderr)).err());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    fs::remove_dir_all(folder).expect("the folder gone");
}

#[test]
fn files_that_are_not_there_are_named() {
    let folder = folder("root-task-missing");
    let mut differences = Vec::new();
    for (name, arguments) in [
        ("no-kernel", &["--root-task", "root.elf"][..]),
        ("kernel-missing", &["--root-task", "root.elf", "--kernel", "kernel.elf"]),
        ("root-task-missing", &["--root-task", "none.elf", "--kernel", "root.elf"]),
        ("kernel-is-no-kernel", &["--root-task", "root.elf", "--kernel", "root.elf"]),
    ] {
        let run = image(&folder, arguments);
        assert_eq!(run.status.code(), Some(1), "{name}");
        differences.extend(golden(&golden_file(name), text(&run.stderr)).err());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    fs::remove_dir_all(folder).expect("the folder gone");
}

#[test]
fn the_cnodes_size_is_limited() {
    let folder = folder("root-task-cnode");
    fs::write(folder.join("kernel.elf"), kernel().bytes()).expect("a file");
    for (bits, good) in [("9", false), ("10", true), ("20", true), ("21", false)] {
        let run = image(&folder, &["--root-task", "root.elf", "--kernel", "kernel.elf", "--cnode-bits", bits]);
        assert_eq!(run.status.success(), good, "{bits}: {}", text(&run.stderr));
    }
    fs::remove_dir_all(folder).expect("the folder gone");
}

fn golden_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/root-task").join(name).with_extension("stderr")
}
