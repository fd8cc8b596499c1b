//! The committed reference is what the interface says.

use sluice_scripts::reference;
use sluice_scripts::tree::Tree;

#[test]
fn the_reference_is_current() {
    let folder = reference::folder(&Tree::of_this_program().expect("a source tree"));
    let stale: Vec<_> = reference::pages()
        .into_iter()
        .filter(|page| std::fs::read_to_string(folder.join(page.name)).ok().as_ref() != Some(&page.text))
        .map(|page| page.name)
        .collect();
    assert!(stale.is_empty(), "not what kernel/abi says, run `scripts/sluice reference`: {stale:?}");
}

#[test]
fn the_reference_has_no_other_page() {
    let folder = reference::folder(&Tree::of_this_program().expect("a source tree"));
    let pages = reference::pages();
    for entry in std::fs::read_dir(folder).expect("the reference") {
        let name = entry.expect("a readable folder").file_name();
        assert!(pages.iter().any(|page| name == page.name), "{name:?} is not generated");
    }
}
