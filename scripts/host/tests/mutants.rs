//! Every mutant can still be made, and the test that kills it is still there. Whether it does is for `scripts/mutants`.

use sluice_scripts::build::Workspace;
use sluice_scripts::mutants::{self, Mutant, Program};
use sluice_scripts::tree::Tree;

fn tree() -> Tree {
    Tree::of_this_program().expect("a source tree")
}

fn list() -> Vec<Mutant> {
    mutants::read(&tree()).unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn every_text_is_found_exactly_once() {
    for mutant in list() {
        let text = std::fs::read_to_string(tree().root().join(&mutant.file));
        let text = text.unwrap_or_else(|error| panic!("{}: {}: {error}", mutant.name, mutant.file));
        mutant.apply(&text).unwrap_or_else(|error| panic!("{}: {error}", mutant.name));
    }
}

#[test]
fn every_killer_exists() {
    let workspace = Workspace::of(&tree()).expect("cargo's metadata");
    for mutant in list() {
        let Some(killer) = mutant.killer else { continue };
        let package = workspace.packages.iter().find(|package| package.name == killer.package);
        let package = package.unwrap_or_else(|| panic!("{}: no package {}", mutant.name, killer.package));
        let folder = tree().root().join(workspace.folder(package));
        assert!(killer.exists(&folder), "{}: there is no test {killer}", mutant.name);
    }
}

#[test]
fn every_system_that_shows_a_mutant_is_one_with_checks() {
    let checked = tree().checked_systems().expect("systems");
    let list = list();
    let shown = list.iter().flat_map(|mutant| mutant.visible_in.iter().map(|system| (&mutant.name, system)));
    for (name, system) in shown.clone() {
        let spec = tree().root().join(system);
        assert!(checked.iter().any(|known| known.spec == spec), "{name}: {system} has no list of checks");
    }
    assert!(shown.count() >= 6, "hardware shows what some of them do");
}

#[test]
fn a_killer_that_is_gone_is_noticed() {
    let folder = tree().root().join("kernel/smmu");
    let killer = |program: Program, test: &str| mutants::Killer {
        package: "sluice-smmu".to_owned(),
        program,
        test: test.to_owned(),
    };
    assert!(killer(Program::Library, "queue::tests::a_ring_fills_and_empties_across_the_wrap").exists(&folder));
    for test in ["queue::tests::gone", "gone::tests::a_ring_fills_and_empties_across_the_wrap", "gone"] {
        assert!(!killer(Program::Library, test).exists(&folder), "{test}");
    }
    assert!(!killer(Program::Test("gone".to_owned()), "a").exists(&folder));
}

#[test]
fn what_matters_is_broken() {
    let list = list();
    for (folder, fewest) in
        [("kernel/paging/", 5), ("kernel/smmu/", 10), ("kernel/core/", 8), ("kernel/smmu-model/", 1), ("vmm/core/", 20)]
    {
        let count = list.iter().filter(|mutant| mutant.file.starts_with(folder)).count();
        assert!(count >= fewest, "{count} mutants in {folder}");
    }
    for mutant in &list {
        let name_is_plain =
            mutant.name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-');
        assert!(name_is_plain && !mutant.why.is_empty() && !mutant.why.contains('\n'), "{}", mutant.name);
    }
}
