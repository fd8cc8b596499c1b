//! Rules that every source file keeps, whoever writes it.

use std::path::{Path, PathBuf};

use sluice_scripts::build::Workspace;
use sluice_scripts::tree::Tree;

/// Longest source file; files of tests alone may have [`MOST_TEST_LINES`].
const MOST_LINES: usize = 400;
const MOST_TEST_LINES: usize = 600;

/// Crates that hold decisions and run on the target: no unsafe code, and no standard library but in tests.
const PURE: &[&str] = &[
    "kernel/abi",
    "kernel/paging",
    "kernel/smmu",
    "kernel/core",
    "kernel/spec",
    "kernel/platform",
    "sdk/manifest",
    "capdl-gen/spec",
    "conformance",
    "tests/fuzz",
    "vmm/core",
    "vmm/hostile",
];

fn tree() -> Tree {
    Tree::of_this_program().expect("a source tree")
}

/// Rust files of all members, with their paths from the root.
fn sources() -> Vec<(PathBuf, String)> {
    let tree = tree();
    let workspace = Workspace::of(&tree).expect("cargo's metadata");
    let mut files = Vec::new();
    for package in &workspace.packages {
        let folder = tree.root().join(workspace.folder(package));
        for part in ["src", "tests", "benches", "build.rs"] {
            collect(&folder.join(part), &mut files);
        }
    }
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a readable source file");
            (path.strip_prefix(tree.root()).expect("a file of the tree").to_owned(), text)
        })
        .collect()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.extension().is_some_and(|extension| extension == "rs") {
        files.extend(path.is_file().then(|| path.to_owned()));
    }
    let Ok(entries) = std::fs::read_dir(path) else { return };
    for entry in entries {
        collect(&entry.expect("a readable folder").path(), files);
    }
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests") || path.file_name().is_some_and(|name| name == "tests.rs")
}

fn too_long(path: &Path, text: &str) -> bool {
    text.lines().count() > if is_test(path) { MOST_TEST_LINES } else { MOST_LINES }
}

/// An attribute that turns a lint off, or an unstable feature on, for the compiler to obey.
fn has_forbidden_attribute(text: &str) -> bool {
    text.lines().map(str::trim_start).any(|line| {
        ["#[allow(", "#![allow(", "#![feature("].iter().any(|attribute| line.starts_with(attribute))
            || line.starts_with('#')
                && line.contains("cfg_attr")
                && (line.contains(", allow(") || line.contains(", feature("))
    })
}

fn is_pure(text: &str) -> bool {
    let has = |attribute: &str| text.lines().any(|line| line.trim() == attribute);
    (has("#![no_std]") || has("#![cfg_attr(not(test), no_std)]")) && has("#![forbid(unsafe_code)]")
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> =
        sources().into_iter().filter(|(path, text)| too_long(path, text)).map(|(path, _)| path).collect();
    assert!(long.is_empty(), "split by meaning: {long:?}");
}

#[test]
fn lints_are_expected_and_never_allowed_and_features_are_stable() {
    let bad: Vec<_> =
        sources().into_iter().filter(|(_, text)| has_forbidden_attribute(text)).map(|(path, _)| path).collect();
    assert!(bad.is_empty(), "#[allow] or #![feature] in {bad:?}");
}

#[test]
fn decisions_are_made_in_safe_code() {
    for folder in PURE {
        let root = tree().root().join(folder).join("src/lib.rs");
        let text = std::fs::read_to_string(&root).expect("a pure crate");
        assert!(is_pure(&text), "{folder} is not #![no_std] and #![forbid(unsafe_code)]");
    }
}

#[test]
fn no_crate_has_tests_that_nobody_runs() {
    let workspace = Workspace::of(&tree()).expect("cargo's metadata");
    let has_tests = |folder: &str| {
        sources()
            .iter()
            .any(|(path, text)| path.starts_with(folder) && text.lines().any(|line| line.trim() == "#[test]"))
    };
    let forgotten: Vec<String> = workspace
        .packages
        .iter()
        .filter(|package| !workspace.is_default(package))
        .map(|package| workspace.folder(package))
        .filter(|folder| has_tests(&format!("{folder}/")))
        .collect();
    assert!(forgotten.is_empty(), "add these to default-members: {forgotten:?}");
}

#[test]
fn these_rules_can_be_broken() {
    let line = "x\n";
    assert!(too_long(Path::new("a/src/b.rs"), &line.repeat(401)));
    assert!(!too_long(Path::new("a/src/b.rs"), &line.repeat(400)));
    assert!(!too_long(Path::new("a/src/b/tests.rs"), &line.repeat(600)));
    assert!(too_long(Path::new("a/tests/b.rs"), &line.repeat(601)));
    assert!(has_forbidden_attribute("fn a() {}\n  #[allow(dead_code)]\nfn b() {}"));
    assert!(has_forbidden_attribute("#![feature(never_type)]"));
    assert!(has_forbidden_attribute("#![cfg_attr(test, allow(unused))]"));
    assert!(!has_forbidden_attribute("#[expect(dead_code, reason = \"x\")]\n// #[allow(x)] in a comment"));
    assert!(is_pure("//! a\n#![no_std]\n#![forbid(unsafe_code)]\n"));
    assert!(!is_pure("#![no_std]\n// #![forbid(unsafe_code)]\n"));
    assert!(!is_pure("#![forbid(unsafe_code)]\n"));
    assert!(sources().len() > 20, "the tree was not read");
}
