//! Who may import whom. `docs/ARCHITECTURE.md` gives the reasons; this is the list, by folder.

use sluice_scripts::build::Workspace;
use sluice_scripts::tree::Tree;

/// An edge of the dependency graph, by folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Edge {
    from: String,
    to: String,
    /// Only tests use it.
    dev: bool,
}

const SDK: &[&str] = &["kernel/abi", "sdk/manifest", "sdk/sys", "sdk/rt", "sdk/dma"];

/// What `folder` may use, tests aside; nothing for a folder that the list does not know.
fn allowed(folder: &str) -> Option<Vec<&'static str>> {
    let list: &[&str] = match folder {
        "kernel/abi" | "scripts/meter" | "vmm/bare" => &[],
        "kernel/paging" | "kernel/platform" | "kernel/spec" | "capdl-gen/spec" | "scripts/host" | "tests/fuzz"
        | "vmm/core" => &["kernel/abi"],
        "conformance" => &["kernel/abi", "kernel/platform"],
        "fuzzer" => &["kernel/abi", "kernel/platform", "sdk/sys", "tests/fuzz"],
        "kernel/smmu" => &["kernel/abi", "kernel/paging"],
        "kernel/smmu-model" => &["kernel/abi", "kernel/paging", "kernel/smmu"],
        "kernel/core" => &["kernel/abi", "kernel/paging", "kernel/smmu"],
        "kernel/conformance" => &["kernel/abi", "kernel/core", "kernel/spec"],
        "kernel/image" => &["kernel/abi", "kernel/core", "kernel/paging", "kernel/platform", "kernel/smmu"],
        "sdk/manifest" | "sdk/sys" => &["kernel/abi"],
        "sdk/rt" => &["kernel/abi", "sdk/manifest", "sdk/sys"],
        "sdk/dma" => &["kernel/abi", "sdk/manifest", "sdk/rt", "sdk/sys"],
        // Where a guest's parts go, and whether they fit, is the VMM's decision; which slots capabilities get, the root
        // task's.
        "capdl-gen" => &[
            "kernel/abi",
            "kernel/paging",
            "kernel/platform",
            "kernel/spec",
            "capdl-gen/spec",
            "sdk/manifest",
            "root-task",
            "vmm/core",
        ],
        "root-task" => {
            &["kernel/abi", "kernel/platform", "capdl-gen/spec", "sdk/manifest", "sdk/sys", "sdk/rt", "sdk/dma"]
        }
        "bench" => &["kernel/abi", "kernel/platform", "sdk/sys"],
        "vmm" => return Some(SDK.iter().chain(&["vmm/core", "components/canary"]).copied().collect()),
        // A guest knows of nobody.
        "vmm/hostile" | "vmm/reader" => &["vmm/bare"],
        // Devices that have a driver of their own already.
        "components/fire" => {
            let drivers = &["components/edu", "components/nvme"];
            return Some(SDK.iter().chain(drivers).copied().collect());
        }
        "components/mortal" | "components/rogue" => {
            return Some(SDK.iter().chain(&["components/nvme"]).copied().collect());
        }
        _ if folder.starts_with("components/") => {
            return Some(SDK.iter().chain(&["components/canary"]).copied().collect());
        }
        _ => return None,
    };
    Some(list.to_vec())
}

/// What the tests of `folder` may use beyond [`allowed`]: the models.
fn allowed_in_tests(folder: &str) -> &'static [&'static str] {
    match folder {
        "kernel/smmu" => &["kernel/smmu-model"],
        "kernel/core" => &["kernel/conformance", "kernel/smmu-model", "kernel/spec", "tests/fuzz"],
        // What the kernel takes from a VMM is what the VMM's core must keep to.
        "vmm/core" => &["kernel/paging", "kernel/smmu", "kernel/smmu-model", "vmm/hostile"],
        _ => &[],
    }
}

fn is_allowed(edge: &Edge) -> bool {
    let listed = allowed(&edge.from).is_some_and(|list| list.contains(&edge.to.as_str()));
    listed || edge.dev && allowed_in_tests(&edge.from).contains(&edge.to.as_str())
}

fn edges(workspace: &Workspace) -> Vec<Edge> {
    let folder_of = |name: &str| {
        workspace.packages.iter().find(|package| package.name == name).map(|package| workspace.folder(package))
    };
    let mut edges = Vec::new();
    for package in &workspace.packages {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            edges.push(Edge {
                from: workspace.folder(package),
                to: folder_of(&dependency.name).unwrap_or_else(|| dependency.name.clone()),
                dev: dependency.kind.as_deref() == Some("dev"),
            });
        }
    }
    edges
}

fn workspace() -> Workspace {
    Workspace::of(&Tree::of_this_program().expect("a source tree")).expect("cargo's metadata")
}

#[test]
fn no_crate_imports_what_it_must_not() {
    let edges = edges(&workspace());
    assert!(edges.len() > 20, "the graph was not read: {edges:?}");
    let forbidden: Vec<&Edge> = edges.iter().filter(|edge| !is_allowed(edge)).collect();
    assert!(forbidden.is_empty(), "not allowed: {forbidden:#?}");
}

#[test]
fn every_crate_is_in_the_list() {
    let workspace = workspace();
    let unknown: Vec<String> = workspace
        .packages
        .iter()
        .map(|package| workspace.folder(package))
        .filter(|folder| allowed(folder).is_none())
        .collect();
    assert!(unknown.is_empty(), "say what these may import: {unknown:?}");
}

#[test]
fn the_list_forbids_what_matters() {
    let edge = |from: &str, to: &str, dev| Edge { from: from.to_owned(), to: to.to_owned(), dev };
    for (from, to, dev) in [
        ("kernel/abi", "kernel/paging", false),
        ("kernel/core", "kernel/platform", false),
        ("kernel/core", "kernel/spec", false),
        ("kernel/core", "kernel/smmu-model", false),
        ("kernel/image", "kernel/smmu-model", true),
        ("kernel/spec", "kernel/core", true),
        ("components/edu", "kernel/smmu", false),
        ("components/edu", "components/nvme", false),
        ("sdk/sys", "kernel/core", true),
        ("root-task", "kernel/core", false),
        ("capdl-gen", "kernel/core", false),
        ("somewhere/new", "kernel/abi", false),
    ] {
        assert!(!is_allowed(&edge(from, to, dev)), "{from} may import {to}");
    }
    assert!(is_allowed(&edge("kernel/core", "kernel/spec", true)));
    assert!(is_allowed(&edge("components/edu", "components/canary", false)));
}
